"""Take secrets out of what is stored: `<KIND>` stands in their place. Pure.

Only spans that the gate flagged are opened; every other is stored byte for byte as it came.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from traceai.evaluators.detect import SECRET_KINDS, gate
from traceai.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector_processor.model import Undecodable
    from collector_processor.processor.raw import Envelope

_KEPT = 4096
# Longer names are looked at each time: an emitter may not fill memory with them.
_LABEL_CHARACTERS = 256


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
    for stated in (span, *span.links):
        stated.trace_state = conceal_text(stated.trace_state)
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
        resource_schema_url=conceal_text(envelope.resource_schema_url),
        scope=_conceal_message(InstrumentationScope, envelope.scope),
        scope_schema_url=conceal_text(envelope.scope_schema_url),
    )


def _conceal_message(kind: Any, body: bytes) -> bytes:
    if gate(body).isdisjoint(SECRET_KINDS):
        return body
    message = kind.FromString(body)
    _conceal_attributes(message.attributes)
    if kind is InstrumentationScope:
        message.name = conceal_text(message.name)
        message.version = conceal_text(message.version)
    encoded: bytes = message.SerializeToString()
    return encoded


def _conceal_attributes(pairs: Iterable[KeyValue]) -> None:
    for pair in pairs:
        _conceal_value(pair.key, pair.value)
        pair.key = conceal_text(pair.key)


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
        value.bytes_value = _conceal_bytes(value.bytes_value, key)


def conceal_undecodable(found: Undecodable) -> Undecodable:
    """Return what cannot be read without secrets: every other byte stays, and a digest of all."""
    body = _conceal_bytes(found.body)
    if body == found.body:
        return found
    digest = hashlib.sha256(found.body).hexdigest()
    original = f"secrets were taken out of {len(found.body)} bytes with SHA-256 {digest}"
    return replace(found, body=body, reason=f"{found.reason}; {original}")


def _conceal_bytes(data: bytes, key: str | None = None) -> bytes:
    """Return bytes without the secrets in them; what is no UTF-8 stays as it is."""
    text = data.decode("utf-8", "surrogateescape")
    return conceal_text(text, key).encode("utf-8", "surrogateescape")


def conceal_label(label: str) -> str:
    """Return the name of a service, a route or a process without secrets; few are distinct."""
    return _kept(label) if len(label) <= _LABEL_CHARACTERS else conceal_text(label)


def conceal_text(text: str, key: str | None = None) -> str:
    """Return a text without secrets; the key above it may say what it is."""
    return redact(text, key=key, kinds=SECRET_KINDS).text


_kept = lru_cache(maxsize=_KEPT)(conceal_text)
