"""The planted faults do to the provider what their names say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from faults import FAULTS

if TYPE_CHECKING:
    from openai import OpenAI

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


def test_what_is_said_of_a_fault_fits_a_terminal() -> None:
    assert [fault.says for fault in FAULTS.values() if len(fault.says) > 80 - 4] == []
