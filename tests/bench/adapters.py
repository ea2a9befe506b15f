"""Switch each peer on: content recorded, batches in the background, an exporter that discards."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

Flush = Callable[[], object]


@dataclass(slots=True)
class Sink:
    """Discard spans; while `weighing`, count them and the bytes of their attributes."""

    weighing: bool = False
    spans: int = 0
    size: int = 0

    def take(self, batch: Sequence[ReadableSpan]) -> None:
        """Take a batch."""
        if self.weighing:
            self.spans += len(batch)
            self.size += sum(
                len(str(key)) + len(str(value))
                for span in batch
                for key, value in (span.attributes or {}).items()
            )


class Discard(SpanExporter):
    """The exporter of the peers that have a span processor of OpenTelemetry's."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Throw a batch away."""
        self._sink.take(spans)
        return SpanExportResult.SUCCESS


def install(name: str, sink: Sink) -> Flush:
    """Switch the peer `name` on; return what waits until its spans are in the sink."""
    if name == "bare":
        return lambda: None
    family, _, content = name.partition(" ")
    if family == "traceai":
        return _traceai(content, sink)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Discard(sink)))
    trace.set_tracer_provider(provider)
    {"floor": _floor, "genai": _genai, "openinference": _openinference}[family](provider)
    return provider.force_flush


def _traceai(content: str, sink: Sink) -> Flush:
    import traceai  # noqa: PLC0415 - each peer is installed in an environment of its own
    from traceai import instrumentation  # noqa: PLC0415
    from traceai.config import Batching  # noqa: PLC0415
    from traceai.sender import Delivery  # noqa: PLC0415

    def deliver(batch: Sequence[ReadableSpan]) -> Delivery:
        sink.take(batch)
        return Delivery.SENT

    on = traceai.instrument(service="bench", release="1", environment="bench", content=content)
    instrumentation._process.exporter.reconnect(lambda: deliver, Batching())
    return on.flush


def _floor(provider: TracerProvider) -> None:
    from tests.bench import floor  # noqa: PLC0415

    floor.install(provider.get_tracer("floor"))


def _genai(provider: TracerProvider) -> None:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    _instrument("opentelemetry.instrumentation.genai", provider)


def _openinference(provider: TracerProvider) -> None:
    _instrument("openinference.instrumentation", provider)


def _instrument(namespace: str, provider: TracerProvider) -> None:
    """Switch on what a vendor has for both libraries; each is found in its environment only."""
    for library, kind in (("openai", "OpenAI"), ("langchain", "LangChain")):
        module = importlib.import_module(f"{namespace}.{library}")
        getattr(module, f"{kind}Instrumentor")().instrument(tracer_provider=provider)
