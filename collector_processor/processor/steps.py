"""Judge the tool calls and guardrails of a trace. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector_processor.model import Population
from collector_processor.processor.codes import Code
from collector_processor.processor.model_calls import has_policy
from traceai import semconv
from traceai.semconv import MODEL_CALLS, Operation, Outcome

if TYPE_CHECKING:
    from collector_processor.processor.tally import Rules, Tally
    from collector_processor.processor.tree import Node, Tree

_ASKED = frozenset({"tool_call", "tool_calls", "tool-calls", "function_call", "tool_use"})
_EFFECTS = frozenset({"write", "destructive", "external"})
_REQUEST_KEYS = (
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
    "gen_ai.output.messages.0.message.tool_calls.0.tool_call.function.name",
    "gen_ai.completion.0.tool_calls.0.name",
)


def judge_tools(tree: Tree, rules: Rules, tally: Tally) -> None:
    """Judge every tool call of a trace."""
    tools = [node for node in tree.nodes if node.operation == Operation.EXECUTE_TOOL]
    if not tools:
        return
    asked = _first_requests(tree)
    for node in tools:
        tally.count(node, Population.TOOL_CALLS)
        asked_ns = asked.get(_agent(node))
        if asked_ns is not None and asked_ns <= node.span.start_ns:
            tally.count(node, Population.REQUESTED_TOOL_CALLS)
            if semconv.TOOL_CALL_ID not in node.fields:
                tally.find(Code.NO_TOOL_CALL_ID, node.span.span_id, node)
        if node.get(semconv.OUTCOME).value == Outcome.COMPLETED:
            tally.count(node, Population.COMPLETED_TOOL_CALLS)
            if semconv.TOOL_CALL_RESULT not in node.fields:
                tally.find(Code.NO_TOOL_RESULT, node.span.span_id, node)
        if _effect(node, rules) in _EFFECTS:
            tally.count(node, Population.EFFECT_TOOL_CALLS)
            if semconv.APPROVAL_STATUS not in node.fields:
                tally.find(Code.NO_TOOL_AUTHORIZATION, node.span.span_id, node)


def _effect(node: Node, rules: Rules) -> str | None:
    stated: str | None = node.get(semconv.TOOL_EFFECT).value
    return stated or rules.tool_effects.get(node.get(semconv.TOOL_NAME).value or "")


def _first_requests(tree: Tree) -> dict[str | None, int]:
    """Return, by agent, when the first model call began that asked for tools."""
    first: dict[str | None, int] = {}
    for node in tree.nodes:
        if node.operation in MODEL_CALLS and _asks(node):
            agent = _agent(node)
            first[agent] = min(first.get(agent, node.span.start_ns), node.span.start_ns)
    return first


def _asks(node: Node) -> bool:
    """Say whether a model answered with tool calls."""
    reasons = node.get(semconv.RESPONSE_FINISH_REASONS).value
    if reasons is not None:
        return not _ASKED.isdisjoint(reasons)
    attributes = node.span.attributes
    messages = attributes.get(semconv.OUTPUT_MESSAGES)
    return (
        '"tool_call"' in messages
        if isinstance(messages, str)
        else any(key in attributes for key in _REQUEST_KEYS)
    )


def _agent(node: Node) -> str | None:
    """Return the span id of the nearest agent above, or of the topmost span."""
    above = node.parent
    while above is not None and above.operation != Operation.INVOKE_AGENT:
        if above.parent is None:
            break
        above = above.parent
    return None if above is None else above.span.span_id


def judge_guardrails(tree: Tree, tally: Tally) -> None:
    """Judge every guardrail: what it did needs a policy and a reason, unless it let pass."""
    for node in tree.nodes:
        if node.operation != Operation.GUARDRAIL:
            continue
        tally.count(node, Population.GUARDRAILS)
        if _allowed(node):
            continue
        tally.count(node, Population.ENFORCED_GUARDRAILS)
        if not has_policy(node):
            tally.find(Code.GUARDRAIL_WITHOUT_POLICY, node.span.span_id, node)
        if semconv.GUARDRAIL_REASON not in node.fields:
            tally.find(Code.GUARDRAIL_WITHOUT_REASON, node.span.span_id, node)


def _allowed(node: Node) -> bool:
    """Say whether a guardrail let pass: as its action says or, without one, its verdict."""
    action = node.get(semconv.GUARDRAIL_ACTION).value
    if action is not None:
        return bool(action == "allow")
    return bool(node.get(semconv.GUARDRAIL_VERDICT).value == "pass")
