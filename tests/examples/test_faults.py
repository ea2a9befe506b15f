"""The planted faults do to the provider what their names say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults import FAULTS
from openai import DefaultHttpxClient, OpenAI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, get_current_span

if TYPE_CHECKING:
    from fake_provider import FakeProvider

ASKED = {
    "abandoned_stream": [("127.0.0.1", "gpt-4o-mini")],
    "failed_call": [("127.0.0.1", "gpt-4o-mini-broken")],
    "call_without_user": [("127.0.0.1", "gpt-4o-mini")],
    "fallback_without_reason": [
        ("127.0.0.1", "gpt-4o-mini-overloaded"),
        ("127.0.0.1", "gpt-4.1-mini"),
    ],
    "orphan_span": [("127.0.0.1", "gpt-4o-mini")] * 2,
    "leaked_account_and_key": [("127.0.0.1", "gpt-4o-mini")],
    "unapproved_provider": [("localhost", "mixtral-8x7b")],
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_asks_the_provider_what_it_should(
    provider: FakeProvider, client: OpenAI, name: str
) -> None:
    FAULTS[name].commit(client)
    asked = [
        (request.headers["host"].partition(":")[0], request.json["model"])
        for request in provider.requests
    ]
    assert asked == ASKED[name]


def test_every_fault_is_seen_somewhere() -> None:
    unseen = [
        name
        for name, fault in FAULTS.items()
        if not (fault.code or fault.evaluations or fault.outcome)
    ]
    assert unseen == []


def test_an_orphan_is_in_the_trace_of_its_root_beneath_another_span(
    provider: FakeProvider,
) -> None:
    parents: list[SpanContext] = []

    def note(_: object) -> None:
        parents.append(get_current_span().get_span_context())

    tracer = TracerProvider().get_tracer("test")
    with (
        DefaultHttpxClient(event_hooks={"request": [note]}) as http,
        OpenAI(base_url=provider.base_url, api_key="none", http_client=http) as client,
        tracer.start_as_current_span("root") as root,
    ):
        FAULTS["orphan_span"].commit(client)
    present = root.get_span_context()
    assert [parent.trace_id for parent in parents] == [present.trace_id] * 2
    assert [parent.span_id == present.span_id for parent in parents] == [True, False]
