"""Read the outline of OTLP trace requests, and build them, while attributes stay bytes.

These are OTLP's own messages with fewer fields: what is left out, or declared `bytes`, is skipped
by the parser in C instead of being made into objects. Attributes are decoded later, once, by
`decode`, when a trace is judged.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PACKAGE = "traceai.collector.raw"
_NO_SPAN = bytes(8)
# Bits of Span.flags (opentelemetry/proto/trace/v1): the parent is known to be in another process.
_REMOTE_PARENT = 0x300

_NUMBERS = struct.Struct("<4Qi2Q4I")
_Kind = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "Request": ((1, "resources", "ResourceSpans", True),),
    "ResourceSpans": (
        (1, "resource", _Kind.TYPE_BYTES, True),
        (2, "scopes", "ScopeSpans", True),
        (3, "schema_url", _Kind.TYPE_STRING, False),
    ),
    "ScopeSpans": (
        (1, "scope", _Kind.TYPE_BYTES, True),
        (2, "spans", _Kind.TYPE_BYTES, True),
        (3, "schema_url", _Kind.TYPE_STRING, False),
    ),
    "Span": (
        (1, "trace_id", _Kind.TYPE_BYTES, False),
        (2, "span_id", _Kind.TYPE_BYTES, False),
        (3, "trace_state", _Kind.TYPE_BYTES, False),
        (4, "parent_span_id", _Kind.TYPE_BYTES, False),
        (5, "name", _Kind.TYPE_BYTES, False),
        (6, "kind", _Kind.TYPE_INT32, False),
        (7, "start_time_unix_nano", _Kind.TYPE_FIXED64, False),
        (8, "end_time_unix_nano", _Kind.TYPE_FIXED64, False),
        (9, "attributes", _Kind.TYPE_BYTES, True),
        (10, "dropped_attributes_count", _Kind.TYPE_UINT32, False),
        (11, "events", _Kind.TYPE_BYTES, True),
        (12, "dropped_events_count", _Kind.TYPE_UINT32, False),
        (13, "links", _Kind.TYPE_BYTES, True),
        (14, "dropped_links_count", _Kind.TYPE_UINT32, False),
        (15, "status", _Kind.TYPE_BYTES, True),
        (16, "flags", _Kind.TYPE_FIXED32, False),
    ),
}


def _declare() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="traceai/collector/raw.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            added = message.field.add(name=field, number=number)
            added.label = _Kind.LABEL_REPEATED if repeated else _Kind.LABEL_OPTIONAL
            if isinstance(kind, str):
                added.type, added.type_name = _Kind.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }


_CLASSES = _declare()
_Request = _CLASSES["Request"]
_Span = _CLASSES["Span"]


class Envelope(NamedTuple):
    """What spans of one scope of one resource share, as bytes."""

    resource: bytes
    resource_schema_url: str
    scope: bytes
    scope_schema_url: str


class Header(NamedTuple):
    """What of a span places it in its trace.

    Attributes:
        parent_id: empty when it has none; an all-zero parent is none.
        remote: the parent is said to be in another process.
        digest: SHA-256 of the span's fields, the order of repeated ones ignored.
    """

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    remote: bool
    digest: bytes


def read_header(span: bytes) -> Header:
    """Read the header of one protobuf `Span`.

    Raises:
        google.protobuf.message.DecodeError: it is not a span.
    """
    read = parse_span(span)
    parent = read.parent_span_id
    return Header(
        read.trace_id,
        read.span_id,
        b"" if parent == _NO_SPAN else parent,
        read.flags & _REMOTE_PARENT == _REMOTE_PARENT,
        _digest(read),
    )


def parse_span(span: bytes) -> Any:
    """Return a protobuf `Span` whose attributes, events, links and status are bytes still.

    Raises:
        google.protobuf.message.DecodeError: it is not a span.
    """
    return _Span.FromString(span)


def _digest(read: Any) -> bytes:
    """Hash every field, with the lengths of all, so that no two contents look alike."""
    attributes, events, links = read.attributes, read.events, read.links
    parts = [
        read.trace_id,
        read.span_id,
        read.parent_span_id,
        read.name,
        read.trace_state,
        *read.status,
        *sorted(attributes),
    ]
    if events or links:
        parts += sorted(events)
        parts += sorted(links)
    numbers = _NUMBERS.pack(
        len(read.status),
        len(attributes),
        len(events),
        len(links),
        read.kind,
        read.start_time_unix_nano,
        read.end_time_unix_nano,
        read.dropped_attributes_count,
        read.dropped_events_count,
        read.dropped_links_count,
        read.flags,
    )
    lengths = struct.pack(f"<{len(parts)}Q", *map(len, parts))
    return hashlib.sha256(b"".join((numbers, lengths, *parts))).digest()


def split_request(body: bytes) -> Iterator[tuple[Envelope, list[bytes]]]:
    """Yield the raw spans of a protobuf `ExportTraceServiceRequest`, scope by scope.

    An `ExportLogsServiceRequest` has the same outline: its log records are yielded alike.

    Raises:
        google.protobuf.message.DecodeError: it is not one.
    """
    for resource in _Request.FromString(body).resources:
        # Protobuf merges a message that comes twice, which is what joining its bytes does.
        raw = b"".join(resource.resource)
        for scope in resource.scopes:
            yield (
                Envelope(raw, resource.schema_url, b"".join(scope.scope), scope.schema_url),
                list(scope.spans),
            )


def build_request(spans: Iterable[tuple[Envelope, bytes]]) -> bytes:
    """Return an `ExportTraceServiceRequest` of raw spans, those of one envelope in a row as one."""
    request = _Request()
    last: Envelope | None = None
    scope: Any = None
    for envelope, span in spans:
        if envelope != last:
            resource = request.resources.add(schema_url=envelope.resource_schema_url)
            if envelope.resource:
                resource.resource.append(envelope.resource)
            scope = resource.scopes.add(schema_url=envelope.scope_schema_url)
            if envelope.scope:
                scope.scope.append(envelope.scope)
            last = envelope
        scope.spans.append(span)
    encoded: bytes = request.SerializeToString()
    return encoded
