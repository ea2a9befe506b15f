from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.processor.codes import Code
from collector_processor.processor.tally import Rules

if TYPE_CHECKING:
    from collector_processor.model import TraceVerdict

Judge = Any


def codes(verdict: TraceVerdict) -> tuple[str, ...]:
    return tuple(sorted(found.code for found in verdict.findings))


def tool_trace(otlp: Any, judged: Judge, reasons: list[str], tool: dict[str, Any]) -> Any:
    changed = {"gen_ai.response.finish_reasons": reasons}
    return (
        otlp.span("root", attributes={"gen_ai.operation.name": "invoke_agent"}),
        otlp.span("call", parent="root", attributes=judged.attributes((), changed)),
        otlp.span("node", parent="root", start_s=1),
        otlp.span(
            "tool",
            parent="node",
            start_s=1,
            attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", **tool},
        ),
    )


TOOL = {"gen_ai.tool.call.id": "call_1", "gen_ai.tool.call.result": "ok"}


@pytest.mark.parametrize(
    ("reasons", "tool", "expected"),
    [
        (["tool_call"], TOOL, ()),
        (["tool_calls"], {"gen_ai.tool.call.result": "ok"}, (Code.NO_TOOL_CALL_ID,)),
        (["stop"], {"gen_ai.tool.call.result": "ok"}, ()),
        (["stop"], {}, (Code.NO_TOOL_RESULT,)),
        (["stop"], {"gen_ai.tool.call.result.digest": "hmac"}, ()),
        (["stop"], {"traceai.outcome": "error"}, ()),
        (["stop"], {**TOOL, "traceai.tool.effect": "write"}, (Code.NO_TOOL_AUTHORIZATION,)),
        (["stop"], {**TOOL, "traceai.tool.effect": "read"}, ()),
        (
            ["stop"],
            {**TOOL, "traceai.tool.effect": "external", "traceai.approval.status": "denied"},
            (),
        ),
    ],
)
def test_what_a_tool_call_lacks_is_named(
    judged: Judge,
    otlp: Any,
    reasons: list[str],
    tool: dict[str, Any],
    expected: tuple[Code, ...],
) -> None:
    assert codes(judged(*tool_trace(otlp, judged, reasons, tool))) == expected


def test_the_inventory_may_say_what_a_tool_does(judged: Judge, otlp: Any) -> None:
    rules = Rules(tool_effects={"pay": "destructive"})
    verdict = judged(*tool_trace(otlp, judged, ["stop"], TOOL), rules=rules)
    assert codes(verdict) == (Code.NO_TOOL_AUTHORIZATION,)


POLICY = {"traceai.policy.id": "p", "traceai.policy.version": "1"}


@pytest.mark.parametrize(
    ("guardrail", "expected"),
    [
        ({"traceai.guardrail.action": "allow"}, ()),
        (
            {"traceai.guardrail.action": "block"},
            (Code.GUARDRAIL_WITHOUT_POLICY, Code.GUARDRAIL_WITHOUT_REASON),
        ),
        (
            {"traceai.guardrail.action": "block", "traceai.guardrail.reason": "PII", **POLICY},
            (),
        ),
        ({"gen_ai.guardrail.action.type": "deny", **POLICY}, (Code.GUARDRAIL_WITHOUT_REASON,)),
        ({"traceai.guardrail.verdict": "pass"}, ()),
        (
            {
                "gen_ai.guardrail.result.reason": "r",
                "gen_ai.guardrail.policy.id": "p",
                "gen_ai.guardrail.policy.version": "1",
                "gen_ai.guardrail.status": "FAILED",
            },
            (),
        ),
    ],
)
def test_what_a_guardrail_lacks_is_named(
    judged: Judge, otlp: Any, guardrail: dict[str, str], expected: tuple[Code, ...]
) -> None:
    attributes = {"gen_ai.operation.name": "guardrail", **guardrail}
    assert codes(judged(otlp.span("guardrail pii", attributes=attributes))) == expected
