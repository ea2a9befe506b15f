from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector_processor.errors import MalformedRequestError, RequestTooLargeError
from collector_processor.receiver.envelope import (
    accept_logs,
    accept_traces,
    judge_ids,
)
from collector_processor.receiver.wire import varint

TRACE = b"t" * 16
SPAN = b"s" * 8


def ids(length: int) -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.binary(min_size=length, max_size=length),
        st.binary(min_size=length, max_size=length),
        st.binary(max_size=length + 2),
        st.just(bytes(length)),
    )


spans = st.builds(
    Span,
    trace_id=ids(16),
    span_id=ids(8),
    parent_span_id=st.one_of(st.just(b""), ids(8)),
    name=st.text(max_size=20),
    start_time_unix_nano=st.integers(0, 2**64 - 1),
)


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 3))):
        resource = request.resource_spans.add(schema_url=draw(st.text(max_size=5)))
        if draw(st.booleans()):
            resource.resource.attributes.add(key="service.name").value.string_value = "agent"
        for _ in range(draw(st.integers(0, 3))):
            scope = resource.scope_spans.add(schema_url=draw(st.text(max_size=5)))
            scope.scope.name = draw(st.text(max_size=5))
            scope.spans.extend(draw(st.lists(spans, max_size=5)))
    return request


def is_good(span: Span) -> bool:
    return judge_ids(span.trace_id, span.span_id, span.parent_span_id) is None


@given(requests())
def test_what_is_accepted_is_the_request_less_the_spans_whose_ids_are_wrong(
    request: ExportTraceServiceRequest,
) -> None:
    expected = ExportTraceServiceRequest()
    expected.CopyFrom(request)
    for resource in expected.resource_spans:
        for scope in resource.scope_spans:
            good = [span for span in scope.spans if is_good(span)]
            del scope.spans[:]
            scope.spans.extend(good)
    body = request.SerializeToString()
    accepted = accept_traces(body)
    assert ExportTraceServiceRequest.FromString(accepted.body) == expected
    assert accepted.body == expected.SerializeToString()
    assert accepted.items == count(expected)
    assert accepted.rejected == count(request) - count(expected)
    assert len(accepted.reasons) == min(accepted.rejected, 5)
    assert (accepted.body is body) == (accepted.rejected == 0)


def count(request: ExportTraceServiceRequest) -> int:
    return sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)


@pytest.mark.parametrize(
    ("trace_id", "span_id", "parent_id", "fault"),
    [
        (TRACE, SPAN, b"", None),
        (TRACE, SPAN, SPAN, None),
        (TRACE, SPAN, bytes(8), None),
        (TRACE[1:], SPAN, b"", "trace_id is not 16 bytes long"),
        (TRACE + b"t", SPAN, b"", "trace_id is not 16 bytes long"),
        (b"", SPAN, b"", "trace_id is not 16 bytes long"),
        (bytes(16), SPAN, b"", "trace_id is all zero"),
        (TRACE, SPAN[1:], b"", "span_id is not 8 bytes long"),
        (TRACE, b"", b"", "span_id is not 8 bytes long"),
        (TRACE, bytes(8), b"", "span_id is all zero"),
        (TRACE, SPAN, b"x", "parent_span_id is not 0 or 8 bytes long"),
        (TRACE, SPAN, bytes(16), "parent_span_id is not 0 or 8 bytes long"),
    ],
)
def test_ids_are_judged_by_their_length_and_not_to_be_zero(
    trace_id: bytes, span_id: bytes, parent_id: bytes, fault: str | None
) -> None:
    assert judge_ids(trace_id, span_id, parent_id) == fault


def test_a_rebuilt_request_keeps_unknown_fields_and_the_order_of_bytes() -> None:
    good = bytes.fromhex("0a10") + TRACE + bytes.fromhex("1208") + SPAN
    bad = bytes.fromhex("0a01741208") + SPAN
    # ScopeSpans: unknown field 15, a bad span, schema_url, a good span, scope.
    scope_start = b"\x7a\x02hi"
    scope_end = b"\x1a\x01u" + b"\x12\x1c" + good + b"\x0a\x03\x0a\x01n"
    scope = scope_start + b"\x12" + bytes([len(bad)]) + bad + scope_end
    # ResourceSpans: schema_url, ScopeSpans, unknown varint, Resource.
    resource_end = b"\x78\x05" + b"\x0a\x02\x10\x07"
    resource = b"\x1a\x01r" + b"\x12" + bytes([len(scope)]) + scope + resource_end
    body = b"\x0a" + bytes([len(resource)]) + resource + b"\x7a\x00"

    kept = scope_start + scope_end
    kept_resource = b"\x1a\x01r" + b"\x12" + bytes([len(kept)]) + kept + resource_end
    accepted = accept_traces(body)
    assert accepted.body == b"\x0a" + bytes([len(kept_resource)]) + kept_resource + b"\x7a\x00"
    assert accepted.reasons == ("resource 0, scope 0, span 0: trace_id is not 16 bytes long",)


@given(requests(), st.data())
def test_bytes_that_protobuf_does_not_read_are_malformed_and_no_others(
    request: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    body = request.SerializeToString()
    cut = body[: data.draw(st.integers(0, len(body)))]
    try:
        ExportTraceServiceRequest.FromString(cut)
        valid = True
    except DecodeError:
        valid = False
    if valid:
        accept_traces(cut)
    else:
        with pytest.raises(MalformedRequestError):
            accept_traces(cut)


@pytest.mark.parametrize("text", [b"name", b"key.", b"val."])
def test_a_text_that_is_not_utf_8_is_malformed_wherever_it_is(text: bytes) -> None:
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=TRACE, span_id=SPAN, name="name")
    )
    span.attributes.add(key="key.").value.string_value = "val."
    with pytest.raises(MalformedRequestError, match="a text is not UTF-8"):
        accept_traces(request.SerializeToString().replace(text, b"\xff\xfe\xfd\xfc"))


def test_damage_deep_within_an_attribute_is_found() -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(trace_id=TRACE, span_id=SPAN)
    span.attributes.add(key="k").value.string_value = "value"
    damaged = request.SerializeToString().replace(b"\x05value", b"\x09value")
    with pytest.raises(MalformedRequestError, match="damaged"):
        accept_traces(damaged)


def test_log_records_are_accepted_whatever_their_ids() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add(schema_url="r").scope_logs.add(schema_url="s")
    scope.log_records.add(event_name="open", trace_id=b"short")
    scope.log_records.add()
    body = request.SerializeToString()
    accepted = accept_logs(body)
    assert (accepted.body, accepted.items, accepted.rejected) == (body, 2, 0)


def test_a_trace_request_is_no_log_request_by_accident() -> None:
    with pytest.raises(MalformedRequestError, match="not a protobuf"):
        accept_logs(b"\x0a\x05junk")


def nested(depth: int) -> bytes:
    """Return a request with millions of empty messages at a depth: resources, scopes, spans, …"""
    body = (b"\x0a", b"\x12", b"\x12", b"\x4a")[depth] + b"\x00"
    body *= 1_100_000
    for header in (b"\x0a", b"\x12", b"\x12")[:depth][::-1]:
        body = header + varint(len(body)) + body
    return body


@pytest.mark.parametrize(
    ("accept", "depth"), [(accept_logs, 0), *((accept_traces, depth) for depth in range(4))]
)
def test_a_swarm_of_empty_messages_is_refused_before_it_is_parsed(accept: Any, depth: int) -> None:
    with pytest.raises(RequestTooLargeError, match="more than 1000000 fields"):
        accept(nested(depth))
