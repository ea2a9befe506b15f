from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collector_processor.report.rates import fail_rate, to_json
from collector_processor.store.summaries import EvaluationGroup
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.scenes import KEY, call, said

if TYPE_CHECKING:
    from tests.collector_processor.report.scenes import Recorded


def group(passed: int, failed: int, not_judged: int = 0) -> EvaluationGroup:
    return EvaluationGroup(
        service="shop",
        route="support",
        name="pii",
        version="1",
        target="output",
        passed=passed,
        failed=failed,
        not_judged=not_judged,
        example_trace="ab" * 16,
        example_reason="1 e-mail",
    )


@pytest.mark.parametrize(
    ("passed", "failed", "not_judged", "expected"),
    [(0, 0, 0, None), (0, 0, 9, None), (4, 0, 9, 0.0), (3, 1, 9, 0.25), (0, 2, 0, 1.0)],
)
def test_a_rate_is_out_of_what_was_judged(
    passed: int, failed: int, not_judged: int, expected: float | None
) -> None:
    assert fail_rate(group(passed, failed, not_judged)) == expected


def test_without_evaluations_there_are_no_rates(recorded: Recorded) -> None:
    assert to_json(recorded.reader.evaluation_groups()) == {"schema_version": 1, "rates": []}


def test_a_failure_has_an_example_and_its_reason(recorded: Recorded) -> None:
    for trace, answer in (("a", "fine"), ("b", KEY), ("c", KEY), ("d", "fine")):
        recorded.receive(call(trace=trace, attributes=said(answer)))
        recorded.wait()
    document = to_json(recorded.reader.evaluation_groups())
    [failed] = [found for found in document["rates"] if found["failed"]]
    assert failed == {
        "service": "shop",
        "route": "support",
        "evaluator": "secrets",
        "version": "1",
        "target": "output",
        "passed": 2,
        "failed": 2,
        "not_judged": 0,
        "fail_rate": 0.5,
        "example_trace": Otlp.trace_id("c").hex(),
        "example_reason": "secrets in output: 1 OPENAI_API_KEY",
    }


def test_what_could_not_be_judged_is_no_pass_and_no_example(recorded: Recorded) -> None:
    recorded.receive(call())
    recorded.wait()
    document = to_json(recorded.reader.evaluation_groups())
    assert {
        (found["evaluator"], found["target"]): (
            found["passed"],
            found["not_judged"],
            found["fail_rate"],
            found["example_trace"],
            found["example_reason"],
        )
        for found in document["rates"]
    } == {
        ("is_compliant", "call"): (0, 1, None, None, None),
        ("pii", "input"): (0, 1, None, None, None),
        ("pii", "output"): (0, 1, None, None, None),
        ("secrets", "input"): (0, 1, None, None, None),
        ("secrets", "output"): (0, 1, None, None, None),
    }
