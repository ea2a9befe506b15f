"""Take secrets out of raw spans before they are stored: `<KIND>` stands in their place. Pure.

Only spans that the gate flagged are opened; every other is stored byte for byte as it came.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from traceai.evaluators.detect import SECRET_KINDS, detect_field, gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector_processor.processor.raw import Envelope

_KEPT = 4096


def conceal_span(body: bytes, kinds: frozenset[str]) -> bytes:
    """Return a raw span without secrets.

    Args:
        body: a protobuf `Span` that can be decoded.
        kinds: what the gate found in it.
    """
    if kinds.isdisjoint(SECRET_KINDS):
        return body
    span: Any = Span.FromString(body)
    _conceal_attributes(span.attributes)
    for part in (*span.events, *span.links):
        _conceal_attributes(part.attributes)
    for event in span.events:
        event.name = conceal_text(event.name)
    span.name = conceal_text(span.name)
    if span.status.message:
        span.status.message = conceal_text(span.status.message)
    encoded: bytes = span.SerializeToString()
    return encoded


@lru_cache(maxsize=_KEPT)
def conceal_envelope(envelope: Envelope) -> Envelope:
    """Return what spans share without secrets, looked at once for each distinct one."""
    return envelope._replace(
        resource=_conceal_message(Resource, envelope.resource),
        scope=_conceal_message(InstrumentationScope, envelope.scope),
    )


def _conceal_message(kind: Any, body: bytes) -> bytes:
    if gate(body).isdisjoint(SECRET_KINDS):
        return body
    message = kind.FromString(body)
    _conceal_attributes(message.attributes)
    encoded: bytes = message.SerializeToString()
    return encoded


def _conceal_attributes(pairs: Iterable[KeyValue]) -> None:
    for pair in pairs:
        _conceal_value(pair.key, pair.value)


def _conceal_value(key: str, value: AnyValue) -> None:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        value.string_value = conceal_text(value.string_value, key)
    elif kind == "array_value":
        for item in value.array_value.values:
            _conceal_value(key, item)
    elif kind == "kvlist_value":
        _conceal_attributes(value.kvlist_value.values)
    elif kind == "bytes_value":
        text = value.bytes_value.decode("utf-8", "surrogateescape")
        value.bytes_value = conceal_text(text, key).encode("utf-8", "surrogateescape")


def conceal_text(text: str, key: str | None = None) -> str:
    """Return a text without secrets; the key above it may say what it is."""
    pieces: list[str] = []
    at = 0
    for found in detect_field(key, text, SECRET_KINDS):
        pieces += (text[at : found.start], f"<{found.kind}>")
        at = found.end
    return "".join((*pieces, text[at:])) if pieces else text
