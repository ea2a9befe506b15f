"""Secrets are taken out of what is stored; everything else stays as it came."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector_processor.model import Signal, Undecodable
from collector_processor.processor.conceal import (
    conceal_envelope,
    conceal_label,
    conceal_span,
    conceal_text,
    conceal_undecodable,
)
from collector_processor.processor.raw import Envelope
from traceai.evaluators.detect import PII_KINDS, SECRET_KINDS, gate

KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"
TOKEN = "<OPENAI_API_KEY>"
AWS = "AKIAIOSFODNN7EXAMPL2"


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("", None, ""),
        ("nothing here", None, "nothing here"),
        (KEY, None, TOKEN),
        (f"use {KEY}.", None, f"use {TOKEN}."),
        (f"{KEY} and {KEY}", None, f"{TOKEN} and {TOKEN}"),
        (f"ä→{KEY}→ä", None, f"ä→{TOKEN}→ä"),
        (TOKEN, None, TOKEN),
        ("hunter2Zq9xK4", "db.password", "<GENERIC_SECRET>"),
        ("hunter2Zq9xK4", "db.name", "hunter2Zq9xK4"),
        # Personal data is judged, and kept: the library redacts it at its source.
        ("jane.doe@acme-corp.com", None, "jane.doe@acme-corp.com"),
    ],
)
def test_a_token_stands_in_the_place_of_a_secret(text: str, key: str | None, expected: str) -> None:
    assert conceal_text(text, key) == expected


@given(st.text())
def test_concealing_again_changes_nothing(text: str) -> None:
    once = conceal_text(f"{text} {KEY} {text}")
    assert KEY not in once
    assert conceal_text(once) == once


@pytest.mark.parametrize(
    "span",
    [
        Span(name=f"call {KEY}"),
        Span(status=Status(message=f"bad {KEY}", code=Status.STATUS_CODE_ERROR)),
        Span(events=[Span.Event(name=KEY)]),
    ],
    ids=["name", "status", "event"],
)
def test_no_text_of_a_span_keeps_a_secret(span: Span) -> None:
    body = span.SerializeToString()
    concealed = conceal_span(body, gate(body))
    assert KEY.encode() not in concealed
    assert TOKEN.encode() in concealed


def test_attributes_of_spans_events_and_links_keep_no_secret_however_deep(otlp: Any) -> None:
    given = {
        "text": f"a {KEY}",
        "list": ["b", KEY, 1],
        "map": {"deep": {"er": [KEY]}},
        "bytes": b"\xff\xfe " + KEY.encode(),
        "count": 7,
        "kept": "c",
    }
    span = otlp.span("call", attributes=given)
    span.events.add(name="e", attributes=otlp.pairs(given))
    span.links.add(trace_id=bytes(16), span_id=bytes(8), attributes=otlp.pairs(given))
    body = span.SerializeToString()
    read = Span.FromString(conceal_span(body, gate(body)))
    concealed = {
        "text": f"a {TOKEN}",
        "list": ["b", TOKEN, 1],
        "map": {"deep": {"er": [TOKEN]}},
        "bytes": b"\xff\xfe " + TOKEN.encode(),
        "count": 7,
        "kept": "c",
    }
    expected = otlp.pairs(concealed)
    assert list(read.attributes) == expected
    assert list(read.events[0].attributes) == expected
    assert list(read.links[0].attributes) == expected


def test_what_is_beside_a_secret_stays_as_it_came(otlp: Any) -> None:
    span = otlp.span("call", parent="root", attributes={"a": KEY}, error=True, trace_state="x=1")
    body = span.SerializeToString() + b"\xfa\x3f\x05later"  # a field of a version to come
    read = Span.FromString(conceal_span(body, gate(body)))
    span.attributes[0].value.string_value = TOKEN
    assert read.SerializeToString() == span.SerializeToString() + b"\xfa\x3f\x05later"


@pytest.mark.parametrize("kinds", [frozenset(), PII_KINDS], ids=["nothing", "personal data"])
def test_a_span_that_the_gate_clears_of_secrets_is_not_opened(kinds: frozenset[str]) -> None:
    assert conceal_span(b"\xff not protobuf", kinds) == b"\xff not protobuf"


def test_resource_and_scope_keep_no_secret(otlp: Any) -> None:
    resource = Resource(attributes=otlp.pairs({"service.name": "shop", "app.key": KEY}))
    scope = InstrumentationScope(
        name="lib", version=KEY, attributes=otlp.pairs({"aws": f"id {AWS}"})
    )
    envelope = conceal_envelope(envelope_of(resource, scope)._replace(scope_schema_url=KEY))
    resource.attributes[1].value.string_value = TOKEN
    assert Resource.FromString(envelope.resource) == resource
    assert AWS.encode() not in envelope.scope
    assert (KEY.encode() in envelope.scope, envelope.scope_schema_url) == (False, TOKEN)
    assert InstrumentationScope.FromString(envelope.scope).name == "lib"


def test_a_clean_resource_stays_byte_for_byte(otlp: Any) -> None:
    resource = Resource(attributes=otlp.pairs(otlp.RESOURCE))
    envelope = envelope_of(resource, InstrumentationScope(name="lib"))
    assert conceal_envelope(envelope) == envelope


def envelope_of(resource: Resource, scope: InstrumentationScope) -> Envelope:
    return Envelope(resource.SerializeToString(), "", scope.SerializeToString(), "")


def undecodable(body: bytes) -> Undecodable:
    return Undecodable(
        position=1,
        ordinal=2,
        received_ns=3,
        signal=Signal.TRACES,
        trace_id=None,
        reason="broken",
        body=body,
    )


def test_bytes_that_cannot_be_read_keep_all_but_the_secret() -> None:
    body = b"\xff\xfe\x00" + KEY.encode() + b" \xc3("
    found = conceal_undecodable(undecodable(body))
    assert found.body == b"\xff\xfe\x00" + TOKEN.encode() + b" \xc3("
    digest = hashlib.sha256(body).hexdigest()
    assert found.reason == (
        f"broken; secrets were taken out of {len(body)} bytes with SHA-256 {digest}"
    )


@given(st.binary())
def test_bytes_without_a_secret_stay_as_they_are(body: bytes) -> None:
    assume(gate(body).isdisjoint(SECRET_KINDS))
    assert conceal_undecodable(undecodable(body)) == undecodable(body)


@pytest.mark.parametrize("length", [0, 1000])
def test_a_label_keeps_no_secret_however_long(length: int) -> None:
    assert conceal_label(f"route {KEY} {'x' * length}") == f"route {TOKEN} {'x' * length}"


def test_what_stands_beside_a_secret_may_be_one_on_its_own() -> None:
    text = f"Bearer abcdef1234567890ghij {KEY}{AWS}"
    assert conceal_text(conceal_text(text)) == conceal_text(text)
