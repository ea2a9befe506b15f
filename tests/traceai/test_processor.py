"""Evidence and its ancestors are exported, in any dialect, and nothing else."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import traceai
from traceai import semconv
from traceai.config import Batching
from traceai.exporter import Exporter
from traceai.processor import EvidenceProcessor, OpenSpan, OpenSpans
from traceai.sender import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span, Tracer


class Line:
    """A provider with our processor, and what came out at the other end."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.exporter = Exporter(lambda: self.deliver, Batching(delay_s=0.01))
        self.processor = EvidenceProcessor()
        self.processor.active, self.processor.exporter = True, self.exporter
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)

    def tracer(self, scope: str = "app") -> Tracer:
        return self.provider.get_tracer(scope)

    def names(self) -> list[str]:
        self.exporter.flush(10)
        return [span.name for span in self.spans]

    def orphans(self) -> list[str]:
        """Return the exported spans whose parent is neither exported nor said to be elsewhere."""
        ids = {span.context.span_id for span in self.spans if span.context}
        return [
            span.name
            for span in self.spans
            if span.parent and not span.parent.is_remote and span.parent.span_id not in ids
        ]

    def deliver(self, spans: Sequence[ReadableSpan]) -> Delivery:
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


def test_every_span_above_evidence_is_exported_in_whatever_order_they_end(line: Line) -> None:
    app = line.tracer()
    request = app.start_span("request")
    job = app.start_span("job", context=trace.set_span_in_context(request))
    call = line.tracer("traceai").start_span("chat", context=trace.set_span_in_context(job))
    for span in (request, call, job):
        span.end()
    assert line.names() == ["request", "chat", "job"]
    assert line.orphans() == []


def test_a_parent_that_was_over_before_evidence_began_is_said_to_be_elsewhere(line: Line) -> None:
    app = line.tracer()
    request = app.start_span("request")
    job = app.start_span("job", context=trace.set_span_in_context(request))
    request.end()
    line.tracer("traceai").start_span("chat", context=trace.set_span_in_context(job)).end()
    job.end()
    assert line.names() == ["chat", "job"]
    assert line.orphans() == []
    (_, late) = line.spans
    assert late.parent is not None
    assert (late.parent.is_remote, late.parent.span_id) == (
        True,
        request.get_span_context().span_id,
    )
    assert not job.parent.is_remote  # type: ignore[attr-defined]  # an SDK span has it


def test_a_span_that_turns_out_to_be_evidence_brings_what_is_above_it(line: Line) -> None:
    with line.tracer().start_as_current_span("request"):
        call = line.tracer().start_span("call")
        call.set_attribute("gen_ai.system", "x")
        call.end()
    assert line.names() == ["call", "request"]
    assert line.orphans() == []


def test_a_root_stays_wanted_however_many_calls_are_beneath_it(line: Line) -> None:
    chat = line.tracer("traceai")
    line.exporter.reconnect(lambda: line.deliver, Batching(max_queue_size=100_000, delay_s=0.01))
    with line.tracer().start_as_current_span("root"), chat.start_as_current_span("agent"):
        for _ in range(20_000):
            chat.start_span("chat").end()
    assert line.names()[-2:] == ["agent", "root"]


class Tree:
    """A tree of spans drawn at random: who is above whom, who is evidence, who ends when."""

    def __init__(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(1, 12))
        self.above = [data.draw(st.integers(-1, n - 1)) for n in range(size)]
        self.evidence = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
        # Each is started in order; ends fall anywhere after the start.
        self.steps = [
            step
            for _, step in sorted(
                step
                for n in range(size)
                for step in (
                    ((n, 0), (n, "start")),
                    ((data.draw(st.integers(n, size)), 1), (n, "end")),
                )
            )
        ]

    def run(self, line: Line) -> None:
        spans: dict[int, Span] = {}
        for number, step in self.steps:
            if step == "end":
                spans[number].end()
                continue
            above = spans.get(self.above[number])
            context = None if above is None else trace.set_span_in_context(above)
            tracer = line.tracer("traceai" if self.evidence[number] else "app")
            spans[number] = tracer.start_span(str(number), context=context)


@given(st.data())
def test_no_exported_span_waits_for_a_parent_that_never_comes(data: st.DataObject) -> None:
    tree, line = Tree(data), Line()
    tree.run(line)
    evidence = {str(number) for number, is_evidence in enumerate(tree.evidence) if is_evidence}
    assert evidence <= set(line.names())
    assert line.orphans() == []
    line.exporter.close(1)


def test_the_memory_of_open_spans_is_bounded_and_forgets_the_oldest() -> None:
    spans = OpenSpans()
    for span_id in range(1, 40_000):
        spans.open(span_id, None)
    kept = [span_id for span_id in range(1, 40_000) if spans.find(span_id)]
    assert len(kept) <= 16_384
    assert kept == list(range(kept[0], 40_000))


def test_a_chain_of_spans_that_follow_each_other_keeps_nothing_alive(line: Line) -> None:
    tracer, previous = line.tracer(), None
    for _ in range(5_000):
        context = None if previous is None else trace.set_span_in_context(previous)
        current = tracer.start_span("step", context=context)
        if previous is not None:
            previous.end()
        previous = current
    gc.collect()
    assert sum(isinstance(each, OpenSpan) for each in gc.get_objects()) < 100


def test_a_parent_in_another_process_stays_there(line: Line) -> None:
    caller = trace.SpanContext(7, 8, is_remote=True, trace_flags=trace.TraceFlags(1))
    beneath = trace.set_span_in_context(trace.NonRecordingSpan(caller))
    line.tracer("traceai").start_span("chat", context=beneath).end()
    assert line.names() == ["chat"]
    assert line.spans[0].parent == caller
