"""A fake provider, clients of it, and a reader of the spans that their calls make.

Nothing here names a version of the SDK: the same tests run with any that we support.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fake_provider import FakeProvider
from traceai.attributes import Content
from traceai.instrumentors.openai import instrument_openai
from traceai.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.sdk.trace import ReadableSpan

    from traceai.instrumentors.patch import Applied
    from traceai.semconv import ContentState

MODEL = "gpt-4o-mini"
SERVED = "gpt-4o-mini-2024-07-18"
QUESTION: list[Any] = [{"role": "user", "content": "Where is order A-1001?"}]
ANSWER = "Here is a short answer to your question: Where is order A-1001?"


@dataclass(frozen=True)
class Seen:
    """A finished span, easy to read."""

    span: ReadableSpan

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def id(self) -> int:
        context = self.span.get_span_context()
        assert context is not None
        return context.span_id

    @property
    def status(self) -> str:
        return self.span.status.status_code.name

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.span.attributes or {}

    def __getitem__(self, name: str) -> Any:
        return self.attributes.get(name)

    def json(self, name: str) -> Any:
        return json.loads(self.attributes[name])

    @property
    def text(self) -> str:
        """All the text of the answer."""
        parts = [part for said in self.json("gen_ai.output.messages") for part in said["parts"]]
        return "".join(part["content"] for part in parts if part["type"] == "text")


@dataclass(frozen=True)
class Recorded:
    """The instrumented SDK, a provider, and the spans."""

    fake: FakeProvider
    provider: TracerProvider
    exporter: InMemorySpanExporter
    recorder: Recorder
    applied: Applied
    clients: list[Any] = field(default_factory=list)

    def client(self, **options: Any) -> openai.OpenAI:
        made = openai.OpenAI(**_options(self.fake, options))
        self.clients.append(made)
        return made

    def aclient(self, **options: Any) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(**_options(self.fake, options))

    def spans(self) -> list[Seen]:
        return [Seen(span) for span in self.exporter.get_finished_spans()]

    def span(self) -> Seen:
        """Return the one span there is."""
        (seen,) = self.spans()
        return seen


def _options(fake: FakeProvider, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"base_url": fake.base_url, "api_key": "none", "max_retries": 0, **options}


@contextlib.contextmanager
def record_openai(state: ContentState, **provider: Any) -> Iterator[Recorded]:
    """Instrument the SDK and start a provider; undo both at the end."""
    exporter = InMemorySpanExporter()
    tracing = TracerProvider(**provider)
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    content = Content(state=state, digest=lambda text: f"digest of {len(text)}")
    recorder = Recorder(tracing.get_tracer("traceai"), content)
    applied = instrument_openai(recorder)
    with FakeProvider() as fake:
        recorded = Recorded(fake, tracing, exporter, recorder, applied)
        try:
            yield recorded
        finally:
            applied.remove()
            for client in recorded.clients:
                client.close()


def responses_of(client: Any) -> Any:
    """Return the Responses resource; skip where the SDK is older than it."""
    if not hasattr(client, "responses"):
        pytest.skip("this version of the SDK has no Responses API")
    return client.responses


def helper_of(client: Any, name: str) -> Any:
    """Return a helper of chat completions, which older versions keep under `beta`."""
    found = getattr(client.chat.completions, name, None)
    return found or getattr(client.beta.chat.completions, name)


async def _got(make: Callable[[Any], Any], fake: FakeProvider) -> Any:
    if inspect.iscoroutinefunction(make):
        async with openai.AsyncOpenAI(**_options(fake, {})) as client:
            return await make(client)
    with openai.OpenAI(**_options(fake, {})) as client:
        return make(client)


async def alike(make: Callable[[Any], Any], recorded: Recorded) -> Seen:
    """Make a call with and without us, compare what came out, and return the span."""
    got = await _got(make, recorded.fake)
    seen = recorded.span()
    recorded.applied.remove()
    with FakeProvider() as fresh:
        assert got == await _got(make, fresh)
    assert recorded.spans() == [seen]
    return seen
