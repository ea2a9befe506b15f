"""The collector's load: 26 attributes and about 3 KB a span, 8 spans a trace, 50 spans a request.

A corpus is built once; each time it is sent again, the ids are rewritten in place, so that every
trace is new and the sender costs a few microseconds a span.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS_A_TRACE = 8
SPANS_A_REQUEST = 50
TRACES = 250
WORDS = [
    "the",
    "refund",
    "for",
    "order",
    "was",
    "approved",
    "after",
    "review",
    "by",
    "agent",
    "and",
    "customer",
    "shipping",
    "label",
    "policy",
    "invoice",
    "total",
    "payment",
    "card",
    "delivery",
    "address",
    "window",
    "return",
    "item",
    "status",
    "pending",
    "summary",
]


Value = str | float | bool | tuple[str, ...]


def _value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, tuple):
        return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
    return (
        AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)
    )


def _attributes(values: dict[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _text(random_: random.Random, size: int, *, dirty: bool) -> str:
    words = " ".join(random_.choices(WORDS, k=size // 6))[:size]
    return words + " mail jane.doe@example.com" if dirty else words


IDENTITY: dict[str, Value] = {
    "user.id": "u-77",
    "session.id": "s-1",
    "gen_ai.conversation.id": "s-1",
    "traceai.tenant.id": "acme",
    "traceai.route": "support.refund",
    "gen_ai.prompt.name": "support-answer",
    "gen_ai.prompt.version": "7",
    "traceai.policy.id": "soc2-answers",
    "traceai.policy.version": "3",
    "traceai.outcome": "completed",
    "traceai.content.state": "full",
}


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _chat(random_: random.Random, index: int) -> dict[str, Value]:
    dirty = random_.random() < 0.1
    return IDENTITY | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{index:08d}",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 412,
        "gen_ai.usage.output_tokens": 96,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 512,
        "server.address": "api.openai.com",
        "server.port": 443,
        "openai.api.type": "chat_completions",
        "gen_ai.input.messages": _messages("user", _text(random_, 2234, dirty=False)),
        "gen_ai.output.messages": _messages("assistant", _text(random_, 820, dirty=dirty)),
    }


def _step(random_: random.Random, operation: str, index: int) -> dict[str, Value]:
    return IDENTITY | {
        "gen_ai.operation.name": operation,
        "gen_ai.tool.name": "look_up_order",
        "gen_ai.tool.call.id": f"call_{index:08d}",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": json.dumps({"order": index}),
        "gen_ai.tool.call.result": _text(random_, 900, dirty=False),
        "gen_ai.agent.name": "support",
        "gen_ai.data_source.id": "docs",
        **{f"app.label.{n}": f"value {n}" for n in range(7)},
    }


KINDS = (
    "chat",
    "execute_tool",
    "chat",
    "retrieval",
    "chat",
    "execute_tool",
    "chat",
    "invoke_agent",
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Request bodies and, for each, where its ids stand."""

    bodies: list[bytearray]
    places: list[list[int]]
    spans: int

    def renumber(self, round_: int) -> None:
        """Give every trace and span of the corpus new ids, in place."""
        for index in range(len(self.bodies)):
            self._mark(index, round_)

    def request(self, number: int) -> bytes:
        """Return the request `number` of an endless load: no id comes twice."""
        round_, index = divmod(number, len(self.bodies))
        self._mark(index, round_)
        return bytes(self.bodies[index])

    def _mark(self, index: int, round_: int) -> None:
        mark, body = round_.to_bytes(4, "big"), self.bodies[index]
        for place in self.places[index]:
            body[place : place + 4] = mark


def build(seed: int = 7) -> Corpus:
    """Return the corpus: requests in end-time order, so that traces straddle requests."""
    random_ = random.Random(seed)
    spans: list[Span] = []
    now = time.time_ns()
    for trace in range(TRACES):
        trace_id = bytes(4) + random_.randbytes(12)
        ids = [bytes(4) + random_.randbytes(4) for _ in KINDS]
        begin = now + trace * 1_000_000
        for index, kind in enumerate(KINDS):
            root = index == len(KINDS) - 1
            number = trace * SPANS_A_TRACE + index
            values = _chat(random_, number) if kind == "chat" else _step(random_, kind, number)
            spans.append(
                Span(
                    trace_id=trace_id,
                    span_id=ids[index],
                    parent_span_id=b"" if root else ids[-1],
                    name=f"{kind} x",
                    kind=Span.SPAN_KIND_INTERNAL,
                    start_time_unix_nano=begin,
                    end_time_unix_nano=begin + (index + 1) * 40_000_000,
                    attributes=_attributes(values),
                )
            )
    spans.sort(key=lambda span: span.end_time_unix_nano)
    requests = [spans[at : at + SPANS_A_REQUEST] for at in range(0, len(spans), SPANS_A_REQUEST)]
    bodies = [bytearray(_request(chosen)) for chosen in requests]
    return Corpus(
        bodies,
        [_places(body, chosen) for body, chosen in zip(bodies, requests, strict=True)],
        len(spans),
    )


def _request(spans: list[Span]) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        _attributes(
            {
                "service.name": "bench",
                "service.version": "1.0",
                "service.instance.id": "0193-bench",
                "deployment.environment.name": "bench",
                "telemetry.sdk.name": "opentelemetry",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.version": "1.45.2",
                "host.name": "bench-1",
                "process.pid": 4242,
                "cloud.region": "eu-west-1",
            }
        )
    )
    scope = resource.scope_spans.add()
    scope.scope.CopyFrom(InstrumentationScope(name="bench", version="1"))
    scope.spans.extend(spans)
    return request.SerializeToString()


def _places(body: bytearray, spans: list[Span]) -> list[int]:
    """Return every offset at which an id begins: of the trace, the span and its parent."""
    found = []
    for span in spans:
        at = body.index(span.SerializeToString())
        found.append(body.index(span.trace_id, at))
        found.append(body.index(span.span_id, at + 18))
        if span.parent_span_id:
            found.append(body.index(span.parent_span_id, at + 28))
    return found
