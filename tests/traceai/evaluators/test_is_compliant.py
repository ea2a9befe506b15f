"""A policy's verdict adds up its checks': one failure fails, one doubt is no pass."""

from __future__ import annotations

from typing import Any

import pytest

from traceai.errors import PolicyError
from traceai.evaluators import EvalResult, Evaluator, IsCompliant
from traceai.policy import Policy


def check(name: str, *, answer: Any) -> Evaluator:
    def give(output: str) -> Any:  # noqa: ARG001 - named to be asked for
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Evaluator(give, name=name, version="1")


NOT_APPLICABLE = EvalResult(passed=None, label="not_applicable", reason="no tool was called")
ERROR = ValueError("holds content")


@pytest.mark.parametrize(
    ("answers", "passed", "score", "reason"),
    [
        ([True, True], True, 1.0, "all 2 checks passed"),
        ([True, False], False, 0.5, "failed: c1"),
        ([False, None], False, 0.0, "failed: c0. not judged: c1 (the check gave no verdict)"),
        ([True, None], None, 1.0, "not judged: c1 (the check gave no verdict)"),
        ([True, ERROR], None, 1.0, "not judged: c1 (the check raised ValueError)"),
        ([ERROR], None, None, "not judged: c0 (the check raised ValueError)"),
        ([True, NOT_APPLICABLE], True, 1.0, "all 1 checks passed"),
        ([NOT_APPLICABLE], None, None, "the policy has no check that applies"),
    ],
)
def test_verdicts_add_up(
    *, answers: list[Any], passed: bool | None, score: float | None, reason: str
) -> None:
    checks = tuple(check(f"c{number}", answer=answer) for number, answer in enumerate(answers))
    result = IsCompliant(checks=checks).evaluate(output="x")
    assert (passed, score, reason) == (result.passed, result.score, result.reason)


def test_the_evidence_holds_each_checks_verdict_and_the_policys_digest() -> None:
    policy = Policy(
        "answers", "3", checks=(check("tone", answer=True), check("broken", answer=ERROR))
    )
    evidence: Any = IsCompliant(policy).evaluate(output="x").evidence
    assert {"id": "answers", "version": "3", "digest": policy.digest} == evidence["policy"]
    assert [(c["name"], c["version"], c["verdict"], c["reason"]) for c in evidence["checks"]] == [
        ("tone", "1", "pass", ""),
        ("broken", "1", "error", "the check raised ValueError"),
    ]


def test_a_policy_without_checks_is_never_a_pass() -> None:
    result = IsCompliant(Policy("empty", "1")).evaluate(input="a", output="b")
    assert (
        result.passed,
        result.score,
        result.reason,
    ) == (None, None, "the policy has no check that applies")


def test_without_a_policy_the_output_must_hold_no_secrets_and_no_personal_data() -> None:
    policy = IsCompliant()
    clean = policy.evaluate(input="I am alice@example.com", output="Hello!")
    leak = policy.evaluate(input="hi", output="Your account number is 000123456789.")
    assert (clean.passed, clean.score) == (True, 1.0)
    assert (
        leak.passed,
        leak.score,
        leak.reason,
    ) == (False, 0.5, "failed: pii (personal data in output: 1 US_BANK_NUMBER)")


def test_without_an_output_nothing_is_judged() -> None:
    assert IsCompliant().evaluate(input="hi").passed is None


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ((lambda output: True,), "is not a check"),  # noqa: ARG005 - never called
        ((IsCompliant,), "is not a check"),
        ((check("a", answer=True), check("a", answer=True)), "two checks are named 'a'"),
    ],
)
def test_unusable_checks_are_refused(checks: Any, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        IsCompliant(checks=checks)
