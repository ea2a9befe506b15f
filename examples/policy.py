"""The rule that the agent's answers live under: one object for the agent, CI and the collector."""

from __future__ import annotations

import re

import traceai

# An IBAN, or the mark that stands in redacted evidence where the answer had one.
_ACCOUNT = re.compile(r"<IBAN_CODE\b|\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b")


@traceai.evaluator(name="account_redacted", version="1")
def account_redacted(*, output: str) -> traceai.EvalResult:
    """Fail an answer that shows an account number."""
    shown = _ACCOUNT.search(str(output)) is not None
    reason = "an account number is in the answer" if shown else "no account number"
    return traceai.EvalResult(passed=not shown, score=float(not shown), reason=reason)


POLICY = traceai.Policy(
    id="soc2-answers",
    version="3",
    controls=("C1.1",),
    owner="dana@acme.example",
    checks=(account_redacted,),
)
