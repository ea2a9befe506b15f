"""A span ends exactly once, with its outcome."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import traceai
from traceai import semconv
from traceai.attributes import Content
from traceai.call import AgentRun, Call, Embedding, Inference, Retrieval, ToolExecution
from traceai.errors import guard
from traceai.recorder import Recorder, announce, claim, outcome_of, suppressed
from traceai.semconv import ContentState, Outcome


@pytest.fixture
def finished() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def recorder(finished: InMemorySpanExporter) -> Recorder:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(finished))
    policy = Content(state=ContentState.REDACTED, digest=lambda text: text)
    return Recorder(provider.get_tracer("traceai"), policy)


@pytest.mark.parametrize(
    ("call", "name", "kind"),
    [
        (Inference(request_model="gpt-4o"), "chat gpt-4o", SpanKind.CLIENT),
        (Inference(), "chat", SpanKind.CLIENT),
        (Embedding(request_model="e"), "embeddings e", SpanKind.CLIENT),
        (Retrieval(data_source_id="faq"), "retrieval faq", SpanKind.CLIENT),
        (ToolExecution(name="weather"), "execute_tool weather", SpanKind.INTERNAL),
        (AgentRun(name="planner"), "invoke_agent planner", SpanKind.INTERNAL),
    ],
)
def test_a_span_is_named_after_its_operation_and_target(
    recorder: Recorder, finished: InMemorySpanExporter, call: Call, name: str, kind: SpanKind
) -> None:
    recorder.start(call).complete()
    (span,) = finished.get_finished_spans()
    assert (span.name, span.kind) == (name, kind)


def test_of_many_ends_the_first_counts(recorder: Recorder, finished: InMemorySpanExporter) -> None:
    recording = recorder.start(Inference())
    recording.abandon()
    recording.complete()
    recording.fail(ValueError("late"))
    (span,) = finished.get_finished_spans()
    assert (span.attributes or {})[semconv.OUTCOME] == "abandoned"
    assert span.status.status_code is StatusCode.UNSET


def test_threads_that_race_to_end_a_call_end_it_once(
    recorder: Recorder, finished: InMemorySpanExporter
) -> None:
    recording = recorder.start(Inference())
    barrier = threading.Barrier(8)

    def end() -> None:
        barrier.wait()
        recording.complete()

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(end)
    assert len(finished.get_finished_spans()) == 1
    assert recording.ended


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError(), Outcome.ERROR),
        (TimeoutError(), Outcome.ERROR),
        (SystemExit(), Outcome.ERROR),
        (asyncio.CancelledError(), Outcome.CANCELLED),
        (KeyboardInterrupt(), Outcome.CANCELLED),
        (GeneratorExit(), Outcome.ABANDONED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_says_how_a_call_ended(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_an_error_has_its_type_and_its_redacted_text(
    recorder: Recorder, finished: InMemorySpanExporter
) -> None:
    key = "sk-proj-" + hashlib.sha256(b"key").hexdigest()
    recorder.start(Inference()).fail(ValueError(f"bad key {key}"))
    (span,) = finished.get_finished_spans()
    attributes = span.attributes or {}
    assert (attributes[semconv.ERROR_TYPE], attributes[semconv.OUTCOME]) == ("ValueError", "error")
    assert span.status.status_code is StatusCode.ERROR
    assert key not in str(span.status.description)
    assert span.events == ()


def test_an_error_that_cannot_say_itself_is_recorded_all_the_same(
    recorder: Recorder, finished: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute(Exception):  # noqa: N818 - it is the application's
        def __str__(self) -> str:
            raise RuntimeError

    monkeypatch.setattr(guard, "reraise", False)
    recorder.start(Inference(response_model="m")).fail(Mute())
    (span,) = finished.get_finished_spans()
    assert (span.attributes or {})[semconv.RESPONSE_MODEL] == "m"
    assert span.status.status_code is StatusCode.ERROR


def test_a_failure_of_ours_still_ends_the_span(
    recorder: Recorder, finished: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    recorder.start(Call(operation=semconv.Operation.PLAN)).complete()
    assert len(finished.get_finished_spans()) == 1


def test_a_processor_that_fails_at_the_end_reaches_nobody(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(guard, "reraise", False)
    recording = recorder.start(Inference())
    span: Any = recording.span
    monkeypatch.setattr(span._span_processor, "on_end", fail)
    recording.complete()
    assert recording.ended


def test_a_call_that_completed_with_an_error_is_an_error(
    recorder: Recorder, finished: InMemorySpanExporter
) -> None:
    recorder.start(ToolExecution(name="t", error_type="tool_error", error_text="no")).complete()
    (span,) = finished.get_finished_spans()
    assert (span.attributes or {})[semconv.OUTCOME] == "error"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no")


def test_what_runs_beneath_a_recording_is_its_child(
    recorder: Recorder, finished: InMemorySpanExporter
) -> None:
    agent = recorder.start(AgentRun(name="a"))
    recorder.start(Inference(), parent=agent.context).complete()
    agent.complete()
    child, parent = finished.get_finished_spans()
    assert child.parent is not None
    assert parent.context is not None
    assert child.parent.span_id == parent.context.span_id


def test_a_request_claims_the_span_of_the_model_run_above_it_once(recorder: Recorder) -> None:
    run = recorder.start(Inference())
    token = otel.attach(announce(run))
    try:
        assert [claim(), claim()] == [run, None]
    finally:
        otel.detach(token)
    assert claim() is None


def test_a_run_that_has_ended_cannot_be_claimed(recorder: Recorder) -> None:
    run = recorder.start(Inference())
    run.complete()
    token = otel.attach(announce(run))
    try:
        assert claim() is None
    finally:
        otel.detach(token)


@pytest.mark.parametrize(
    "key",
    [
        otel._SUPPRESS_INSTRUMENTATION_KEY,
        "suppress_instrumentation",
        "suppress_language_model_instrumentation",
    ],
    ids=["of the API", "older", "of OpenLLMetry"],
)
def test_silence_is_kept_where_it_was_asked_for(key: str) -> None:
    assert not suppressed()
    token = otel.attach(otel.set_value(key, value=True))
    try:
        assert suppressed()
    finally:
        otel.detach(token)


def test_a_framework_cannot_replace_the_users_conversation(
    recorder: Recorder, finished: InMemorySpanExporter
) -> None:
    with traceai.context(session="s-1"):
        recording = recorder.start(Inference(conversation_id="thread-9"))
    recording.complete()
    (span,) = finished.get_finished_spans()
    assert semconv.CONVERSATION_ID not in (span.attributes or {})
