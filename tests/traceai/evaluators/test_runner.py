"""A check that crashes gives an error verdict, and no content leaves with it."""

from __future__ import annotations

import pytest

from traceai.evaluators import evaluator
from traceai.evaluators.runner import run_check


@evaluator("broken", "1")
def broken(output: str) -> bool:
    raise LookupError(output)


def test_a_crash_is_an_error_verdict_without_the_text_of_the_error() -> None:
    result = run_check(broken, output="alice@example.com")
    assert (
        result.passed,
        result.label,
        result.reason,
    ) == (None, "error", "the check raised LookupError")


def test_a_wrong_answer_of_a_check_is_an_error_verdict() -> None:
    @evaluator("nan", "1", threshold=0.5)
    def nan(output: str) -> float:
        return float(output)

    assert run_check(nan, output="nan").label == "error"


def test_an_interrupt_is_not_swallowed() -> None:
    @evaluator("interrupted", "1")
    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_check(interrupted)
