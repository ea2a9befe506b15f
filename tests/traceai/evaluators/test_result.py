"""A verdict is pass, fail or neither, and says so without contradiction."""

from __future__ import annotations

import dataclasses

import pytest

from traceai.evaluators import EvalResult


@pytest.mark.parametrize(
    ("passed", "label"), [(True, "pass"), (False, "fail"), (None, "not_evaluated")]
)
def test_the_label_follows_from_the_verdict(*, passed: bool | None, label: str) -> None:
    assert EvalResult(passed=passed).label == label


@pytest.mark.parametrize("label", ["error", "not_applicable", "not_evaluated", "unsure"])
def test_a_check_that_could_not_judge_may_say_why(label: str) -> None:
    assert EvalResult(passed=None, label=label).label == label


@pytest.mark.parametrize(
    ("passed", "label"),
    [(None, "pass"), (None, "fail"), (True, "fail"), (True, "error"), (False, "pass")],
)
def test_a_label_cannot_contradict_the_verdict(*, passed: bool | None, label: str) -> None:
    with pytest.raises(ValueError, match="contradicts"):
        EvalResult(passed=passed, label=label)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_is_finite(score: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        EvalResult(passed=True, score=score)


def test_a_number_is_no_verdict() -> None:
    with pytest.raises(TypeError):
        EvalResult(passed=1)  # type: ignore[arg-type]


def test_a_verdict_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EvalResult(passed=False).passed = True  # type: ignore[misc]
