"""The example's check judges answers, and what redaction leaves of them."""

from __future__ import annotations

import pytest

from fake_answers import leaked_account
from policy import POLICY, account_redacted


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        ("The refund is on its way to the card that paid.", True),
        ("Order A-1001 is yours.", True),
        (f"Account {leaked_account()}.", False),
        ("Account <IBAN_CODE>.", False),
        ("Account <IBAN_CODE:k1:ABCDEFGHIJKLMNOP>.", False),
    ],
)
def test_an_account_number_fails_an_answer(answer: str, *, passed: bool) -> None:
    assert account_redacted.evaluate(output=answer).passed is passed


def test_the_policy_holds_the_check() -> None:
    assert (POLICY.id, POLICY.version, POLICY.checks) == ("soc2-answers", "3", (account_redacted,))
