"""What checks answer, as it is recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.processor.check_results import run
from traceai.evaluators.result import EvalResult

KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


class Answer:
    """A check that answers what it was made with."""

    name, version = "answer", "1"

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def evaluate(self, **_: Any) -> Any:
        return self._answer


def answered(**given_: Any) -> EvalResult:
    return run(Answer(EvalResult(**{"passed": False, **given_})))


@pytest.mark.parametrize(
    ("given_", "field", "expected"),
    [
        ({"reason": "plain"}, "reason", "plain"),
        ({"reason": "half \ud800"}, "reason", "half \ufffd"),
        ({"reason": f"quotes {KEY}"}, "reason", "quotes <OPENAI_API_KEY>"),
        ({"reason": None}, "reason", ""),
        ({"reason": 7}, "reason", "7"),
        ({"label": "\udfff", "passed": True}, "label", "\ufffd"),
        ({"score": 10**25}, "score", 1e25),
        ({"score": True}, "score", 1.0),
        ({"evidence": {"n": 10**30}}, "evidence", {"n": str(10**30)}),
        ({"evidence": [float("nan"), float("-inf"), 1.5]}, "evidence", ["nan", "-inf", 1.5]),
        ({"evidence": {"\ud800": {KEY}}}, "evidence", {"\ufffd": ["<OPENAI_API_KEY>"]}),
        ({"evidence": MappingProxyType({1: (None, True)})}, "evidence", {"1": [None, True]}),
        ({"evidence": [datetime(2026, 1, 2, tzinfo=UTC)]}, "evidence",
         ["2026-01-02 00:00:00+00:00"]),
    ],
)  # fmt: skip
def test_an_answer_is_made_of_values_that_any_store_takes(
    given_: dict[str, Any], field: str, expected: Any
) -> None:
    assert getattr(answered(**given_), field) == expected


def cycle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (True, "TypeError"),
        (None, "TypeError"),
        (EvalResult(passed=True, evidence=[Unprintable()]), "RuntimeError"),
        (EvalResult(passed=True, evidence=cycle()), "RecursionError"),
    ],
)
def test_an_answer_that_cannot_be_recorded_is_an_error_and_no_pass(answer: Any, error: str) -> None:
    found = run(Answer(answer))
    assert (found.passed, found.label, found.reason) == (None, "error", f"the check raised {error}")


half = st.characters(min_codepoint=0xD7F0, max_codepoint=0xE00F)
evidence = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.text(half),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(half), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(evidence, max_size=3), st.text(half))
def test_whatever_a_check_says_can_be_written(said: list[Any], reason: str) -> None:
    found = answered(evidence=said, reason=reason)
    text = json.dumps([found.evidence, found.reason], ensure_ascii=False, allow_nan=False)
    assert text.encode("utf-8")
