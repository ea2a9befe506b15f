"""The newest traces, with their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from collector_processor.report.completeness import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector_processor.store.summaries import TraceSummary

SCHEMA_VERSION: Final = 1


def to_json(summaries: Iterable[TraceSummary]) -> dict[str, Any]:
    """Return the document that `traceai traces --json` prints, the trace sealed last first."""
    return {
        "schema_version": SCHEMA_VERSION,
        "traces": [
            {
                "trace_id": summary.trace_id,
                "revision": summary.revision,
                "verdict": summary.verdict,
                "service": summary.service,
                "route": summary.route,
                "name": summary.name,
                "spans": summary.spans,
                "sealed": iso(summary.sealed_ns),
            }
            for summary in summaries
        ],
    }
