"""Evidence is recorded in full whatever provider there is, and the rest is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from traceai.config import Batching
from traceai.exporter import Exporter
from traceai.provider import OwnProvider, Providers, application_provider, sampling
from traceai.sender import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = ("traceai", "0", "")


class Backend:
    """The application's provider and what its own backend receives."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self.received = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        # Not the batching kind, but with its rule: what is not sampled is not sent.
        self.provider.add_span_processor(SimpleSpanProcessor(self.received))

    def names(self) -> list[str]:
        return [span.name for span in self.received.get_finished_spans()]


class Evidence:
    """Our providers and what leaves through them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.exporter = Exporter(lambda: self._deliver, Batching(delay_s=0.01))
        self.providers = Providers(Resource({"service.name": "ours"}))

    def names(self) -> list[str]:
        self.exporter.flush(10)
        return [span.name for span in self.spans]

    def _deliver(self, spans: Sequence[ReadableSpan]) -> Delivery:
        self.spans.extend(spans)
        return Delivery.SENT


@pytest.fixture
def evidence() -> Iterator[Evidence]:
    evidence = Evidence()
    yield evidence
    evidence.providers.silence()
    evidence.exporter.close(1)


@pytest.fixture(autouse=True)
def _no_global_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", type(trace._TRACER_PROVIDER_SET_ONCE)())


def test_spans_go_through_the_applications_provider(evidence: Evidence) -> None:
    backend = Backend()
    trace.set_tracer_provider(backend.provider)
    evidence.providers.tracer(NAME, evidence.exporter).start_span("chat").end()
    assert (backend.names(), evidence.names()) == (["chat"], ["chat"])


def test_a_provider_that_is_passed_is_used_instead_of_the_global_one(evidence: Evidence) -> None:
    backend, other = Backend(), Backend()
    trace.set_tracer_provider(other.provider)
    tracer = evidence.providers.tracer(NAME, evidence.exporter, chosen=backend.provider)
    tracer.start_span("chat").end()
    assert (backend.names(), other.names(), evidence.names()) == (["chat"], [], ["chat"])


def test_beside_another_global_provider_its_spans_are_said_to_be_elsewhere(
    evidence: Evidence,
) -> None:
    shared = Resource({"service.name": "app"})
    chosen = TracerProvider(resource=shared, shutdown_on_exit=False)
    trace.set_tracer_provider(TracerProvider(resource=shared, shutdown_on_exit=False))
    tracer = evidence.providers.tracer(NAME, evidence.exporter, chosen=chosen)
    with trace.get_tracer("app").start_as_current_span("request") as request:
        tracer.start_span("chat").end()
    assert evidence.names() == ["chat"]
    parent = evidence.spans[0].parent
    assert parent is not None
    assert (parent.is_remote, parent.span_id) == (True, request.get_span_context().span_id)


def test_without_a_provider_ours_becomes_the_global_one_and_manual_spans_join(
    evidence: Evidence,
) -> None:
    tracer = evidence.providers.tracer(NAME, evidence.exporter)
    with trace.get_tracer("app").start_as_current_span("handle") as handle:
        tracer.start_span("chat").end()
    assert evidence.names() == ["chat", "handle"]
    parent = evidence.spans[0].parent
    assert parent is not None
    assert parent.span_id == handle.get_span_context().span_id


def test_a_provider_that_the_application_sets_later_is_its_global_one(
    evidence: Evidence, caplog: pytest.LogCaptureFixture
) -> None:
    early = evidence.providers.tracer(NAME, evidence.exporter)
    early_manual = trace.get_tracer("app")
    early.start_span("before").end()
    backend = Backend()
    trace.set_tracer_provider(backend.provider)
    with early_manual.start_as_current_span("handle"):
        early.start_span("after").end()
    assert trace.get_tracer_provider() is backend.provider
    assert backend.names() == ["after", "handle"]
    assert evidence.names() == ["before", "after", "handle"]
    assert caplog.messages == []


async def test_a_tracer_handed_out_early_still_decorates_coroutines(evidence: Evidence) -> None:
    evidence.providers.tracer(NAME, evidence.exporter)
    tracer = trace.get_tracer("app")

    @tracer.start_as_current_span("handle")
    async def handle() -> trace.Span:
        return trace.get_current_span()

    backend = Backend()
    trace.set_tracer_provider(backend.provider)
    span = await handle()
    assert isinstance(span, ReadableSpan)
    assert backend.names() == ["handle"]


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, TraceIdRatioBased(0.0), ParentBased(ALWAYS_OFF)])
def test_what_the_application_samples_out_is_recorded_beside_it(
    evidence: Evidence, sampler: Sampler
) -> None:
    backend = Backend(sampler)
    trace.set_tracer_provider(backend.provider)
    tracer = evidence.providers.tracer(NAME, evidence.exporter)
    application = trace.get_tracer("app")
    with (
        application.start_as_current_span("request") as request,
        tracer.start_as_current_span("agent") as agent,
    ):
        application.start_span("SELECT").end()
        tracer.start_span("chat").end()
    assert (backend.names(), evidence.names()) == ([], ["chat", "agent"])
    chat, root = evidence.spans
    ids = {span.context.trace_id for span in (chat, root) if span.context}
    assert ids == {request.get_span_context().trace_id}
    assert (chat.parent and chat.parent.span_id) == agent.get_span_context().span_id
    assert not agent.get_span_context().trace_flags.sampled


def test_a_parent_that_is_not_recorded_is_marked_as_elsewhere(evidence: Evidence) -> None:
    trace.set_tracer_provider(Backend(ParentBased(ALWAYS_OFF)).provider)
    tracer = evidence.providers.tracer(NAME, evidence.exporter)
    with trace.get_tracer("app").start_as_current_span("request") as request:
        tracer.start_span("chat").end()
    evidence.exporter.flush(10)
    parent = evidence.spans[0].parent
    assert parent is not None
    assert parent.is_remote
    assert parent.span_id == request.get_span_context().span_id


def test_what_the_application_samples_its_backend_sees(evidence: Evidence) -> None:
    backend = Backend(TraceIdRatioBased(1.0))
    trace.set_tracer_provider(backend.provider)
    tracer = evidence.providers.tracer(NAME, evidence.exporter)
    with trace.get_tracer("app").start_as_current_span("request"):
        tracer.start_span("chat").end()
    assert (backend.names(), evidence.names()) == (["chat", "request"], ["chat", "request"])


@pytest.mark.parametrize("sampler", [None, DEFAULT_ON])
def test_a_caller_that_is_not_sampled_costs_no_evidence_and_stays_so(
    evidence: Evidence, sampler: Sampler | None
) -> None:
    if sampler is not None:
        trace.set_tracer_provider(Backend(sampler).provider)
    tracer = evidence.providers.tracer(NAME, evidence.exporter)
    caller = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(0))
    beneath = trace.set_span_in_context(NonRecordingSpan(caller))
    span = tracer.start_span("chat", context=beneath)
    span.end()
    assert evidence.names() == ["chat"]
    assert span.get_span_context().trace_id == 7
    assert not span.get_span_context().trace_flags.sampled


def test_isolated_spans_stay_away_from_the_application(evidence: Evidence) -> None:
    backend = Backend()
    trace.set_tracer_provider(backend.provider)
    tracer = evidence.providers.tracer(NAME, evidence.exporter, isolated=True)
    with trace.get_tracer("app").start_as_current_span("request") as request:
        tracer.start_span("chat").end()
    assert (backend.names(), evidence.names()) == (["request"], ["chat"])
    parent = evidence.spans[0].parent
    assert parent is not None
    assert (parent.is_remote, parent.span_id) == (True, request.get_span_context().span_id)


def test_isolated_spans_leave_no_global_provider(evidence: Evidence) -> None:
    evidence.providers.tracer(NAME, evidence.exporter, isolated=True)
    assert application_provider() is None
    assert not isinstance(trace.get_tracer_provider(), OwnProvider)


def test_a_tree_of_isolated_spans_holds_together(evidence: Evidence) -> None:
    tracer = evidence.providers.tracer(NAME, evidence.exporter, isolated=True)
    with tracer.start_as_current_span("agent"):
        tracer.start_span("chat").end()
    assert evidence.names() == ["chat", "agent"]
    parent = evidence.spans[0].parent
    assert parent is not None
    assert not parent.is_remote


def test_a_change_to_isolated_silences_the_applications_provider(evidence: Evidence) -> None:
    backend = Backend()
    trace.set_tracer_provider(backend.provider)
    evidence.providers.tracer(NAME, evidence.exporter).start_span("first").end()
    evidence.providers.tracer(NAME, evidence.exporter, isolated=True)
    trace.get_tracer("app").start_span("chat", attributes={"gen_ai.system": "x"}).end()
    assert evidence.names() == ["first"]


def test_silence_leaves_the_global_provider_to_others(evidence: Evidence) -> None:
    evidence.providers.tracer(NAME, evidence.exporter)
    manual = trace.get_tracer("app")
    evidence.providers.silence()
    span = manual.start_span("after", attributes={"gen_ai.system": "x"})
    span.end()
    assert not span.is_recording()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert evidence.names() == []


def test_every_attribute_has_room_on_our_own_provider(evidence: Evidence) -> None:
    tracer = evidence.providers.tracer(NAME, evidence.exporter, isolated=True)
    span = tracer.start_span("chat")
    span.set_attributes({str(number): "x" * 10_000 for number in range(1000)})
    span.end()
    evidence.exporter.flush(10)
    assert len(evidence.spans[0].attributes or {}) == 1000
    assert evidence.spans[0].dropped_attributes == 0


def test_a_foreign_kind_of_global_provider_is_left_alone(evidence: Evidence) -> None:
    foreign = trace.NoOpTracerProvider()
    trace.set_tracer_provider(foreign)
    evidence.providers.tracer(NAME, evidence.exporter).start_span("chat").end()
    assert trace.get_tracer_provider() is foreign
    assert evidence.names() == ["chat"]


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (ALWAYS_ON, None),
        (DEFAULT_ON, None),
        (TraceIdRatioBased(0.1), "TraceIdRatioBased{0.1}"),
        (ALWAYS_OFF, "AlwaysOffSampler"),
    ],
)
def test_a_sampler_that_leaves_spans_out_is_named(sampler: Sampler, said: str | None) -> None:
    assert sampling(Backend(sampler).provider) == said


def test_no_provider_samples_nothing_out() -> None:
    assert sampling(None) is None


def test_a_context_that_is_passed_is_the_parent(evidence: Evidence) -> None:
    tracer = evidence.providers.tracer(NAME, evidence.exporter)
    parent = tracer.start_span("agent")
    child = tracer.start_span("chat", context=trace.set_span_in_context(parent, otel.Context()))
    child.end()
    parent.end()
    assert evidence.names() == ["chat", "agent"]
