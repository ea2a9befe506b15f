from __future__ import annotations

from typing import Any

import pytest

from collector_processor.model import Population, TraceVerdict, Verdict
from collector_processor.processor.codes import SOC2, TABLE, Code, Profile
from collector_processor.processor.completeness import is_sampled, judge
from collector_processor.processor.tally import Rules
from collector_processor.processor.tree import plant

Judge = Any


def codes(verdict: TraceVerdict) -> tuple[str, ...]:
    return tuple(sorted(found.code for found in verdict.findings))


def test_a_call_that_lacks_nothing_is_complete(judged: Judge) -> None:
    verdict = judged(judged.call())
    assert (verdict.verdict, verdict.findings) == (Verdict.COMPLETE, ())


def test_a_trace_without_a_known_operation_is_unknown(judged: Judge, otlp: Any) -> None:
    assert judged(otlp.span("GET /")).verdict is Verdict.UNKNOWN


def test_incomplete_wins_over_unknown(judged: Judge, otlp: Any) -> None:
    assert judged(otlp.span("GET /", parent="gone")).verdict is Verdict.INCOMPLETE


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([("root", None), ("a", "root")], ()),
        ([("a", None), ("b", None)], ()),
        ([("a", "gone")], (Code.MISSING_ROOT,)),
        ([("a", "gone"), ("b", "a")], (Code.MISSING_ROOT,)),
        ([("root", None), ("a", "gone")], (Code.ORPHAN_SPAN,)),
        ([("root", None), ("a", "gone"), ("b", "a")], (Code.ORPHAN_SPAN, Code.ORPHAN_SPAN)),
        ([("root", None), ("a", "a")], (Code.ORPHAN_SPAN,)),
        ([("root", None), ("a", "b"), ("b", "a")], (Code.ORPHAN_SPAN, Code.ORPHAN_SPAN)),
        ([("a", "b"), ("b", "a")], (Code.MISSING_ROOT,)),
    ],
)
def test_what_no_root_reaches_is_named(
    judged: Judge,
    otlp: Any,
    spans: list[tuple[str, str | None]],
    expected: tuple[Code, ...],
) -> None:
    verdict = judged(*(otlp.span(name, parent=parent) for name, parent in spans))
    assert codes(verdict) == expected


def test_a_remote_parent_that_did_not_arrive_makes_a_local_root(judged: Judge, otlp: Any) -> None:
    assert codes(judged(otlp.span("a", parent="far", remote=True))) == ()


def test_an_all_zero_parent_is_none(judged: Judge, otlp: Any) -> None:
    assert codes(judged(otlp.span("a", parent_span_id=bytes(8)))) == ()


def test_no_span_at_all_is_a_missing_root() -> None:
    verdict = judge(plant(()), (), Rules())
    assert (verdict.verdict, codes(verdict)) == (Verdict.INCOMPLETE, (Code.MISSING_ROOT,))


@pytest.mark.parametrize(
    "dropped",
    [
        {"dropped_attributes_count": 1},
        {"dropped_events_count": 1},
        {"dropped_links_count": 1},
        {"events": [{"name": "e", "dropped_attributes_count": 1}]},
        {"links": [{"trace_id": b"1" * 16, "dropped_attributes_count": 1}]},
    ],
)
def test_dropped_data_is_named(judged: Judge, otlp: Any, dropped: dict[str, Any]) -> None:
    assert codes(judged(otlp.span("root", **dropped))) == (Code.DROPPED_DATA,)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 1, (Code.INVALID_TIME,)),
        (5, 0, (Code.INVALID_TIME,)),
        (5, 4, (Code.INVALID_TIME,)),
        (5, 5, ()),
    ],
)
def test_impossible_times_are_named(
    judged: Judge, otlp: Any, start: int, end: int, expected: tuple[Code, ...]
) -> None:
    span = otlp.span("root", start_time_unix_nano=start, end_time_unix_nano=end)
    assert codes(judged(span)) == expected


@pytest.mark.parametrize(
    ("ahead_s", "expected"), [(30, ()), (86_000, ()), (87_000, (Code.INVALID_TIME,))]
)
def test_a_clock_ahead_by_seconds_is_no_finding(
    judged: Judge, otlp: Any, ahead_s: int, expected: tuple[Code, ...]
) -> None:
    assert codes(judged(otlp.span("root", start_s=ahead_s))) == expected


@pytest.mark.parametrize(
    ("trace_state", "expected"),
    [
        ("ot=th:8;rv:abc", True),
        ("vendor=1,ot=rv:1;th:c", True),
        ("ot=th:0", False),
        ("ot=rv:abc", False),
        ("vendor=th:8", False),
        ("", False),
        ("garbage", False),
    ],
)
def test_a_threshold_above_zero_is_sampling(trace_state: str, *, expected: bool) -> None:
    assert is_sampled(trace_state) is expected


def test_sampled_late_and_conflicting_spans_are_named(judged: Judge, otlp: Any) -> None:
    assert codes(judged(otlp.span("root", trace_state="ot=th:8"))) == (Code.SAMPLED,)
    late = judged(judged.call(), otlp.span("a", parent="call"), late=("a",))
    assert (late.codes, late.observed) == ((), (Code.LATE_SPAN,))
    conflict = judged(otlp.span("a"), otlp.span("a", attributes={"other": 1}))
    assert codes(conflict) == (Code.DUPLICATE_CONFLICT,)


def test_an_intent_without_an_outcome_is_named(judged: Judge, otlp: Any) -> None:
    call = judged.call()
    assert codes(judged(call, intents=(otlp.span_id("call").hex(),))) == ()
    verdict = judged(call, intents=("ab" * 8,))
    assert [(f.code, f.span_id) for f in verdict.findings] == [(Code.OPEN_INTENT, "ab" * 8)]


def test_a_span_that_could_not_be_read_is_dropped_data(judged: Judge) -> None:
    assert codes(judged(judged.call(), damaged=("ab" * 8,))) == (Code.DROPPED_DATA,)


def test_a_profile_says_per_route_what_is_required(judged: Judge) -> None:
    lenient = Profile(name="x", observed=frozenset(), routes={"support": frozenset({Code.NO_USER})})
    verdict = judged(judged.call(remove=("user.id",)), rules=Rules(profile=lenient))
    assert (verdict.verdict, verdict.observed) == (Verdict.COMPLETE, (Code.NO_USER,))


def test_findings_and_subjects_are_of_the_calls_route_and_service(judged: Judge) -> None:
    verdict = judged(judged.call(remove=("user.id",)))
    [found] = verdict.findings
    assert (found.service, found.route, found.required) == ("shop", "support", True)
    [subjects] = verdict.subjects
    assert (subjects.service, subjects.route) == ("shop", "support")
    assert subjects.counts[Population.TRACES] == 1
    assert subjects.counts[Population.MODEL_CALLS] == 1
    assert Population.TOOL_CALLS not in subjects.counts


def test_every_code_has_a_population_and_a_remedy() -> None:
    assert set(TABLE) == set(Code)
    assert all(
        rule.remedy.endswith(".") and rule.population in Population for rule in TABLE.values()
    )
    assert {code for code in Code if not SOC2.requires(code, None)} == {
        Code.LATE_SPAN,
        Code.NO_CONTENT_STATE,
    }
