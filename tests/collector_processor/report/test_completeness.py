from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.processor.codes import TABLE, Code
from collector_processor.report.completeness import build, iso, to_json
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.scenes import call

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader
    from tests.collector_processor.report.scenes import Recorded

FINDING = {
    "service": "shop",
    "route": "support",
    "code": "no_user",
    "count": 1,
    "of": 5,
    "first_seen": "2026-11-18T11:06:50.000Z",
    "last_seen": "2026-11-18T11:06:50.000Z",
    "example_trace": Otlp.trace_id("no-user").hex(),
    "remedy": TABLE[Code.NO_USER].remedy,
}


def test_an_empty_store_is_complete_of_nothing(recorded: Recorded) -> None:
    found = build(recorded.reader)
    assert not found.incomplete
    assert to_json(found) == {
        "schema_version": 1,
        "traces": {"complete": 0, "incomplete": 0, "unknown": 0, "proven": 0},
        "findings": [],
        "observed": [],
        "streams": {"proven": 0, "gap": 0, "unproven": 0},
    }


def test_what_is_missing_is_counted_out_of_what_it_applies_to(everything: Reader) -> None:
    document = to_json(build(everything))
    assert FINDING in document["findings"]
    assert [(f["service"], f["code"], f["count"], f["of"]) for f in document["findings"]] == [
        ("mail", "no_route", 1, 1),
        ("shop", "no_tool_authorization", 1, 1),
        ("shop", "no_tool_result", 1, 1),
        ("shop", "no_usage", 1, 4),
        ("shop", "no_user", 1, 5),
        ("shop", "orphan_span", 1, 3),
    ]
    assert [(f["code"], f["of"]) for f in document["observed"]] == [
        ("no_content_state", 1),
        ("late_span", 3),
    ]


def test_totals_and_streams_stand_beside_the_findings(everything: Reader) -> None:
    document = to_json(build(everything))
    assert document["traces"] == {"complete": 1, "incomplete": 3, "unknown": 1, "proven": 0}
    assert document["streams"] == {"proven": 0, "gap": 0, "unproven": 2}


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([call()], False),
        ([Otlp.span("GET /")], False),
        ([call(remove=("traceai.content.state",))], False),
        ([call(remove=("user.id",))], True),
    ],
    ids=["complete", "unknown", "observed only", "something required"],
)
def test_only_what_is_required_makes_it_incomplete(
    recorded: Recorded, spans: list[Any], *, expected: bool
) -> None:
    recorded.receive(*spans)
    recorded.wait()
    assert build(recorded.reader).incomplete is expected


def test_what_was_amended_is_missing_no_more(recorded: Recorded) -> None:
    recorded.receive(Otlp.span("root"), call(parent="middle"))
    recorded.wait()
    assert build(recorded.reader).incomplete
    recorded.receive(Otlp.span("middle", parent="root"))
    recorded.wait()
    assert not build(recorded.reader).incomplete


def test_a_route_is_seen_first_and_last_by_the_collectors_clock(recorded: Recorded) -> None:
    for trace in ("a", "b", "c"):
        recorded.receive(call(trace=trace, remove=("user.id",)))
        recorded.wait(60)
    [line] = to_json(build(recorded.reader))["findings"]
    assert (line["count"], line["first_seen"], line["last_seen"], line["example_trace"]) == (
        3,
        "2026-11-18T11:06:40.000Z",
        "2026-11-18T11:08:40.000Z",
        Otlp.trace_id("c").hex(),
    )


@pytest.mark.parametrize(
    ("time_ns", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_999_999, "1970-01-01T00:00:00.001Z"),
        (999_999_999, "1970-01-01T00:00:00.999Z"),
        (1_795_000_000_123_456_789, "2026-11-18T11:06:40.123Z"),
    ],
)
def test_a_time_is_cut_to_the_millisecond_never_rounded_up(time_ns: int, expected: str) -> None:
    assert iso(time_ns) == expected
