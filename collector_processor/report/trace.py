"""One trace as it is known now: its tree, how each value is known, the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from collector_processor.processor.decode import decode_revision
from collector_processor.processor.tree import plant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector_processor.model import Evaluation, SealedTrace
    from collector_processor.processor.tree import Node

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceView:
    """A trace over all its revisions.

    Attributes:
        newest: the revision whose verdict counts.
        nodes: every span, with its canonical fields, in order of start.
        evaluations: the results for each span, by span id.
    """

    newest: SealedTrace
    nodes: tuple[Node, ...]
    evaluations: Mapping[str, Sequence[Evaluation]]


def view(revisions: Sequence[SealedTrace]) -> TraceView:
    """Put the revisions of one trace, oldest first, together."""
    spans = chain.from_iterable(map(decode_revision, revisions))
    tree = plant(sorted(spans, key=lambda span: (span.start_ns, span.span_id)))
    evaluations: dict[str, list[Evaluation]] = {}
    for found in chain.from_iterable(revision.evaluations for revision in revisions):
        for span_id in found.span_ids:
            evaluations.setdefault(span_id, []).append(found)
    return TraceView(newest=revisions[-1], nodes=tree.nodes, evaluations=evaluations)


def to_json(trace: TraceView) -> dict[str, Any]:
    """Return the document that `traceai trace ID --json` prints (DESIGN section 5)."""
    verdict = trace.newest.verdict
    return {
        "schema_version": SCHEMA_VERSION,
        "trace_id": trace.newest.trace_id,
        "revision": trace.newest.revision,
        "verdict": verdict.verdict,
        "codes": list(verdict.codes),
        "observed": list(verdict.observed),
        "findings": [
            {"code": found.code, "span_id": found.span_id, "required": found.required}
            for found in verdict.findings
        ],
        "spans": [_span(node, trace.evaluations) for node in trace.nodes],
    }


def _span(node: Node, evaluations: Mapping[str, Sequence[Evaluation]]) -> dict[str, Any]:
    span = node.span
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_id,
        "name": span.name,
        "operation": node.operation,
        "fields": {
            name: {"value": field.value, "known": field.known, "source": field.source}
            for name, field in sorted(node.fields.items())
        },
        "evaluations": [
            {
                "name": found.name,
                "version": found.version,
                "target": found.target,
                "passed": found.passed,
                "score": found.score,
                "label": found.label,
                "reason": found.reason,
            }
            for found in evaluations.get(span.span_id, ())
        ],
    }
