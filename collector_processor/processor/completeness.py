"""Judge whether a trace is all that it should be: codes, verdict, denominators. Pure.

The rules are those of DESIGN section 6, kind by kind: the tree here, model calls, tools and
guardrails in modules of their own. What a profile does not require is found all the same, and
said to be observed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector_processor.model import Population, TraceVerdict, Verdict
from collector_processor.processor.codes import Code
from collector_processor.processor.model_calls import judge_calls
from collector_processor.processor.steps import judge_guardrails, judge_tools
from collector_processor.processor.tally import Tally
from traceai.semconv import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from collector_processor.model import Evaluation, Finding
    from collector_processor.processor.tally import Rules
    from collector_processor.processor.tree import Node, Tree

_DAY_NS = 86_400 * 1_000_000_000
_OPERATIONS = frozenset(operation.value for operation in Operation)


def judge(
    tree: Tree,
    evaluations: Sequence[Evaluation],
    rules: Rules,
    *,
    intents: Iterable[str] = (),
    damaged: Iterable[str] = (),
) -> TraceVerdict:
    """Judge one assembled trace.

    Args:
        tree: its spans.
        evaluations: every result for them, the collector's own and those that arrived.
        rules: the profile, and what the inventory and the configuration say.
        intents: span ids of calls of this trace that left and may have had no outcome.
        damaged: span ids of those that arrived and could not be decoded.
    """
    tally = Tally(rules.profile)
    at = tree.root or (tree.nodes[0] if tree.nodes else None)
    tally.count(at, Population.TRACES)
    _judge_tree(tree, tally, at)
    arrived = {node.span.span_id for node in tree.nodes}
    for span_id in intents:
        if span_id not in arrived:
            tally.find(Code.OPEN_INTENT, span_id, at)
    for span_id in damaged:
        tally.find(Code.DROPPED_DATA, span_id, at)
    judge_calls(tree, evaluations, rules, tally)
    judge_tools(tree, rules, tally)
    judge_guardrails(tree, tally)
    return TraceVerdict(
        verdict=_verdict(tree, tally.findings),
        findings=tuple(tally.findings),
        subjects=tally.subjects(),
    )


def _verdict(tree: Tree, findings: Sequence[Finding]) -> Verdict:
    if any(finding.required for finding in findings):
        return Verdict.INCOMPLETE
    recognised = any(node.operation in _OPERATIONS for node in tree.nodes)
    return Verdict.COMPLETE if recognised else Verdict.UNKNOWN


def _judge_tree(tree: Tree, tally: Tally, at: Node | None) -> None:
    if tree.root is None:
        tally.find(Code.MISSING_ROOT, None, at)
    seen: dict[str, bytes] = {}
    for node in tree.nodes:
        span = node.span
        if tree.root is not None and not node.reached:
            tally.find(Code.ORPHAN_SPAN, node.span.span_id, at)
        if node.late:
            tally.find(Code.LATE_SPAN, node.span.span_id, at)
        if seen.setdefault(span.span_id, span.digest) != span.digest:
            tally.find(Code.DUPLICATE_CONFLICT, node.span.span_id, at)
        if span.dropped:
            tally.find(Code.DROPPED_DATA, node.span.span_id, at)
        if span.trace_state and is_sampled(span.trace_state):
            tally.find(Code.SAMPLED, node.span.span_id, at)
        latest = span.received_ns + _DAY_NS
        if not 0 < span.start_ns <= span.end_ns <= latest:
            tally.find(Code.INVALID_TIME, node.span.span_id, at)


def is_sampled(trace_state: str) -> bool:
    """Say whether OpenTelemetry's entry of a `tracestate` tells of sampling: `ot=th:…` above 0."""
    return any(
        threshold.strip().strip("0") != ""
        for key, fields in _pairs(trace_state.split(","), "=")
        if key == "ot"
        for name, threshold in _pairs(fields.split(";"), ":")
        if name == "th"
    )


def _pairs(items: Iterable[str], separator: str) -> Iterator[tuple[str, str]]:
    for item in items:
        key, _, value = item.partition(separator)
        yield key.strip(), value
