"""Run the evaluators over a trace: a gate over its raw bytes, a close look at what it flags. Pure.

One RE2 `Set` looks at the raw bytes of a whole trace. A trace that it clears has passed, with no
further work; of one that it flags, only the spans that hold something are read as text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from collector_processor.model import Evaluation
from collector_processor.processor.content import has_content, read_content
from traceai import semconv
from traceai.evaluators.detect import gate
from traceai.evaluators.result import EvalResult
from traceai.evaluators.runner import run_check
from traceai.semconv import MODEL_CALLS, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from collector_processor.processor.decode import Span
    from collector_processor.processor.tree import Node, Tree
    from traceai.evaluators.registry import Check

# What of each operation is looked at, and what evaluators call it.
_CALL = (("input", "input"), ("output", "output"))
_TARGETS: Mapping[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(MODEL_CALLS, _CALL),
    Operation.EMBEDDINGS: (("input", "input"),),
    Operation.EXECUTE_TOOL: (("arguments", "input"), ("result", "output")),
    Operation.RETRIEVAL: (("documents", "output"),),
}
_CALL_TARGET = "call"
_NO_KINDS: frozenset[str] = frozenset()
_NOTHING_CAPTURED = "{} was not captured (content state: {})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCheck:
    """An evaluator of texts that has nothing to find where the gate names none of its kinds."""

    check: Check
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluators:
    """What is run on every trace.

    Attributes:
        content: judged on input, output, tool arguments and results, retrieved documents.
        approval: judged on each model call: where it went, and which model served.
        policies: by policy id, judged on the model calls that name that policy.
    """

    content: tuple[ContentCheck, ...] = ()
    approval: Check | None = None
    policies: Mapping[str, Check] = field(default_factory=dict)


class _Results:
    """Results of a trace, those that are alike together."""

    def __init__(self, known: Iterable[Evaluation]) -> None:
        self._known = {
            (span_id, found.name, found.version, found.target)
            for found in known
            if not found.arrived
            for span_id in found.span_ids
        }
        self._spans: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        self._results: dict[int, EvalResult] = {}

    def wants(self, node: Node, check: Check, target: str) -> bool:
        """Say whether a span has no result of a check yet."""
        key = (node.span.span_id, check.name, check.version, target)
        return not self._known or key not in self._known

    def add(self, node: Node, check: Check, target: str, result: EvalResult) -> None:
        """Keep a result; one that is the same object is the same result."""
        self._results[id(result)] = result
        key = (check.name, check.version, target, *node.place, id(result))
        self._spans[key].append(node.span.span_id)

    def collect(self) -> tuple[Evaluation, ...]:
        """Return one value for each distinct result."""
        return tuple(
            Evaluation(
                span_ids=tuple(span_ids),
                name=name,
                version=version,
                target=target,
                passed=result.passed,
                score=result.score,
                label=result.label,
                reason=result.reason or None,
                evidence=result.evidence or None,
                service=service,
                route=route,
            )
            for (name, version, target, service, route, key), span_ids in self._spans.items()
            for result in (self._results[key],)
        )


class Flags(NamedTuple):
    """What the gate found in a span: in all of it, and in what was said."""

    kinds: frozenset[str]
    said: frozenset[str]


def flag(spans: Sequence[Span]) -> list[Flags]:
    """Return, for each span of a trace, the kinds that may occur in it.

    Attributes that were seen before were looked at then; the rest of a whole trace is looked at in
    one pass. Numbers that only give structure look like personal ones: they are not what was said.
    """
    clear = not gate(b"\n".join([span.unseen for span in spans]))
    return [_flags(span, _NO_KINDS if clear else gate(span.unseen)) for span in spans]


def _flags(span: Span, unseen: frozenset[str]) -> Flags:
    kinds = said = unseen
    for attribute in span.read:
        if attribute.kinds:
            kinds |= attribute.kinds
            if not attribute.structural:
                said |= attribute.kinds
    return Flags(kinds, said)


class Runner:
    """Run a configured set of evaluators over traces.

    Args:
        evaluators: which.
    """

    def __init__(self, evaluators: Evaluators) -> None:
        self._evaluators = evaluators
        # What a text without findings gets, asked for once: the gate stands in for the close look.
        self._cleared = {
            (chosen.check.name, keyword): _run(chosen.check, **{keyword: "-"})
            for chosen in evaluators.content
            for keyword in ("input", "output")
        }
        self._absent: dict[str, EvalResult] = {}

    def evaluate(
        self, tree: Tree, flags: Mapping[bytes, Flags], known: Iterable[Evaluation] = ()
    ) -> tuple[Evaluation, ...]:
        """Return the results that the spans of a trace do not have yet.

        Args:
            tree: the trace.
            flags: what the gate found in each new span, by its digest; others were judged before.
            known: the results of earlier revisions: they stay, and are not made again.
        """
        results = _Results(known)
        for node in tree.nodes:
            operation = node.operation
            found = flags.get(node.span.digest)
            if operation is not None and operation in _TARGETS and found is not None:
                self._judge_content(node, _TARGETS[operation], found.said, results)
            if operation in MODEL_CALLS:
                self._judge_call(node, results)
        return results.collect()

    def _judge_content(
        self,
        node: Node,
        targets: tuple[tuple[str, str], ...],
        kinds: frozenset[str],
        results: _Results,
    ) -> None:
        checks = self._evaluators.content
        for target, keyword in targets:
            captured = has_content(node, target)
            for chosen in checks:
                check = chosen.check
                if not results.wants(node, check, target):
                    continue
                if not captured:
                    results.add(node, check, target, self._not_captured(node, target))
                    continue
                if chosen.kinds.isdisjoint(kinds):
                    result = self._cleared[check.name, keyword]
                else:
                    result = _run(check, **{keyword: read_content(node, target) or "-"})
                results.add(node, check, target, result)

    def _judge_call(self, node: Node, results: _Results) -> None:
        approval = self._evaluators.approval
        if approval is not None and results.wants(node, approval, _CALL_TARGET):
            results.add(node, approval, _CALL_TARGET, _run(approval, **call_facts(node)))
        policy = self._evaluators.policies.get(node.get(semconv.POLICY_ID).value)
        if node.operation == Operation.EMBEDDINGS:  # it answers nothing
            return
        if policy is None or not results.wants(node, policy, _CALL_TARGET):
            return
        if not (has_content(node, "input") or has_content(node, "output")):
            result = self._not_captured(node, "content")
        else:
            said = {
                target: read_content(node, target) if has_content(node, target) else None
                for target in ("input", "output")
            }
            result = _run(policy, **said, span=node.span, **call_facts(node))
        results.add(node, policy, _CALL_TARGET, result)

    def _not_captured(self, node: Node, target: str) -> EvalResult:
        state = node.get(semconv.CONTENT_STATE).value or "not stated"
        reason = _NOTHING_CAPTURED.format(target, state)
        return self._absent.setdefault(reason, EvalResult(passed=None, reason=reason))


def _run(check: Check, **available: Any) -> EvalResult:
    """Run a check, and keep its evidence as JSON has it."""
    result = run_check(check, **available)
    return replace(result, evidence=_plain(result.evidence))


def call_facts(node: Node) -> dict[str, Any]:
    """Return what is known of a model call besides what was said, for `ProviderApproval`."""
    start_ns = node.span.start_ns
    return {
        "provider": node.get(semconv.PROVIDER_NAME).value,
        "server_address": node.get(semconv.SERVER_ADDRESS).value,
        "request_model": node.get(semconv.REQUEST_MODEL).value,
        "response_model": node.get(semconv.RESPONSE_MODEL).value,
        "at": _moment(start_ns) if start_ns else None,
    }


def _moment(time_ns: int) -> datetime | None:
    """Return a stated time; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(time_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _plain(value: Any) -> Any:
    """Return evidence as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float) or value is None else str(value)
