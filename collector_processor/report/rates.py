"""How often each evaluator failed, by service and route, beside what it could not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector_processor.store.summaries import EvaluationGroup

SCHEMA_VERSION = 1


def to_json(groups: Sequence[EvaluationGroup]) -> dict[str, Any]:
    """Return the document that `traceai report rates --json` prints.

    `fail_rate` is out of what was judged; None when nothing was, which is no pass. The example is
    the newest failure.
    """
    return {"schema_version": SCHEMA_VERSION, "rates": [_group(group) for group in groups]}


def fail_rate(group: EvaluationGroup) -> float | None:
    """Return failures out of what was judged."""
    judged = group.passed + group.failed
    return group.failed / judged if judged else None


def _group(group: EvaluationGroup) -> dict[str, Any]:
    return {
        "service": group.service,
        "route": group.route,
        "evaluator": group.name,
        "version": group.version,
        "target": group.target,
        "passed": group.passed,
        "failed": group.failed,
        "not_judged": group.not_judged,
        "fail_rate": fail_rate(group),
        "example_trace": group.example_trace if group.failed else None,
        "example_reason": group.example_reason if group.failed else None,
    }
