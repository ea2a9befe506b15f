"""Judge the model calls of a trace: who, what, on whose behalf, how it ended, what was found. Pure.

Response model, id, finish reason and usage are required of completed calls only; embeddings need no
response id, finish reason, output count or prompt.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from collector_processor.model import Population
from collector_processor.processor.codes import Code
from collector_processor.processor.model_match import serves
from traceai import semconv
from traceai.semconv import MODEL_CALLS, Operation, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from collector_processor.model import Evaluation
    from collector_processor.processor.tally import Rules, Tally
    from collector_processor.processor.tree import Node, Tree

_EVERY_ROUTE = "*"
_POLICY_CHECK = "is_compliant"
_ALWAYS = (
    (semconv.PROVIDER_NAME, Code.NO_PROVIDER),
    (semconv.REQUEST_MODEL, Code.NO_REQUEST_MODEL),
    (semconv.USER_ID, Code.NO_USER),
    (semconv.ROUTE, Code.NO_ROUTE),
    (semconv.SERVICE_VERSION, Code.NO_RELEASE),
    (semconv.DEPLOYMENT_ENVIRONMENT_NAME, Code.NO_ENVIRONMENT),
    (semconv.CONTENT_STATE, Code.NO_CONTENT_STATE),
)
_COMPLETED_GENERATION = (
    (semconv.RESPONSE_ID, Code.NO_RESPONSE_ID),
    (semconv.RESPONSE_FINISH_REASONS, Code.NO_FINISH_REASON),
)
_RESEND_COUNT = "http.request.resend_count"
_FALLBACK = frozenset(
    {semconv.FALLBACK_REASON, semconv.FALLBACK_FROM_PROVIDER, semconv.FALLBACK_FROM_MODEL}
)
_AZURE = ("azure.ai.openai", "azure.ai.inference")


def judge_calls(tree: Tree, evaluations: Sequence[Evaluation], rules: Rules, tally: Tally) -> None:
    """Judge every model call of a trace."""
    calls = [node for node in tree.nodes if node.operation in MODEL_CALLS]
    if not calls:
        return
    results: dict[str, list[Evaluation]] = defaultdict(list)
    for evaluation in evaluations:
        for span_id in evaluation.span_ids:
            results[span_id].append(evaluation)
    families = _families(calls)
    stood_in = _stood_in(families)
    for node in calls:
        tally.count(node, Population.MODEL_CALLS)
        _judge_identity(node, tally)
        _judge_answer(node, rules.aliases, tally)
        failed = stood_in.get(node.span.digest)
        again = failed is not None and _same_model(node, failed)
        family = families[node.span.parent_id, _is_embedding(node)]
        _judge_retry(node, family, tally, inferred=again)
        _judge_fallback(node, tally, inferred=failed is not None and not again)
        _judge_evaluations(node, results.get(node.span.span_id, ()), rules, tally)


def _judge_identity(node: Node, tally: Tally) -> None:
    fields = node.fields
    for name, code in _ALWAYS:
        if name not in fields:
            tally.find(code, node.span.span_id, node)
    if not has_policy(node):
        tally.find(Code.NO_POLICY, node.span.span_id, node)
    service = node.get(semconv.SERVICE_NAME).value
    if service is None or service.startswith("unknown_service"):
        tally.find(Code.UNKNOWN_SERVICE, node.span.span_id, node)
    if not _is_embedding(node):
        tally.count(node, Population.GENERATIONS)
        named = semconv.PROMPT_NAME in fields and semconv.PROMPT_VERSION in fields
        if not named and semconv.PROMPT_DIGEST not in fields:
            tally.find(Code.NO_PROMPT_VERSION, node.span.span_id, node)


def has_policy(node: Node) -> bool:
    """Say whether a policy is in force: one without a version is none."""
    return semconv.POLICY_ID in node.fields and semconv.POLICY_VERSION in node.fields


def _judge_answer(node: Node, aliases: Mapping[str, Collection[str]], tally: Tally) -> None:
    fields = node.fields
    if node.get(semconv.OUTCOME).value == Outcome.COMPLETED:
        tally.count(node, Population.COMPLETED_CALLS)
        if semconv.RESPONSE_MODEL not in fields:
            tally.find(Code.NO_RESPONSE_MODEL, node.span.span_id, node)
        embedding = _is_embedding(node)
        if semconv.USAGE_INPUT_TOKENS not in fields or (
            not embedding and semconv.USAGE_OUTPUT_TOKENS not in fields
        ):
            tally.find(Code.NO_USAGE, node.span.span_id, node)
        if not embedding:
            tally.count(node, Population.COMPLETED_GENERATIONS)
            for name, code in _COMPLETED_GENERATION:
                if name not in fields:
                    tally.find(code, node.span.span_id, node)
    requested = node.get(semconv.REQUEST_MODEL).value
    served = node.get(semconv.RESPONSE_MODEL).value
    # On Azure the request names a deployment: only the inventory knows which model is behind it.
    judged = node.get(semconv.PROVIDER_NAME).value not in _AZURE or requested in aliases
    if requested and served and judged and not serves(requested, served, aliases):
        tally.find(Code.MODEL_MISMATCH, node.span.span_id, node)


def _judge_retry(node: Node, family: Iterable[Node], tally: Tally, *, inferred: bool) -> None:
    number = _attempt(node)
    if number <= 1 and not (inferred and not _states_fallback(node)):
        return
    tally.count(node, Population.RETRIED_CALLS)
    # Attempts that are spans of their own each give the reason of the one before them.
    shown = sum(1 for other in family if other is not node and _attempt(other) < number)
    reasons = node.get(semconv.RETRY_REASON).value or ()
    if len(reasons) < max(1, number - 1 - shown):
        tally.find(Code.RETRY_WITHOUT_REASON, node.span.span_id, node)


def _attempt(node: Node) -> int:
    stated: int | None = node.get(semconv.ATTEMPT_NUMBER).value
    resent: int | None = node.get(_RESEND_COUNT).value
    return max(stated or 1, (resent or 0) + 1)


def _judge_fallback(node: Node, tally: Tally, *, inferred: bool) -> None:
    if not (inferred or _states_fallback(node)):
        return
    tally.count(node, Population.FALLBACK_CALLS)
    if semconv.FALLBACK_REASON not in node.fields:
        tally.find(Code.FALLBACK_WITHOUT_REASON, node.span.span_id, node)


def _states_fallback(node: Node) -> bool:
    return not _FALLBACK.isdisjoint(node.fields)


def _families(calls: Iterable[Node]) -> dict[tuple[str | None, bool], list[Node]]:
    """Group calls by parent, embeddings apart from the rest, in order of their start."""
    families: dict[tuple[str | None, bool], list[Node]] = defaultdict(list)
    for node in calls:
        families[node.span.parent_id, _is_embedding(node)].append(node)
    for family in families.values():
        if len(family) > 1:
            family.sort(key=lambda node: node.span.start_ns)
    return families


def _stood_in(families: Mapping[tuple[str | None, bool], Sequence[Node]]) -> dict[bytes, Node]:
    """Return, by digest, the calls that completed after others had failed, each with the last.

    A call that began before another had failed ran beside it and stands in for nothing. The same
    model of the same provider is asked again: a retry. Another one is a fallback.
    """
    found: dict[bytes, Node] = {}
    for (parent_id, _), family in families.items():
        failed: list[tuple[int, int, Node]] = []
        for index, node in enumerate(family if parent_id is not None else ()):
            outcome = node.get(semconv.OUTCOME).value
            if outcome == Outcome.ERROR and node.span.end_ns > 0:
                heapq.heappush(failed, (node.span.end_ns, index, node))
            elif outcome == Outcome.COMPLETED:
                while failed and failed[0][0] <= node.span.start_ns:
                    found[node.span.digest] = heapq.heappop(failed)[2]
    return found


def _same_model(one: Node, other: Node) -> bool:
    return all(
        one.get(name).value == other.get(name).value
        for name in (semconv.REQUEST_MODEL, semconv.PROVIDER_NAME)
    )


def _judge_evaluations(
    node: Node, results: Sequence[Evaluation], rules: Rules, tally: Tally
) -> None:
    required = required_evaluations(rules, node.get(semconv.ROUTE).value)
    if _is_embedding(node):
        # An embedding answers nothing: there is nothing that a policy of answers could judge.
        required = tuple(name for name in required if name != _POLICY_CHECK)
    failed = {result.name for result in results if result.label == "error"}
    judged = {
        result.name
        for result in results
        if result.label != "error" and (result.passed is not None or result.score is not None)
    }
    if any(name not in judged and name not in failed for name in required):
        tally.find(Code.EVALUATION_MISSING, node.span.span_id, node)
    if failed:
        needed = any(name in failed for name in required)
        tally.find(Code.EVALUATION_ERROR, node.span.span_id, node, required=needed)


def required_evaluations(rules: Rules, route: str | None) -> tuple[str, ...]:
    """Return the names of the evaluators that calls on a route must have a verdict of."""
    required = rules.required_evaluations
    if not required:
        return ()
    own = required.get(route, ()) if route is not None else ()
    return (*required.get(_EVERY_ROUTE, ()), *own)


def _is_embedding(node: Node) -> bool:
    return node.operation == Operation.EMBEDDINGS
