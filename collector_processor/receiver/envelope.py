"""Decide what of a request is accepted; attributes stay bytes.

A request is checked whole (structure, UTF-8) by one parse in C whose result is thrown away. Spans
are then judged by their ids alone, one by one (OTLP 1.11, "Partial Success"). What is accepted is
what arrived, byte for byte, less the spans that were rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector_processor.errors import MalformedRequestError, RequestTooLargeError
from collector_processor.receiver.wire import LENGTH, messages, tag, varint

if TYPE_CHECKING:
    from collections.abc import Container

_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8
_NO_TRACE = bytes(_TRACE_ID_BYTES)
_NO_SPAN = bytes(_SPAN_ID_BYTES)
_MOST_REASONS = 5
_LARGE_BYTES = 256 << 10
# A span with 26 attributes has about 35; the largest request of such spans has half of this.
_MOST_FIELDS = 1_000_000

# Field numbers of opentelemetry/proto/{trace,logs}/v1: the two envelopes have the same shape.
_RESOURCES = 1  # ExportTraceServiceRequest.resource_spans
_SCOPES = 2  # ResourceSpans.scope_spans
_RECORDS = 2  # ScopeSpans.spans

_PATH = (_RESOURCES, _SCOPES, _RECORDS)

_Request = TypeVar("_Request", ExportTraceServiceRequest, ExportLogsServiceRequest)

Place = tuple[int, ...]  # of a span: the index of its resource, of its scope there, of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What of a request was accepted.

    Attributes:
        body: the request without what was rejected; the very bytes that came when nothing was.
        items: how many spans or log records it holds.
        rejected: how many spans were left out.
        reasons: why, one text for each of the first of them.
    """

    body: bytes
    items: int
    rejected: int = 0
    reasons: tuple[str, ...] = ()


def accept_traces(body: bytes) -> Accepted:
    """Check a protobuf `ExportTraceServiceRequest`, and leave out the spans whose ids are wrong.

    Raises:
        MalformedRequestError: it is not valid protobuf, or a text in it is not UTF-8.
        RequestTooLargeError: it holds too many messages.
    """
    spans = 0
    faults: dict[Place, str] = {}
    for i, resource in enumerate(_parse(ExportTraceServiceRequest, body).resource_spans):
        for j, scope in enumerate(resource.scope_spans):
            for k, span in enumerate(scope.spans):
                spans += 1
                fault = judge_ids(span.trace_id, span.span_id, span.parent_span_id)
                if fault:
                    faults[i, j, k] = fault
    if not faults:
        return Accepted(body=body, items=spans)
    return Accepted(
        body=_without(body, faults),
        items=spans - len(faults),
        rejected=len(faults),
        reasons=_reasons(faults),
    )


def accept_logs(body: bytes) -> Accepted:
    """Check a protobuf `ExportLogsServiceRequest`; a record is never rejected for its ids.

    Raises:
        MalformedRequestError: it is not valid protobuf, or a text in it is not UTF-8.
        RequestTooLargeError: it holds too many messages.
    """
    request = _parse(ExportLogsServiceRequest, body)
    records = sum(
        len(scope.log_records)
        for resource in request.resource_logs
        for scope in resource.scope_logs
    )
    return Accepted(body=body, items=records)


def judge_ids(trace_id: bytes, span_id: bytes, parent_span_id: bytes) -> str | None:
    """Say what is wrong with a span's ids. An all-zero parent is none, and so it is not wrong."""
    if len(trace_id) != _TRACE_ID_BYTES:
        return "trace_id is not 16 bytes long"
    if len(span_id) != _SPAN_ID_BYTES:
        return "span_id is not 8 bytes long"
    if trace_id == _NO_TRACE:
        return "trace_id is all zero"
    if span_id == _NO_SPAN:
        return "span_id is all zero"
    if len(parent_span_id) not in (0, _SPAN_ID_BYTES):
        return "parent_span_id is not 0 or 8 bytes long"
    return None


def _parse(kind: type[_Request], body: bytes) -> _Request:
    # An empty message of two bytes takes a hundred in memory: of a large body they are counted.
    large = len(body) > _LARGE_BYTES
    if large and _count_fields(body, 0, len(body), 0, _MOST_FIELDS) > _MOST_FIELDS:
        raise RequestTooLargeError(
            f"The request holds more than {_MOST_FIELDS} fields.", remedy="Send smaller batches."
        )
    try:
        return kind.FromString(body)
    except DecodeError as error:
        why = "a text is not UTF-8" if "UTF-8" in str(error) else "it is damaged or something else"
        raise MalformedRequestError(
            f"The body is not a protobuf {kind.DESCRIPTOR.name}: {why}.",
            remedy="Send OTLP protobuf, or OTLP JSON with Content-Type: application/json.",
        ) from error


def _count_fields(body: bytes, start: int, end: int, depth: int, budget: int) -> int:
    """Count the fields of a request down to those of its spans; stop above `budget`."""
    count = 0
    for number, _, at, stop in messages(body, start, end):
        count += 1
        if depth < len(_PATH) and number == _PATH[depth]:
            count += _count_fields(body, at, stop, depth + 1, budget - count)
        if count > budget:
            break
    return count


def _reasons(faults: dict[Place, str]) -> tuple[str, ...]:
    return tuple(
        f"resource {i}, scope {j}, span {k}: {fault}"
        for (i, j, k), fault in list(faults.items())[:_MOST_REASONS]
    )


def _without(body: bytes, places: Container[Place]) -> bytes:
    """Copy a request without the spans at `places`; every other byte is kept, in its order."""
    return _copy(body, 0, len(body), (), places)


def _copy(
    body: bytes, start: int, end: int, above: tuple[int, ...], places: Container[Place]
) -> bytes:
    """Copy the part of a request that is found by the indexes `above`: all of it, or a resource."""
    wanted = _PATH[len(above)]
    kept = []
    index = 0
    for number, begin, at, stop in messages(body, start, end):
        if number != wanted:
            kept.append(body[begin:stop])
            continue
        here = (*above, index)
        index += 1
        if len(here) < len(_PATH):
            inner = _copy(body, at, stop, here, places)
            kept.append(tag(number, LENGTH) + varint(len(inner)) + inner)
        elif here not in places:
            kept.append(body[begin:stop])
    return b"".join(kept)
