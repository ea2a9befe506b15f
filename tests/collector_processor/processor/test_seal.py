from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import traceai
from collector_processor.model import Frame, SealedTrace, Signal, StoredFrame
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.decode import decode_request
from collector_processor.processor.evaluation import ContentCheck, Evaluators, Runner, flag
from collector_processor.processor.seal import seal
from collector_processor.processor.tally import Rules
from collector_processor.processor.unpack import unpack
from traceai.evaluators.detect import PII_KINDS, SECRET_KINDS
from traceai.evaluators.is_compliant import IsCompliant
from traceai.evaluators.pii import PII
from traceai.evaluators.provider_approval import ProviderApproval
from traceai.evaluators.result import EvalResult
from traceai.evaluators.secrets import Secrets
from traceai.policy.inventory import Inventory

KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"
CONTENT = (
    ContentCheck(check=PII(), kinds=PII_KINDS),
    ContentCheck(check=Secrets(), kinds=SECRET_KINDS),
)


def said(text: str, role: str = "assistant") -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


class Sealer:
    """Seals the spans of one trace, by the real intake and assembler."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def __call__(self, *spans: Any, evaluators: Evaluators, **resource: Any) -> SealedTrace:
        body = self._otlp.request(*spans, resource={**self._otlp.RESOURCE, **resource})
        stored = StoredFrame(
            position=0,
            next_position=1,
            frame=Frame(signal=Signal.TRACES, received_ns=self._otlp.NOW_NS, body=body),
        )
        assembler = Assembler(settle_s=1, quiet_s=1, deadline_s=1)
        for trace_id, piece in unpack(stored).pieces:
            assembler.add(trace_id, piece)
        [gathered] = assembler.due(self._otlp.NOW_NS + 2 * self._otlp.SECOND)
        return seal(gathered, (), Rules(), Runner(evaluators), self._otlp.NOW_NS).trace

    def call(self, name: str = "call", **attributes: Any) -> Any:
        return self._otlp.span(name, attributes={**self._otlp.CALL, **attributes})


@pytest.fixture
def sealer(otlp: Any) -> Sealer:
    return Sealer(otlp)


def verdicts(trace: SealedTrace) -> dict[tuple[str, str], bool | None]:
    return {(found.name, found.target): found.passed for found in trace.evaluations}


def test_clean_content_passes_with_one_result_for_every_span(sealer: Sealer) -> None:
    content = {
        "gen_ai.input.messages": said("hello", "user"),
        "gen_ai.output.messages": said("hi"),
    }
    trace = sealer(
        sealer.call("a", **content),
        sealer.call("b", **content),
        evaluators=Evaluators(content=CONTENT),
    )
    assert verdicts(trace) == {
        (name, target): True for name in ("pii", "secrets") for target in ("input", "output")
    }
    assert all(len(found.span_ids) == 2 for found in trace.evaluations)


DIRTY = "write to jane.doe@acme-corp.com"


@pytest.mark.parametrize(
    ("attributes", "failing"),
    [
        ({"gen_ai.output.messages": said(DIRTY)}, ("pii", "output")),
        ({"gen_ai.input.messages": said(DIRTY, "user")}, ("pii", "input")),
        ({"gen_ai.system_instructions": json.dumps([{"content": DIRTY}])}, ("pii", "input")),
        ({"gen_ai.output.messages": said(KEY)}, ("secrets", "output")),
        ({"gen_ai.output.messages": [{"role": "assistant", "parts": [{"content": DIRTY}]}]},
         ("pii", "output")),
        ({"llm.output_messages.0.message.role": "assistant",
          "llm.output_messages.0.message.content": DIRTY}, ("pii", "output")),
        ({"gen_ai.operation.name": "execute_tool",
          "gen_ai.tool.call.arguments": json.dumps({"to": DIRTY})},
         ("pii", "arguments")),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.result": DIRTY},
         ("pii", "result")),
        ({"gen_ai.operation.name": "retrieval",
          "gen_ai.retrieval.documents": json.dumps([{"id": "1", "content": DIRTY}])},
         ("pii", "documents")),
    ],
)  # fmt: skip
def test_what_is_said_anywhere_is_judged(
    sealer: Sealer, attributes: dict[str, Any], failing: tuple[str, str]
) -> None:
    trace = sealer(sealer.call(**attributes), evaluators=Evaluators(content=CONTENT))
    assert [key for key, passed in verdicts(trace).items() if passed is False] == [failing]


def test_content_that_was_not_captured_is_not_judged(sealer: Sealer) -> None:
    trace = sealer(
        sealer.call(**{"traceai.content.state": "none"}), evaluators=Evaluators(content=CONTENT)
    )
    assert set(verdicts(trace).values()) == {None}
    assert {found.reason for found in trace.evaluations} == {
        "input was not captured (content state: none)",
        "output was not captured (content state: none)",
    }


def test_a_crash_of_an_evaluator_is_an_error_and_no_pass(sealer: Sealer) -> None:
    @traceai.evaluator("boom", "1")
    def boom(output: str | None = None) -> bool:
        raise RuntimeError(output)

    trace = sealer(
        sealer.call(**{"gen_ai.output.messages": said("x")}),
        evaluators=Evaluators(policies={("p", "1"): boom}),
    )
    [found] = trace.evaluations
    assert (found.passed, found.label, found.reason) == (
        None,
        "error",
        "the check raised RuntimeError",
    )
    assert trace.verdict.observed == ("evaluation_error",)


INVENTORY = Inventory.parse(
    [{"provider": "openai", "models": ["gpt-4o*"], "hosts": ["api.openai.com"]}]
)


@pytest.mark.parametrize(
    ("changed", "passed"),
    [
        ({"server.address": "api.openai.com"}, True),
        ({"server.address": "elsewhere.example"}, False),
        ({"gen_ai.provider.name": "deepseek"}, False),
        ({"gen_ai.response.model": "o1"}, False),
        ({"gen_ai.provider.name": ""}, None),
    ],
)
def test_a_provider_is_judged_by_host_and_by_both_models(
    sealer: Sealer, changed: dict[str, str], *, passed: bool | None
) -> None:
    evaluators = Evaluators(approval=ProviderApproval(INVENTORY))
    trace = sealer(sealer.call(**changed), evaluators=evaluators)
    assert verdicts(trace) == {("provider_approval", "call"): passed}


def test_a_provider_is_judged_at_the_time_of_the_call(sealer: Sealer, otlp: Any) -> None:
    seen: list[Any] = []

    class Asked:
        name, version = "provider_approval", "1"

        def evaluate(self, **facts: Any) -> EvalResult:
            seen.append(facts["at"])
            return EvalResult(passed=True)

    sealer(sealer.call(), evaluators=Evaluators(approval=Asked()))
    assert seen == [datetime.fromtimestamp(otlp.NOW_NS / 1e9, UTC)]


def test_a_policy_is_judged_on_the_calls_that_name_it(sealer: Sealer) -> None:
    heard: list[Any] = []

    @traceai.evaluator("polite", "1")
    def polite(input: str, output: str) -> bool:  # noqa: A002 - the name evaluators use
        heard.append((input, output))
        return "please" in output

    evaluators = Evaluators(policies={("p", "1"): IsCompliant(checks=(polite,))})
    content = {
        "gen_ai.input.messages": said("refund me", "user"),
        "gen_ai.output.messages": said("please wait"),
    }
    trace = sealer(
        sealer.call("a", **content),
        sealer.call("b", **content, **{"traceai.policy.id": "another"}),
        evaluators=evaluators,
    )
    assert heard == [("refund me", "please wait")]
    assert verdicts(trace) == {("is_compliant", "call"): True}
    assert trace.evaluations[0].evidence["checks"][0]["name"] == "polite"


def test_secrets_are_replaced_wherever_they_stand(sealer: Sealer, otlp: Any) -> None:
    leak = sealer.call(a=KEY, list=["x", KEY], map={"deep": {"er": KEY}}, bytes=KEY.encode())
    leak.events.add(name=f"event {KEY}", attributes=otlp.pairs({"exception.message": KEY}))
    leak.status.message = f"bad key {KEY}"
    leak.name = f"call {KEY}"
    trace = sealer(leak, evaluators=Evaluators(), **{"app.config": f"key {KEY}"})
    assert KEY.encode() not in trace.request
    assert trace.request.count(b"<OPENAI_API_KEY>") == 9
    assert KEY not in (trace.name or "")


def test_a_key_may_say_that_its_value_is_a_secret(sealer: Sealer) -> None:
    trace = sealer(sealer.call(**{"db.password": "hunter2Zq9xK4"}), evaluators=Evaluators())
    assert b"hunter2Zq9xK4" not in trace.request
    assert b"<GENERIC_SECRET>" in trace.request


def test_spans_without_secrets_are_stored_byte_for_byte(sealer: Sealer, otlp: Any) -> None:
    clean = sealer.call(**{"gen_ai.output.messages": said(DIRTY)})
    trace = sealer(clean, evaluators=Evaluators())
    assert trace.request == otlp.request(clean)


def test_the_gate_flags_single_spans_and_tells_what_was_said(otlp: Any) -> None:
    spans = decode_request(
        otlp.request(
            otlp.span("clean", attributes=otlp.CALL),
            otlp.span("content", attributes={"gen_ai.output.messages": said(KEY)}),
            otlp.span("structure", attributes={"user.id": KEY}),
            otlp.span("event", events=[{"name": KEY}]),
        ),
        0,
    )
    flags = flag(spans)
    assert [bool(found.kinds & SECRET_KINDS) for found in flags] == [False, True, True, True]
    assert [bool(found.said & SECRET_KINDS) for found in flags] == [False, True, False, True]
    assert flag(spans) == flags
