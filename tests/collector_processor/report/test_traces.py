from __future__ import annotations

from typing import TYPE_CHECKING

from collector_processor.report.traces import to_json
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.scenes import call

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader
    from tests.collector_processor.report.scenes import Recorded


def test_without_traces_the_list_is_empty(recorded: Recorded) -> None:
    assert to_json(recorded.reader.newest()) == {"schema_version": 1, "traces": []}


def test_the_trace_that_was_sealed_last_is_the_first(everything: Reader) -> None:
    found = to_json(everything.newest())["traces"]
    assert found[0] == {
        "trace_id": Otlp.trace_id("run").hex(),
        "revision": 2,
        "verdict": "incomplete",
        "service": "shop",
        "route": "support",
        "name": "invoke_agent desk",
        "spans": 7,
        "sealed": "2026-11-18T11:07:20.000Z",
    }
    assert found[-1]["trace_id"] == Otlp.trace_id("whole").hex()
    assert [each["verdict"] for each in found].count("incomplete") == 3


def test_a_trace_is_listed_once_by_its_newest_revision(recorded: Recorded) -> None:
    for name, parent in (("root", None), ("leaf", "root")):
        recorded.receive(call(name, parent=parent))
        recorded.wait()
    [found] = to_json(recorded.reader.newest())["traces"]
    assert (found["revision"], found["spans"]) == (2, 2)
