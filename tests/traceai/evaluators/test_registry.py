"""A plain function becomes an evaluator and gets what it asks for."""

from __future__ import annotations

from typing import Any

import pytest

from traceai.errors import PolicyError
from traceai.evaluators import EvalResult, Evaluator, evaluator


def test_a_function_gets_only_the_parts_it_names() -> None:
    @evaluator("short", "2")
    def short(output: str, expected: str | None = None) -> bool:
        return len(output) < 5 and expected is None

    assert (short.name, short.version) == ("short", "2")
    assert EvalResult(passed=True, score=1.0) == short.evaluate(input="long", output="abc", span=7)


def test_a_function_with_keywords_gets_everything() -> None:
    @evaluator("all", "1")
    def everything(**given: Any) -> bool:
        return sorted(given) == ["input", "output"]

    assert everything.evaluate(input="a", output="b").passed is True


def test_an_evaluator_is_still_the_function() -> None:
    @evaluator("upper", "1")
    def is_upper(output: str) -> bool:
        """Say whether it shouts."""
        return output.isupper()

    assert is_upper("ABC") is True
    assert is_upper.__doc__ == "Say whether it shouts."
    assert isinstance(is_upper, Evaluator)


@pytest.mark.parametrize(
    ("answer", "threshold", "passed", "score"),
    [
        (True, None, True, 1.0),
        (False, None, False, 0.0),
        (0.7, None, None, 0.7),
        (0.7, 0.7, True, 0.7),
        (0.69, 0.7, False, 0.69),
        (1, 0.5, True, 1.0),
        (None, 0.5, None, None),
    ],
)
def test_what_a_function_returns_is_read_as_a_verdict(
    answer: Any, threshold: float | None, passed: Any, score: float | None
) -> None:
    check = Evaluator(lambda output: answer, name="x", version="1", threshold=threshold)  # noqa: ARG005 - named to be asked for
    result = check.evaluate(output="y")
    assert (passed, score) == (result.passed, result.score)


def test_a_missing_part_is_named_and_never_a_pass() -> None:
    @evaluator("grounded", "1")
    def grounded(output: str, context: str) -> bool:
        return output in context

    result = grounded.evaluate(output="x", context=None)
    assert (
        result.passed,
        result.label,
        result.reason,
    ) == (None, "not_evaluated", "not given: context")


def test_an_exception_propagates_from_a_single_evaluator() -> None:
    @evaluator("broken", "1")
    def broken(output: str) -> bool:
        raise RuntimeError(output)

    with pytest.raises(RuntimeError):
        broken.evaluate(output="x")


def test_an_answer_that_is_no_verdict_is_refused() -> None:
    check = Evaluator(lambda output: output, name="x", version="1")
    with pytest.raises(TypeError, match="str"):
        check.evaluate(output="pass")


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("x", " "), (None, "1"), ("x", 1)])
def test_an_evaluator_without_identity_is_refused(name: Any, version: Any) -> None:
    with pytest.raises(PolicyError, match="an evaluator needs a"):
        evaluator(name, version)(lambda output: output == "x")


def test_a_positional_parameter_is_refused() -> None:
    with pytest.raises(PolicyError, match="positional"):
        Evaluator(lambda *parts: bool(parts), name="x", version="1")
