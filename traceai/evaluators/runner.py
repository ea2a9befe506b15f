"""Run a check so that its crash is a verdict.

This is the evaluator runner: the one place besides `traceai.errors.guard` that catches broadly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traceai.evaluators.result import ERROR, EvalResult

if TYPE_CHECKING:
    from traceai.evaluators.registry import Check


def run_check(check: Check, **available: Any) -> EvalResult:
    """Judge a call with one check; an exception becomes an `error` verdict, never a pass.

    The reason names the exception's type only: its text may hold content of the call.
    """
    try:
        return check.evaluate(**available)
    except Exception as error:  # noqa: BLE001 - any crash of a check is that check's verdict
        return EvalResult(
            passed=None, label=ERROR, reason=f"the check raised {type(error).__name__}"
        )
