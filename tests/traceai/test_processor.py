"""Evidence and its ancestors are exported, in any dialect, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import traceai
from traceai import semconv
from traceai.config import Batching
from traceai.exporter import Exporter
from traceai.processor import Ancestors, EvidenceProcessor
from traceai.sender import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span, Tracer


class Line:
    """A provider with our processor, and what came out at the other end."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.exporter = Exporter(lambda: self._deliver, Batching(delay_s=0.01))
        self.processor = EvidenceProcessor()
        self.processor.active, self.processor.exporter = True, self.exporter
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)

    def tracer(self, scope: str = "app") -> Tracer:
        return self.provider.get_tracer(scope)

    def names(self) -> list[str]:
        self.exporter.flush(10)
        return [span.name for span in self.spans]

    def _deliver(self, spans: Sequence[ReadableSpan]) -> Delivery:
        self.spans.extend(spans)
        return Delivery.SENT


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.exporter.close(1)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.operation.name",
        "gen_ai.system",
        "openinference.span.kind",
        "llm.request.type",
        "traceloop.span.kind",
        "langfuse.observation.type",
        "langsmith.span.kind",
        "ai.operationId",
        "traceai.guardrail.name",
        "mcp.method.name",
    ],
)
def test_a_call_is_evidence_in_any_dialect(line: Line, key: str) -> None:
    line.tracer().start_span("call", attributes={key: "x"}).end()
    assert line.names() == ["call"]


def test_a_span_of_ours_is_evidence_by_its_scope(line: Line) -> None:
    line.tracer("traceai").start_span("ours").end()
    assert line.names() == ["ours"]


def test_an_identity_makes_no_evidence_of_a_span(line: Line) -> None:
    prompt: dict[str, Any] = {semconv.PROMPT_NAME: "p", semconv.CONVERSATION_ID: "c"}
    with traceai.context(user="u", route="r", tags="t"):
        line.tracer().start_span("GET /", attributes=prompt).end()
    assert line.names() == []


def test_ancestors_are_exported_and_their_other_children_are_not(line: Line) -> None:
    tracer = line.tracer()
    with tracer.start_as_current_span("POST /chat"):
        with tracer.start_as_current_span("handler"):
            tracer.start_span("SELECT").end()
            line.tracer("traceai").start_span("chat").end()
        tracer.start_span("GET /health").end()
    assert line.names() == ["chat", "handler", "POST /chat"]


def test_a_parent_that_ends_before_its_child_is_exported(line: Line) -> None:
    parent = line.tracer().start_span("request")
    beneath = trace.set_span_in_context(parent)
    call = line.tracer("traceai").start_span("chat", context=beneath)
    parent.end()
    call.end()
    assert line.names() == ["request", "chat"]


def test_identity_stands_on_spans_of_others(line: Line) -> None:
    with traceai.context(user="u", route="r"):
        line.tracer("opentelemetry.instrumentation.openai").start_span(
            "chat", attributes={"gen_ai.system": "openai"}
        ).end()
    line.exporter.flush(10)
    assert dict(line.spans[0].attributes or {}) == {
        "gen_ai.system": "openai",
        "user.id": "u",
        "traceai.route": "r",
    }


def _start(line: Line, **attributes: Any) -> Span:
    return line.tracer("traceai").start_span("chat", attributes=attributes)


@pytest.mark.parametrize("silence", [lambda p: setattr(p, "active", False)])
def test_an_inactive_processor_does_nothing(
    line: Line, silence: Callable[[EvidenceProcessor], None]
) -> None:
    silence(line.processor)
    with traceai.context(user="u"):
        span = _start(line)
    span.end()
    assert line.names() == []
    assert line.processor.force_flush()
    assert dict(span.attributes) == {}  # type: ignore[attr-defined]  # an SDK span has them


def test_without_an_exporter_identities_are_written_all_the_same(line: Line) -> None:
    line.processor.exporter = None
    with traceai.context(user="u"):
        span = _start(line)
    span.end()
    assert dict(span.attributes) == {"user.id": "u"}  # type: ignore[attr-defined]  # as above


def test_a_flush_of_the_provider_waits_for_what_waits(line: Line) -> None:
    _start(line).end()
    assert line.provider.force_flush()
    assert [span.name for span in line.spans] == ["chat"]


def test_the_memory_of_ancestors_is_bounded_and_forgets_the_oldest() -> None:
    ancestors = Ancestors()
    for span_id in range(1, 40_000):
        ancestors.add(trace.SpanContext(1, span_id, is_remote=False))
    kept = [span_id for span_id in range(1, 40_000) if span_id in ancestors]
    assert len(kept) <= 16_384
    assert kept == list(range(kept[0], 40_000))


def test_a_parent_in_another_process_is_not_waited_for() -> None:
    ancestors = Ancestors()
    ancestors.add(trace.SpanContext(1, 7, is_remote=True))
    ancestors.add(None)
    assert 7 not in ancestors
