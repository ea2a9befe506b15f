"""Builders of OTLP for the collector's tests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOW_NS = 1_795_000_000_000_000_000
SECOND = 1_000_000_000
RESOURCE = {
    "service.name": "shop",
    "service.version": "1.2",
    "service.instance.id": "i-1",
    "deployment.environment.name": "test",
}
_FIELDS = {
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
    bytes: "bytes_value",
    str: "string_value",
}
# A model call that lacks nothing.
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 3,
    "user.id": "u-1",
    "traceai.route": "support",
    "gen_ai.prompt.name": "answer",
    "gen_ai.prompt.version": "7",
    "traceai.policy.id": "p",
    "traceai.policy.version": "1",
    "traceai.content.state": "full",
    "traceai.outcome": "completed",
}


def value(given: Any) -> AnyValue:
    """Return a Python value as OTLP has it."""
    if given is None:
        return AnyValue()
    if isinstance(given, list):
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in given]))
    if isinstance(given, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(given)))
    return AnyValue(**{_FIELDS[type(given)]: given})


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes as OTLP has them."""
    return [KeyValue(key=key, value=value(given)) for key, given in attributes.items()]


def span(
    name: str,
    *,
    parent: str | None = None,
    trace: str = "t",
    attributes: Mapping[str, Any] | None = None,
    error: bool = False,
    start_s: float = 0.0,
    remote: bool = False,
    **fields: Any,
) -> Span:
    """Return a span whose ids are made of names: the same name is the same id."""
    begin = NOW_NS + int(start_s * SECOND)
    return Span(
        **{
            "trace_id": trace_id(trace),
            "span_id": span_id(name),
            "parent_span_id": span_id(parent) if parent else b"",
            "name": name,
            "start_time_unix_nano": begin,
            "end_time_unix_nano": begin + SECOND,
            "attributes": pairs(attributes or {}),
            "status": Status(code=Status.STATUS_CODE_ERROR if error else 0),
            "flags": 0x300 if remote else 0x100,
            **fields,
        }
    )


def trace_id(name: str) -> bytes:
    """Return the trace id that a name stands for."""
    return hashlib.sha256(name.encode()).digest()[:16]


def span_id(name: str) -> bytes:
    """Return the span id that a name stands for."""
    return hashlib.sha256(name.encode()).digest()[:8]


def request(*spans: Span, resource: Mapping[str, Any] | None = None) -> bytes:
    """Return one request of one resource."""
    described = Resource(attributes=pairs(RESOURCE if resource is None else resource))
    scopes = [ScopeSpans(spans=spans)]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=described, scope_spans=scopes)]
    ).SerializeToString()


class Otlp:
    """The builders above, for tests that cannot import this module."""

    NOW_NS = NOW_NS
    SECOND = SECOND
    RESOURCE = RESOURCE
    CALL = CALL
    span: Callable[..., Span] = staticmethod(span)
    request: Callable[..., bytes] = staticmethod(request)
    pairs: Callable[..., list[KeyValue]] = staticmethod(pairs)
    trace_id: Callable[[str], bytes] = staticmethod(trace_id)
    span_id: Callable[[str], bytes] = staticmethod(span_id)


@pytest.fixture(scope="session")
def otlp() -> type[Otlp]:
    """Builders of OTLP."""
    return Otlp
