"""Decode a raw span to a value: every attribute once, resources and scopes once each. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from collector_processor.processor.attributes import decode_attributes, read_attributes
from collector_processor.processor.raw import parse_span, read_header, split_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector_processor.model import SealedTrace
    from collector_processor.processor.attributes import Attribute
    from collector_processor.processor.raw import Envelope

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NO_SPAN = bytes(8)
_UNSET = Status()
# Services restart and scale; a worker sees few resources at a time.
_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """Who emitted: one value for each distinct resource, so that it can be a cache key."""

    attributes: Mapping[str, Any]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scope:
    """The instrumentation that emitted."""

    name: str
    version: str
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A span event."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to another span; ids in hexadecimal."""

    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span as it arrived.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_id: 16 hexadecimal digits, None when it has no parent.
        remote_parent: the parent is said to be in another process.
        kind: the OTLP number.
        start_ns: Unix time; as stated, even when it makes no sense.
        status_code: 0 unset, 1 ok, 2 error.
        attributes: of duplicate keys the first.
        read: the same, in order, with the canonical fields that each may hold.
        unseen: those bytes of it that the gate has not looked at in `read`.
        dropped: what the emitter dropped: attributes, events, links, and so on of events, links,
            resource and scope; only counts above 0.
        digest: SHA-256 of the content, the order of attributes ignored.
        received_ns: when it arrived, by the collector's clock.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    remote_parent: bool
    name: str
    kind: int
    start_ns: int
    end_ns: int
    received_ns: int
    attributes: Mapping[str, Any]
    read: tuple[Attribute, ...]
    unseen: bytes
    resource: Resource
    scope: Scope
    digest: bytes
    status_code: int = 0
    status_message: str = ""
    trace_state: str = ""
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=lambda: _NOTHING)


def decode_span(
    body: bytes, envelope: Envelope, *, remote: bool, digest: bytes, received_ns: int
) -> Span:
    """Decode one protobuf `Span`; `remote` and `digest` are those of its header.

    Raises:
        google.protobuf.message.DecodeError: something in it is damaged.
    """
    read = parse_span(body)
    resource, scope = decode_resource(envelope.resource), decode_scope(envelope.scope)
    parent = read.parent_span_id
    events = tuple(map(_event, read.events)) if read.events else ()
    links = tuple(map(_link, read.links)) if read.links else ()
    status = Status.FromString(b"".join(read.status)) if read.status else _UNSET
    attributes, unseen = read_attributes(read.attributes)
    unseen += (read.name, read.trace_state, *read.events, *read.links, *read.status)
    return Span(
        trace_id=read.trace_id.hex(),
        span_id=read.span_id.hex(),
        parent_id=parent.hex() if parent and parent != _NO_SPAN else None,
        remote_parent=remote,
        name=_text(read.name),
        kind=read.kind,
        start_ns=read.start_time_unix_nano,
        end_ns=read.end_time_unix_nano,
        received_ns=received_ns,
        attributes={found.key: found.value for found in reversed(attributes)},
        read=tuple(attributes),
        unseen=b"\n".join(unseen),
        resource=resource,
        scope=scope,
        digest=digest,
        status_code=status.code,
        status_message=status.message,
        trace_state=_text(read.trace_state),
        events=events,
        links=links,
        dropped=_dropped(read, events, links, resource, scope),
    )


def decode_request(
    body: bytes, received_ns: int, digests: Sequence[bytes] = ()
) -> tuple[Span, ...]:
    """Decode every span of an `ExportTraceServiceRequest`, in its order.

    Args:
        body: the request, from which secrets may have been taken out.
        received_ns: when the last of them arrived.
        digests: of the spans as they arrived, in the same order; without, those of `body`.

    Raises:
        google.protobuf.message.DecodeError: something in it is damaged.
    """
    raws = [(envelope, raw) for envelope, spans in split_request(body) for raw in spans]
    headers = [read_header(raw) for _, raw in raws]
    return tuple(
        decode_span(raw, envelope, remote=header.remote, digest=digest, received_ns=received_ns)
        for (envelope, raw), header, digest in zip(
            raws, headers, digests or [header.digest for header in headers], strict=True
        )
    )


def decode_revision(revision: SealedTrace) -> tuple[Span, ...]:
    """Decode the spans that a stored revision added, with the digests that they arrived with."""
    digests = [member.digest for member in revision.members if member.span_id != _NO_SPAN]
    return decode_request(revision.request, revision.last_received_ns, digests)


@lru_cache(maxsize=_KEPT)
def decode_resource(body: bytes) -> Resource:
    """Decode a protobuf `Resource`, once for each distinct one."""
    read = ResourceMessage.FromString(body)
    return Resource(
        attributes=decode_attributes(read.attributes), dropped=read.dropped_attributes_count
    )


@lru_cache(maxsize=_KEPT)
def decode_scope(body: bytes) -> Scope:
    """Decode a protobuf `InstrumentationScope`, once for each distinct one."""
    read = InstrumentationScope.FromString(body)
    return Scope(name=read.name, version=read.version, dropped=read.dropped_attributes_count)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(str(error)) from error


def _event(raw: bytes) -> Event:
    read = SpanMessage.Event.FromString(raw)
    return Event(
        name=read.name,
        time_ns=read.time_unix_nano,
        attributes=decode_attributes(read.attributes),
        dropped=read.dropped_attributes_count,
    )


def _link(raw: bytes) -> Link:
    read = SpanMessage.Link.FromString(raw)
    return Link(
        trace_id=read.trace_id.hex(),
        span_id=read.span_id.hex(),
        attributes=decode_attributes(read.attributes),
        dropped=read.dropped_attributes_count,
    )


def _dropped(
    read: Any,
    events: tuple[Event, ...],
    links: tuple[Link, ...],
    resource: Resource,
    scope: Scope,
) -> Mapping[str, int]:
    counts = (
        ("attributes", read.dropped_attributes_count),
        ("events", read.dropped_events_count),
        ("links", read.dropped_links_count),
        ("event attributes", sum(event.dropped for event in events) if events else 0),
        ("link attributes", sum(link.dropped for link in links) if links else 0),
        ("resource attributes", resource.dropped),
        ("scope attributes", scope.dropped),
    )
    return {name: count for name, count in counts if count} or _NOTHING
