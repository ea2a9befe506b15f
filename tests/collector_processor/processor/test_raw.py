from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector_processor.processor.decode import decode_request, decode_span
from collector_processor.processor.raw import (
    Envelope,
    build_request,
    read_header,
    split_request,
)

texts = st.text(max_size=8)
attributes = st.lists(st.tuples(texts, texts), max_size=6)


def _span(pairs: list[tuple[str, str]], name: str = "n") -> bytes:
    return Span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        name=name,
        attributes=[KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in pairs],
    ).SerializeToString()


def test_a_request_split_and_built_again_is_the_same_bytes(otlp: Any) -> None:
    body = otlp.request(otlp.span("a"), otlp.span("b", parent="a"))
    spans = [(envelope, raw) for envelope, raws in split_request(body) for raw in raws]
    assert build_request(spans) == body


def test_spans_of_one_envelope_in_a_row_share_it() -> None:
    one, other = Envelope(b"\x10\x01", "u", b"", ""), Envelope(b"", "", b"", "v")
    body = build_request([(one, b"\x2a\x01a"), (one, b"\x2a\x01b"), (other, b"\x2a\x01c")])
    assert [(e, len(raws)) for e, raws in split_request(body)] == [(one, 2), (other, 1)]


@given(attributes, st.randoms())
def test_the_order_of_attributes_does_not_change_the_digest(
    pairs: list[tuple[str, str]], random: Any
) -> None:
    shuffled = random.sample(pairs, len(pairs))
    assert read_header(_span(pairs)).digest == read_header(_span(shuffled)).digest


@given(attributes, attributes, texts, texts)
def test_other_content_has_another_digest(
    one: list[tuple[str, str]], other: list[tuple[str, str]], name: str, other_name: str
) -> None:
    same = (sorted(one), name) == (sorted(other), other_name)
    digests = read_header(_span(one, name)).digest, read_header(_span(other, other_name)).digest
    assert (digests[0] == digests[1]) is same


def test_a_header_says_where_a_span_belongs(otlp: Any) -> None:
    header = read_header(otlp.span("a", parent="b", remote=True).SerializeToString())
    assert header[:4] == (otlp.trace_id("t"), otlp.span_id("a"), otlp.span_id("b"), True)
    assert read_header(otlp.span("a", parent_span_id=bytes(8)).SerializeToString()).parent_id == b""


def test_a_span_is_decoded_as_it_was_sent(otlp: Any) -> None:
    values = {
        "text": "x",
        "empty": "",
        "none": None,
        "yes": True,
        "no": False,
        "count": 0,
        "ratio": 0.5,
        "raw": b"\x00",
        "list": ["a", 1],
        "map": {"k": ["v"]},
    }
    sent = otlp.span(
        "a",
        parent="b",
        attributes=values,
        events=[{"name": "e", "attributes": otlp.pairs({"k": 1}), "dropped_attributes_count": 2}],
        links=[{"trace_id": b"t" * 16, "span_id": b"s" * 8}],
        dropped_attributes_count=3,
    )
    [read] = decode_request(otlp.request(sent), 7)
    assert dict(read.attributes) == values
    assert read.resource.attributes["service.name"] == "shop"
    assert (read.span_id, read.parent_id) == (otlp.span_id("a").hex(), otlp.span_id("b").hex())
    assert [(event.name, dict(event.attributes)) for event in read.events] == [("e", {"k": 1})]
    assert [link.span_id for link in read.links] == [(b"s" * 8).hex()]
    assert dict(read.dropped) == {"attributes": 3, "event attributes": 2}
    assert read.received_ns == 7


def test_of_duplicate_keys_the_first_counts() -> None:
    raw = _span([("k", "first"), ("k", "second")])
    read = decode_span(raw, Envelope(b"", "", b"", ""), remote=False, digest=b"", received_ns=0)
    assert read.attributes["k"] == "first"
