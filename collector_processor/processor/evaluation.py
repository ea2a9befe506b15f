"""Run the evaluators over a trace: a gate over its raw bytes, a close look at what it flags. Pure.

One RE2 `Set` looks at the raw bytes of a whole trace. A trace that it clears has passed, with no
further work; of one that it flags, only the spans that hold something are read as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from collector_processor.processor.check_results import Judge, Results, judge_of, run
from collector_processor.processor.content import has_content, is_readable, read_content
from traceai import semconv
from traceai.evaluators.detect import gate
from traceai.evaluators.result import EvalResult
from traceai.semconv import MODEL_CALLS, ContentState, Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collector_processor.model import Evaluation
    from collector_processor.processor.decode import Span
    from collector_processor.processor.tree import Node, Tree
    from traceai.evaluators.registry import Check

# What of each operation is looked at, and what evaluators call it.
_CALL = (("input", "input"), ("output", "output"))
_TARGETS: Mapping[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(MODEL_CALLS, _CALL),
    Operation.EMBEDDINGS: (("input", "input"),),
    Operation.EXECUTE_TOOL: (("arguments", "input"), ("result", "output")),
    Operation.RETRIEVAL: (("query", "input"), ("documents", "output")),
    Operation.FETCH_RESPONSE: (("output", "output"),),
}
_CALL_TARGET = "call"
_SAID = ("input", "output")
_NO_KINDS: frozenset[str] = frozenset()
_NOT_CAPTURED = "{} was not captured (content state: {})"
_NOTHING_READABLE = "{} holds nothing that can be read as text"
_NO_OUTPUT = "the call ended as {}: it has no {}"
_ANSWERS = frozenset({"output", "result", "documents"})
_STATES = frozenset(state.value for state in ContentState)
_UNFINISHED = frozenset(outcome.value for outcome in Outcome) - {Outcome.COMPLETED.value}
_NO_VERSION = "the call states no version of policy {}; configured: {}"
_OTHER_VERSION = "the call states another version of policy {}; configured: {}"


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
        policies: by policy id and version, judged on the model calls that name just these.
    """

    content: tuple[ContentCheck, ...] = ()
    approval: Check | None = None
    policies: Mapping[tuple[str, str], Check] = field(default_factory=dict)


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


class _Versions(NamedTuple):
    """The configured versions of one policy, and who says that a call was made under none."""

    none: Judge
    versions: str


