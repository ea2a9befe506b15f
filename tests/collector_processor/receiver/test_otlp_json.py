from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector_processor.errors import MalformedRequestError, RequestTooLargeError
from collector_processor.model import Signal
from collector_processor.receiver.envelope import accept_traces
from collector_processor.receiver.otlp_json import to_protobuf

TRACE = "5B8EFFF798038103D269B633813FC60C"
SPAN = "eee19b7ec3c1b174"
_IDS = ("traceId", "spanId", "parentSpanId")

texts = st.text(st.characters(codec="utf-8"), max_size=10)
numbers = st.integers(0, 2**64 - 1)
leaves = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=10)),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3))),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(
                KeyValueList,
                values=st.lists(st.builds(KeyValue, key=texts, value=inner), max_size=3),
            ),
        ),
    ),
    max_leaves=6,
)
attributes = st.lists(st.builds(KeyValue, key=texts, value=values), max_size=4)
spans = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_span_id=st.binary(max_size=8),
    trace_state=texts,
    flags=st.integers(0, 2**32 - 1),
    name=texts,
    kind=st.sampled_from([0, 1, 2, 3, 4, 5]),
    start_time_unix_nano=numbers,
    end_time_unix_nano=numbers,
    attributes=attributes,
    dropped_attributes_count=st.integers(0, 2**32 - 1),
    events=st.lists(
        st.builds(Span.Event, time_unix_nano=numbers, name=texts, attributes=attributes),
        max_size=2,
    ),
    links=st.lists(
        st.builds(Span.Link, trace_id=st.binary(max_size=16), span_id=st.binary(max_size=8)),
        max_size=2,
    ),
    status=st.builds(Status, message=texts, code=st.sampled_from([0, 1, 2])),
)


def as_otlp_json(node: Any) -> Any:
    """Turn protobuf's JSON into OTLP's: ids in hexadecimal."""
    if isinstance(node, list):
        return [as_otlp_json(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base64.b64decode(value).hex() if key in _IDS else as_otlp_json(value)
        for key, value in node.items()
    }


@given(st.lists(spans, max_size=3))
def test_json_becomes_the_same_request_as_protobuf(items: list[Span]) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add(schema_url="r").scope_spans.add(spans=items)
    tree = MessageToDict(request, use_integers_for_enums=True)
    body = to_protobuf(Signal.TRACES, json.dumps(as_otlp_json(tree)).encode())
    assert ExportTraceServiceRequest.FromString(body) == request


def in_span(**fields: Any) -> bytes:
    span = {"traceId": TRACE, "spanId": SPAN, **fields}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def span_of(body: bytes) -> Span:
    request = ExportTraceServiceRequest.FromString(to_protobuf(Signal.TRACES, body))
    return request.resource_spans[0].scope_spans[0].spans[0]


def value_of(value: Any) -> AnyValue:
    return span_of(in_span(attributes=[{"key": "k", "value": value}])).attributes[0].value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"intValue": "-5"}, AnyValue(int_value=-5)),
        ({"intValue": 9007199254740993}, AnyValue(int_value=9007199254740993)),
        ({"intValue": 3.0}, AnyValue(int_value=3)),
        ({"doubleValue": 1}, AnyValue(double_value=1.0)),
        ({"doubleValue": "Infinity"}, AnyValue(double_value=math.inf)),
        ({"doubleValue": "-Infinity"}, AnyValue(double_value=-math.inf)),
        ({"bytesValue": "-_8"}, AnyValue(bytes_value=b"\xfb\xff")),
        ({"stringValue": ""}, AnyValue(string_value="")),
        ({"boolValue": False}, AnyValue(bool_value=False)),
        ({"arrayValue": {}}, AnyValue(array_value=ArrayValue())),
        ({"somethingNew": [1]}, AnyValue()),
        ({"string_value": "snake"}, AnyValue()),
        ({}, AnyValue()),
    ],
)
def test_values_are_read_as_the_specification_says(value: Any, expected: AnyValue) -> None:
    assert value_of(value) == expected


def test_not_a_number_is_read() -> None:
    assert math.isnan(value_of({"doubleValue": "NaN"}).double_value)


def test_an_attribute_without_a_value_and_one_that_comes_twice_are_kept() -> None:
    span = span_of(in_span(attributes=[{"key": "a"}, {"key": "a", "value": None}]))
    assert list(span.attributes) == [KeyValue(key="a"), KeyValue(key="a")]


