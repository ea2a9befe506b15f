"""Judge whether a call complies with a policy: run its checks and add up their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traceai.errors import PolicyError
from traceai.evaluators.pii import PII
from traceai.evaluators.registry import Check
from traceai.evaluators.result import NOT_APPLICABLE, EvalResult
from traceai.evaluators.runner import run_check
from traceai.evaluators.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traceai.policy.model import Policy


class IsCompliant:
    """Run a policy's checks on a call.

    Args:
        policy: whose checks to run.
        checks: further checks, run after the policy's. With neither a policy nor checks, the
            output must hold no secrets and no personal data.

    Raises:
        PolicyError: something among the checks cannot be run, or a name stands twice.
    """

    name = "is_compliant"
    version = "1"

    def __init__(self, policy: Policy | None = None, checks: Sequence[Check] = ()) -> None:
        if policy is None and not checks:
            checks = (Secrets(places=("output",)), PII(places=("output",)))
        self.policy = policy
        self.checks = (*(policy.checks if policy else ()), *checks)
        refuse_unusable(self.checks)

    def evaluate(self, **available: Any) -> EvalResult:
        """Judge `input`, `output`, `context` and whatever else the checks ask for by keyword.

        Fails when any check failed; when none failed but any could not judge, `passed` is None.
        A check that does not apply counts neither way. Score: the share passed of those judged.
        """
        verdicts = [(check, run_check(check, **available)) for check in self.checks]
        applied = [(check, v) for check, v in verdicts if v.label != NOT_APPLICABLE]
        judged = [v for _, v in applied if v.passed is not None]
        failed = [(check, v) for check, v in applied if v.passed is False]
        unjudged = [(check, v) for check, v in applied if v.passed is None]
        return EvalResult(
            passed=False if failed else None if unjudged or not applied else True,
            score=sum(v.passed is True for v in judged) / len(judged) if judged else None,
            reason=_give_reason(failed, unjudged, len(applied)),
            evidence={"policy": self._identify(), "checks": [_record(*pair) for pair in verdicts]},
        )

    def _identify(self) -> dict[str, str] | None:
        """Name the policy that was judged, so that the verdict stays tied to it."""
        if self.policy is None:
            return None
        return {
            "id": self.policy.id,
            "version": self.policy.version,
            "digest": self.policy.digest,
        }


def refuse_unusable(checks: Sequence[object]) -> None:
    """Refuse what is no check, and a name that stands twice."""
    names: set[str] = set()
    for check in checks:
        if isinstance(check, type) or not isinstance(check, Check):
            raise PolicyError(
                f"{check!r} is not a check.",
                remedy='Decorate the function: @traceai.evaluator("name", "1").',
            )
        if check.name in names:
            raise PolicyError(
                f"two checks are named {check.name!r}.", remedy="Give each a name of its own."
            )
        names.add(check.name)


def _give_reason(
    failed: list[tuple[Check, EvalResult]], unjudged: list[tuple[Check, EvalResult]], total: int
) -> str:
    """Name what failed, then what could not be judged."""
    if not total:
        return "the policy has no check that applies"
    said = []
    if failed:
        said.append("failed: " + "; ".join(_name(*pair) for pair in failed))
    if unjudged:
        said.append("not judged: " + "; ".join(_name(*pair) for pair in unjudged))
    return ". ".join(said) or f"all {total} checks passed"


def _name(check: Check, verdict: EvalResult) -> str:
    """Write one verdict as `pii (reason)`."""
    return f"{check.name} ({verdict.reason})" if verdict.reason else check.name


def _record(check: Check, verdict: EvalResult) -> dict[str, Any]:
    """Record one check's verdict as evidence."""
    return {
        "name": check.name,
        "version": check.version,
        "verdict": verdict.label,
        "passed": verdict.passed,
        "score": verdict.score,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
    }
