"""Make the fake provider and the scripted models importable, and let no failure of ours hide."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from traceai.errors import guard
from traceai.processor import IdentityProcessor
from traceai.semconv import ContentState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recorded import Recorded
    from scripted import Traced

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "examples")]


@pytest.fixture(autouse=True)
def reraise() -> Iterator[None]:
    guard.reraise = True
    yield
    guard.reraise = False


@pytest.fixture
def traced(request: pytest.FixtureRequest) -> Iterator[Traced]:
    """Instrument LangChain, content in full; at the end nothing may be left in flight."""
    from scripted import trace_langchain  # noqa: PLC0415 - it imports LangChain

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(IdentityProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    state = getattr(request, "param", ContentState.FULL)
    traced = trace_langchain(provider, exporter, state)
    yield traced
    left = len(traced.instrumentation.runs)
    traced.instrumentation.remove()
    assert left == 0


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Instrument the OpenAI SDK, content in full, and start a fake provider."""
    from recorded import record_openai  # noqa: PLC0415 - LangChain's tests need no OpenAI SDK

    with record_openai(getattr(request, "param", ContentState.FULL)) as recorded:
        yield recorded
