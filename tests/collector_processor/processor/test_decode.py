"""Raw spans as values: every field, and what damage is."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from collector_processor.processor.decode import decode_request, decode_resource, decode_span
from collector_processor.processor.raw import Envelope, build_request

NOTHING = Envelope(b"", "", b"", "")


def decoded(body: bytes) -> Any:
    return decode_span(body, NOTHING, remote=False, digest=b"d", received_ns=1)


def test_a_span_is_decoded_field_by_field(otlp: Any) -> None:
    given_ = otlp.span("call", parent="root", attributes={"a": 1}, error=True, trace_state="x=1")
    given_.status.message = "bad"
    given_.kind = 3
    given_.events.add(name="e", time_unix_nano=7, attributes=otlp.pairs({"b": "c"}))
    given_.links.add(trace_id=otlp.trace_id("o"), span_id=otlp.span_id("o"))
    [span] = decode_request(otlp.request(given_), 5)
    assert (span.trace_id, span.span_id, span.parent_id) == (
        otlp.trace_id("t").hex(),
        otlp.span_id("call").hex(),
        otlp.span_id("root").hex(),
    )
    assert (span.name, span.kind, span.trace_state, span.received_ns) == ("call", 3, "x=1", 5)
    assert (span.start_ns, span.end_ns) == (otlp.NOW_NS, otlp.NOW_NS + otlp.SECOND)
    assert (span.status_code, span.status_message) == (2, "bad")
    assert [(e.name, e.time_ns, dict(e.attributes)) for e in span.events] == [("e", 7, {"b": "c"})]
    assert [link.trace_id for link in span.links] == [otlp.trace_id("o").hex()]
    assert span.resource.attributes == otlp.RESOURCE


VALUES = {
    "text": "ä→",
    "empty": "",
    "int": -(2**63),
    "float": 0.5,
    "zero": 0,
    "false": False,
    "bytes": b"\xff",
    "list": ["a", 1, [True]],
    "map": {"deep": {"er": [1.5]}},
    "nothing": None,
}


def test_a_value_of_every_type_is_a_python_value(otlp: Any) -> None:
    [span] = decode_request(otlp.request(otlp.span("s", attributes=VALUES)), 0)
    assert span.attributes == VALUES
    again = decode_request(otlp.request(otlp.span("s", attributes=VALUES)), 0)[0]
    assert (again.attributes, again.unseen) == (VALUES, span.unseen)


def test_of_duplicate_keys_the_first_counts(otlp: Any) -> None:
    span = otlp.span("s", attributes={"a": 1})
    span.attributes.extend(otlp.pairs({"a": 2}))
    [read] = decode_request(otlp.request(span), 0)
    assert read.attributes == {"a": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"dropped_attributes_count": 2}, {"attributes": 2}),
        ({"dropped_events_count": 1, "dropped_links_count": 3}, {"events": 1, "links": 3}),
        ({"events": [{"dropped_attributes_count": 1}] * 2}, {"event attributes": 2}),
        ({"links": [{"dropped_attributes_count": 4}]}, {"link attributes": 4}),
    ],
)
def test_what_an_emitter_dropped_is_counted_by_what_it_was(
    otlp: Any, fields: dict[str, Any], expected: dict[str, int]
) -> None:
    [span] = decode_request(otlp.request(otlp.span("s", **fields)), 0)
    assert span.dropped == expected


@pytest.mark.parametrize("parent", [b"", bytes(8)])
def test_no_parent_and_a_parent_of_zeros_are_none(otlp: Any, parent: bytes) -> None:
    [span] = decode_request(otlp.request(otlp.span("s", parent_span_id=parent)), 0)
    assert span.parent_id is None


@pytest.mark.parametrize(
    "damage",
    [
        b"\x4a\x02\x08\xff",  # an attribute
        b"\x5a\x02\x08\xff",  # an event
        b"\x7a\x01\xff",  # the status
        b"\x2a\x01\xff",  # a name that is no UTF-8
        b"\x1a\x01\xff",  # a trace state that is no UTF-8
    ],
)
def test_damage_anywhere_in_a_span_is_named(otlp: Any, damage: bytes) -> None:
    with pytest.raises(DecodeError):
        decoded(otlp.span("s").SerializeToString() + damage)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_span_or_damage(body: bytes) -> None:
    try:
        span = decoded(body)
    except DecodeError:
        return
    assert span.digest == b"d"


def test_a_trace_state_is_looked_at_by_the_gate() -> None:
    span = decoded(SpanMessage(trace_state="vendor=value").SerializeToString())
    assert b"vendor=value" in span.unseen


def test_one_resource_is_one_value(otlp: Any) -> None:
    body = otlp.request(otlp.span("a"), otlp.span("b"))
    one, other = decode_request(body, 0)
    assert one.resource is other.resource
    assert decode_resource(b"") is decode_resource(b"")


def test_digests_are_those_of_the_spans_as_they_arrived(otlp: Any) -> None:
    body = build_request([(NOTHING, otlp.span("a").SerializeToString())])
    [kept] = decode_request(body, 0, [b"as it arrived"])
    assert kept.digest == b"as it arrived"
    with pytest.raises(ValueError, match=r"shorter|longer"):
        decode_request(body, 0, [b"one", b"too many"])