class Runner:
    """Run a configured set of evaluators over traces.

    Args:
        evaluators: which.
    """

    def __init__(self, evaluators: Evaluators) -> None:
        self._evaluators = evaluators
        # What a text without findings gets, asked for once: the gate stands in for the close look.
        self._cleared = {
            (chosen.check.name, keyword): run(chosen.check, **{keyword: "-"})
            for chosen in evaluators.content
            for keyword in _SAID
        }
        # By its reason: results that are alike are one object, so that they are stored as one.
        self._unjudged: dict[str, EvalResult] = {}
        self._policies = {
            name: _Versions(
                Judge(check.name, f"{check.version} {name}"),
                " or ".join(sorted(other for named, other in evaluators.policies if named == name)),
            )
            for (name, _), check in evaluators.policies.items()
        }

    def evaluate(
        self, tree: Tree, flags: Mapping[bytes, Flags], known: Iterable[Evaluation] = ()
    ) -> tuple[Evaluation, ...]:
        """Return the results that the spans of a trace do not have yet.

        Args:
            tree: the trace.
            flags: what the gate found in each new span, by its digest; others were judged before.
            known: the results of earlier revisions: they stay, and are not made again. They hold
                for the copy of a span that was there then, not for a new one under the same id.
        """
        results = Results(known)
        for node in tree.nodes:
            operation = node.operation
            found = flags.get(node.span.digest)
            if operation is not None and operation in _TARGETS and found is not None:
                self._judge_content(node, _TARGETS[operation], found.said, results)
            if operation in MODEL_CALLS:
                self._judge_call(node, results, new=found is not None)
        return results.collect()

    def _judge_content(
        self,
        node: Node,
        targets: tuple[tuple[str, str], ...],
        kinds: frozenset[str],
        results: Results,
    ) -> None:
        checks = self._evaluators.content
        for target, keyword in targets if checks else ():
            unjudged = self._unjudgeable(node, target)
            for chosen in checks:
                check = chosen.check
                if unjudged is not None:
                    result = unjudged
                elif chosen.kinds.isdisjoint(kinds):
                    result = self._cleared[check.name, keyword]
                else:
                    result = run(check, **{keyword: read_content(node, target)})
                results.add(node, judge_of(check), target, result)

    def _judge_call(self, node: Node, results: Results, *, new: bool) -> None:
        approval = self._evaluators.approval
        if approval is not None:
            judge = judge_of(approval)
            if new or not results.has(node, judge, _CALL_TARGET):
                results.add(node, judge, _CALL_TARGET, run(approval, **call_facts(node)))
        # An embedding answers nothing: there is nothing that a policy of answers could judge.
        if self._policies and node.operation != Operation.EMBEDDINGS:
            self._judge_by_policy(node, results, new=new)

    def _judge_by_policy(self, node: Node, results: Results, *, new: bool) -> None:
        name = node.get(semconv.POLICY_ID).value
        configured = self._policies.get(name)
        if configured is None:
            return
        version = node.get(semconv.POLICY_VERSION).value
        policy = self._evaluators.policies.get((name, version))
        # Named after the policy too, so that rates mix neither policies nor their versions.
        judge = (
            configured.none
            if policy is None
            else Judge(policy.name, f"{policy.version} {name} {version}")
        )
        if not new and results.has(node, judge, _CALL_TARGET):
            return
        if policy is None:
            reason = _NO_VERSION if version is None else _OTHER_VERSION
            result = self._no_verdict(reason.format(name, configured.versions))
        else:
            result = self._run_policy(policy, node)
        results.add(node, judge, _CALL_TARGET, result)

    def _run_policy(self, policy: Check, node: Node) -> EvalResult:
        said = {
            target: read_content(node, target)
            if has_content(node, target) and is_readable(node, target)
            else None
            for target in _SAID
        }
        if said["input"] is None and said["output"] is None:
            return self._no_verdict(_why_absent(node, "content"))
        return run(policy, **said, span=node.span, **call_facts(node))

    def _unjudgeable(self, node: Node, target: str) -> EvalResult | None:
        """Return why a target cannot be judged; None when it can."""
        if not has_content(node, target):
            return self._no_verdict(_why_absent(node, target))
        if not is_readable(node, target):
            return self._no_verdict(_NOTHING_READABLE.format(target))
        return None

    def _no_verdict(self, reason: str) -> EvalResult:
        return self._unjudged.setdefault(reason, EvalResult(passed=None, reason=reason))


def _why_absent(node: Node, target: str) -> str:
    """Say why nothing of a target is there, in words of ours: the emitter's are no reason."""
    outcome = node.get(semconv.OUTCOME).value
    if target in _ANSWERS and outcome in _UNFINISHED:
        return _NO_OUTPUT.format(outcome, target)
    state = node.get(semconv.CONTENT_STATE).value
    known = state if state in _STATES else "not stated" if state is None else "unknown"
    return _NOT_CAPTURED.format(target, known)


def call_facts(node: Node) -> dict[str, Any]:
    """Return what is known of a model call besides what was said, for `ProviderApproval`."""
    start_ns = node.span.start_ns
    classes = node.get(semconv.DATA_CLASSES).value
    return {
        "provider": node.get(semconv.PROVIDER_NAME).value,
        "server_address": node.get(semconv.SERVER_ADDRESS).value,
        "request_model": node.get(semconv.REQUEST_MODEL).value,
        "response_model": node.get(semconv.RESPONSE_MODEL).value,
        "data_classes": classes.split(",") if classes else None,
        "at": _moment(start_ns) if start_ns else None,
    }


def _moment(time_ns: int) -> datetime | None:
    """Return a stated time; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(time_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None