def test_an_enum_is_read_by_number_and_by_name() -> None:
    assert span_of(in_span(kind=3)).kind == Span.SPAN_KIND_CLIENT
    assert span_of(in_span(kind="SPAN_KIND_CLIENT")).kind == Span.SPAN_KIND_CLIENT


def test_ids_are_hexadecimal_in_either_case() -> None:
    span = span_of(in_span(parentSpanId=SPAN.upper()))
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == (
        TRACE.lower(),
        SPAN,
        SPAN,
    )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"traceId": "not hexadecimal!"}, "trace_id is not 16 bytes long"),
        ({"traceId": TRACE[2:]}, "trace_id is not 16 bytes long"),
        ({"traceId": "0" * 32}, "trace_id is all zero"),
        ({"spanId": ""}, "span_id is not 8 bytes long"),
        ({"spanId": SPAN[1:]}, "span_id is not 8 bytes long"),
        ({"parentSpanId": "zzzzzzzz"}, "parent_span_id is not 0 or 8 bytes long"),
        ({"parentSpanId": TRACE}, "parent_span_id is not 0 or 8 bytes long"),
    ],
)
def test_a_wrong_id_costs_its_span_alone(wrong: dict[str, str], reason: str) -> None:
    good = {"traceId": TRACE, "spanId": SPAN}
    both = {"resourceSpans": [{"scopeSpans": [{"spans": [good, good | wrong]}]}]}
    accepted = accept_traces(to_protobuf(Signal.TRACES, json.dumps(both).encode()))
    assert (accepted.items, accepted.rejected) == (1, 1)
    assert accepted.reasons == (f"resource 0, scope 0, span 1: {reason}",)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON"),
        (b'{"resourceSpans": [', "The body is not JSON"),
        (b"\xff\xfe", "The body is not JSON"),
        (b"[]", "The body: must be an object, not an array"),
        (b'{"resourceSpans": {}}', "resourceSpans: must be an array, not an object"),
        (b"[" * 100_000, "nested too deeply"),
        (in_span(traceId=5), r"spans\[0\].traceId: must be a hexadecimal text, not this number"),
        (in_span(name=["x"]), r"spans\[0\].name: must be a text, not an array"),
        (in_span(kind=[]), r"kind: must be a whole number, not an array"),
        (in_span(kind="CLIENT"), "kind: must be a whole number, not this text"),
        (in_span(startTimeUnixNano="1e3"), "startTimeUnixNano: must be a whole number"),
        (in_span(startTimeUnixNano=-1), "startTimeUnixNano: is out of range"),
        (in_span(flags=2**32), "flags: is out of range"),
        (in_span(status=[]), "status: must be an object"),
        (in_span(attributes=[None]), r"attributes\[0\]: must be an object, not null"),
        (in_span(attributes=[{"value": {"boolValue": 1}}]), "boolValue: must be true or false"),
        (in_span(attributes=[{"value": {"bytesValue": "!"}}]), "bytesValue: is not base64"),
        (in_span(attributes=[{"value": {"doubleValue": "x"}}]), "doubleValue: must be a number"),
        (in_span(attributes=[{"value": {"intValue": True}}]), "intValue: must be a whole number"),
    ],
)
def test_a_wrong_value_is_malformed_and_named(body: bytes, message: str) -> None:
    with pytest.raises(MalformedRequestError, match=message):
        to_protobuf(Signal.TRACES, body)


def test_a_number_of_a_million_digits_is_out_of_range_at_once() -> None:
    with pytest.raises(MalformedRequestError, match="out of range"):
        to_protobuf(Signal.TRACES, in_span(startTimeUnixNano="9" * 1_000_000))


def test_log_records_are_read() -> None:
    record = {"traceId": TRACE, "eventName": "traceai.stream.open", "severityNumber": 9}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    request = ExportLogsServiceRequest.FromString(to_protobuf(Signal.LOGS, body))
    found = request.resource_logs[0].scope_logs[0].log_records[0]
    assert (found.trace_id.hex(), found.event_name) == (TRACE.lower(), "traceai.stream.open")


def test_a_swarm_of_empty_objects_is_refused_before_it_is_read() -> None:
    body = b'{"resourceSpans":[' + b"{}," * 1_000_000 + b"{}]}"
    with pytest.raises(RequestTooLargeError, match="more than 500000 objects and arrays"):
        to_protobuf(Signal.TRACES, body)
