"""Faults planted on purpose, each in a trace of its own, and what must be said about each."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import openai
from opentelemetry.trace import get_tracer, use_span

from direct_calls import QUESTION, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import OpenAI


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and what the collector must say about its trace, and about no other.

    Attributes:
        commit: makes the calls.
        says: the finding in words, on one line of a terminal.
        code: the completeness code; `None` where the trace is complete all the same.
        evaluations: the evaluations that must fail.
        outcome: how one of its calls must be shown to have ended, where it was not completed.
        anonymous: it runs without a user.
        scripted: it needs the fake provider, so it is left out where a real one answers.
    """

    commit: Callable[[OpenAI], None]
    says: str
    code: str | None = None
    evaluations: tuple[str, ...] = ()
    outcome: str | None = None
    anonymous: bool = False
    scripted: bool = False


def abandoned_stream(client: OpenAI) -> None:
    """Close a stream after two chunks of it."""
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    with stream:
        for _ in range(2):
            next(stream)


def failed_call(client: OpenAI) -> None:
    """Ask a model that answers with an error, and do not retry."""
    with contextlib.suppress(openai.APIStatusError):
        ask(client.with_options(max_retries=0), model="gpt-4o-mini-broken")


def call_without_user(client: OpenAI) -> None:
    """Ask where nobody said for whom: the context around has no user."""
    ask(client)


def fallback_without_reason(client: OpenAI) -> None:
    """Turn to another model after an error, and record nowhere why."""
    try:
        ask(client.with_options(max_retries=0), model="gpt-4o-mini-overloaded")
    except openai.APIStatusError:
        ask(client, model="gpt-4.1-mini")


def orphan_span(client: OpenAI) -> None:
    """Ask twice, the second time beneath a span that is never ended, and so is never sent."""
    ask(client)
    lost = get_tracer("support-agent").start_span("never_ended")
    with use_span(lost):
        ask(client)


def leaked_account_and_key(client: OpenAI) -> None:
    """Get an answer that gives away an account number and an API key."""
    ask(client, "Which account number and API key do you have on file?")


def unapproved_provider(client: OpenAI) -> None:
    """Send a question to a host, and a model, that nobody approved."""
    elsewhere = client.base_url.copy_with(host="localhost")
    ask(client.with_options(base_url=str(elsewhere)), model="mixtral-8x7b")


FAULTS = {
    "abandoned_stream": Fault(
        commit=abandoned_stream,
        says="a call is shown as abandoned; what never came is not demanded",
        outcome="abandoned",
    ),
    "failed_call": Fault(
        commit=failed_call,
        says="a call is shown to have ended in an error, which is no gap in the evidence",
        outcome="error",
    ),
    "call_without_user": Fault(
        commit=call_without_user,
        says="one model call has no user",
        code="no_user",
        anonymous=True,
    ),
    "fallback_without_reason": Fault(
        commit=fallback_without_reason,
        says="another model answered after an error, and no reason is recorded",
        code="fallback_without_reason",
        outcome="error",
    ),
    "orphan_span": Fault(
        commit=orphan_span,
        says="one span names a parent that never came",
        code="orphan_span",
    ),
    "leaked_account_and_key": Fault(
        commit=leaked_account_and_key,
        says="an answer holds an account number and a key",
        evaluations=("pii", "secrets", "is_compliant"),
        scripted=True,
    ),
    "unapproved_provider": Fault(
        commit=unapproved_provider,
        says="a call went to a provider and a model that are not in the inventory",
        evaluations=("provider_approval",),
        scripted=True,
    ),
}
