"""A support agent with one line of traceai, some healthy traffic, and some planted faults.

    python examples/support_agent.py

Spans go to OTEL_EXPORTER_OTLP_ENDPOINT, by default the collector on this machine. Without
OPENAI_API_KEY a fake provider on this machine answers.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openai import OpenAI
from opentelemetry import trace

import traceai
from direct_calls import ask, ask_async, ask_streamed, embed, respond
from fake_provider import FakeProvider
from faults import FAULTS
from policy import POLICY
from refund_desk import PLANNER_PROMPT, answer_refund_question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLER: dict[str, Any] = {
    "session": "s-2001",
    "tenant": "acme",
    "cohort": "eu",
    "prompt": PLANNER_PROMPT,
    "policy": POLICY,
}
HEALTHY: dict[str, Callable[[OpenAI], object]] = {
    "refund_agent": lambda _: answer_refund_question("Can I have a refund for order A-1001?"),
    "sync_chat": ask,
    "async_chat": ask_async,
    "streamed_chat": ask_streamed,
    "embedding": embed,
    "response": respond,
}


def main() -> None:
    """Serve the healthy requests, then commit the faults, then wait until the spans are sent."""
    traceai.instrument(service="support-agent", release="2026.11.3", environment="demo")
    with provider() as real, OpenAI() as client:
        for name, request in HEALTHY.items():
            with traceai.context(user="u-1001", route="support.refund", **CALLER):
                serve(name, request, client)
        for name, fault in FAULTS.items():
            if real and fault.scripted:
                print(f"skipped {name}: only the fake provider can play it")
                continue
            user = None if fault.anonymous else "u-1001"
            with traceai.context(user=user, route="support.draft", **CALLER):
                serve(name, fault.commit, client)
    traceai.flush(5)


def serve(name: str, request: Callable[[OpenAI], object], client: OpenAI) -> None:
    """Run one request under a span of the application's own, as a web framework would."""
    with trace.get_tracer("support-agent").start_as_current_span(name) as span:
        request(client)
    print(f"trace {span.get_span_context().trace_id:032x} {name}")


@contextmanager
def provider() -> Iterator[bool]:
    """Have a provider to ask, and say whether it is a real one."""
    if "OPENAI_API_KEY" in os.environ:
        yield True
        return
    with FakeProvider() as fake:
        os.environ.update(OPENAI_API_KEY="none", OPENAI_BASE_URL=fake.base_url)
        print(f"OPENAI_API_KEY is not set: a fake provider answers at {fake.base_url}")
        yield False


if __name__ == "__main__":
    main()
