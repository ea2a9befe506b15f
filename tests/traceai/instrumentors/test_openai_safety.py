"""What we promise the application: nothing of its own changes, and silence where it asks for it."""

from __future__ import annotations

import contextlib
import gc
import pickle
from typing import TYPE_CHECKING, Any

import openai
import pytest
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from recorded import ANSWER, MODEL, QUESTION, SERVED, record_openai

from traceai.attributes import Content
from traceai.call import Inference
from traceai.errors import guard
from traceai.instrumentors.openai import instrument_openai
from traceai.instrumentors.openai_flight import Flight
from traceai.instrumentors.patch import Supported, _Wrapped, apply, remove
from traceai.recorder import Recorder, announce
from traceai.semconv import ContentState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recorded import Recorded

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True}


@contextlib.contextmanager
def attached(context: Any) -> Iterator[None]:
    token = otel.attach(context)
    try:
        yield
    finally:
        otel.detach(token)


def test_messages_from_a_generator_reach_the_provider_and_the_span(recorded: Recorded) -> None:
    messages: Any = (message for message in QUESTION)
    recorded.client().chat.completions.create(model=MODEL, messages=messages)
    assert recorded.fake.requests[0].json["messages"] == QUESTION
    assert recorded.span().json("gen_ai.input.messages")[0]["role"] == "user"


def test_what_is_returned_is_of_the_very_same_class(recorded: Recorded) -> None:
    create = recorded.client().chat.completions.create
    stream = create(**STREAMED)
    assert type(create(**ASKED)) is openai.types.chat.ChatCompletion
    assert type(stream) is openai.Stream
    assert isinstance(stream, openai.Stream)
    stream.close()


async def test_an_async_stream_is_of_the_very_same_class(recorded: Recorded) -> None:
    async with recorded.aclient() as client:
        stream = await client.chat.completions.create(**STREAMED)
        assert type(stream) is openai.AsyncStream
        assert len([chunk async for chunk in stream]) > 3


def test_what_could_be_pickled_can_be_pickled(recorded: Recorded) -> None:
    completions = recorded.client().chat.completions
    answer = completions.create(**ASKED)
    response = completions.with_raw_response.create(**ASKED).http_response
    assert pickle.loads(pickle.dumps(answer)) == answer
    assert pickle.loads(pickle.dumps(response)).json() == response.json()
    assert b"traceai" not in pickle.dumps(response)


@pytest.mark.parametrize(
    "key",
    ["suppress_instrumentation", otel._SUPPRESS_INSTRUMENTATION_KEY],
    ids=["older", "of the API"],
)
def test_suppressed_calls_have_no_span(key: str, recorded: Recorded) -> None:
    with attached(otel.set_value(key, "yes")):
        assert recorded.client().chat.completions.create(**ASKED).model == SERVED
    assert recorded.spans() == []


def test_calls_that_are_no_model_calls_have_no_span(recorded: Recorded) -> None:
    recorded.client().models.list()
    with pytest.raises(openai.NotFoundError):
        recorded.client().get("/chat/completions/chatcmpl-1", cast_to=object)
    assert recorded.spans() == []


def test_removing_leaves_no_patch_and_disarms_what_clients_keep(recorded: Recorded) -> None:
    from openai import _base_client as base  # noqa: PLC0415 - a private module of the SDK

    client = recorded.client()
    kept = client.chat.completions.with_raw_response
    kept.create(**ASKED)
    recorded.applied.remove()
    recorded.exporter.clear()
    kept.create(**ASKED)
    client.chat.completions.create(**ASKED)
    assert recorded.spans() == []
    assert [vars(kind).get("request") for kind in (openai.OpenAI, openai.AsyncOpenAI)] == [None] * 2
    for kind in (base.BaseClient, base.SyncAPIClient, base.AsyncAPIClient):
        assert [value for value in vars(kind).values() if isinstance(value, _Wrapped)] == []


def test_a_client_made_before_is_recorded_after(recorded: Recorded) -> None:
    recorded.applied.remove()
    client = recorded.client()
    client.chat.completions.create(**ASKED)
    assert recorded.spans() == []
    again = instrument_openai(recorded.recorder)
    client.chat.completions.create(**ASKED)
    again.remove()
    assert recorded.span().name == f"chat {MODEL}"


def test_instrumenting_twice_gives_one_span_a_call(recorded: Recorded) -> None:
    instrument_openai(recorded.recorder)
    recorded.client().chat.completions.create(**ASKED)
    assert len(recorded.spans()) == 1
    recorded.applied.remove()
    recorded.client().chat.completions.create(**ASKED)
    assert len(recorded.spans()) == 1


def test_an_unsupported_version_is_named_and_not_touched() -> None:
    applied = Supported(library="openai", low=(0, 1), high=(0, 2)).install(())
    assert (applied.supported, applied.patches) == (False, ())
    assert f"openai {openai.__version__} is not supported" in applied.warnings[0]


def test_the_installed_version_has_every_place_that_is_patched(recorded: Recorded) -> None:
    assert recorded.applied.supported
    assert recorded.applied.version == openai.__version__
    assert recorded.applied.warnings == ()


def test_without_the_private_names_of_the_sdk_calls_still_end(recorded: Recorded) -> None:
    recorded.applied.remove()
    public = [patch for patch in recorded.applied.patches if "_" not in patch.target]
    assert len(public) == 2
    apply(public)
    completions = recorded.client().chat.completions
    completions.create(**ASKED)
    list(completions.create(**STREAMED))
    completions.create(**STREAMED).close()
    completions.with_raw_response.create(**ASKED)
    remove(public)
    outcomes = [seen["traceai.outcome"] for seen in recorded.spans()]
    assert outcomes == ["completed", "completed", "abandoned", "completed"]
    assert [seen["gen_ai.response.model"] for seen in recorded.spans()] == [SERVED] * 2 + [
        None,
        SERVED,
    ]


@pytest.mark.parametrize("recorded", [ContentState.NONE], indirect=True)
def test_without_content_the_facts_are_complete(recorded: Recorded) -> None:
    client = recorded.client()
    client.chat.completions.create(**ASKED)
    list(client.chat.completions.create(**STREAMED))
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="does-not-exist", messages=QUESTION)
    whole, streamed, failed = recorded.spans()
    for seen in (whole, streamed):
        assert seen["gen_ai.response.model"] == SERVED
        assert seen["gen_ai.response.finish_reasons"] == ("stop",)
        assert seen["traceai.content.state"] == "none"
    for seen in (whole, streamed, failed):
        assert not any("messages" in name for name in seen.attributes)
        assert "A-1001" not in str(dict(seen.attributes))
    assert (failed.status, failed.span.status.description) == ("ERROR", None)


def test_a_call_that_is_not_sampled_keeps_nothing(recorded: Recorded) -> None:
    recorded.applied.remove()
    with record_openai(ContentState.FULL, sampler=ALWAYS_OFF) as off:
        stream = off.client().chat.completions.create(**STREAMED)
        next(stream)
        gc.collect()
        assert [kept for kept in gc.get_objects() if type(kept) is Flight] == []
        assert len(list(stream)) > 3
        assert off.client().chat.completions.create(**ASKED).model == SERVED
        assert off.spans() == []


def test_nothing_is_retained_after_calls(recorded: Recorded) -> None:
    client = recorded.client()
    client.chat.completions.create(**ASKED)
    list(client.chat.completions.create(**STREAMED))
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="does-not-exist", messages=QUESTION)
    gc.collect()
    assert [kept for kept in gc.get_objects() if type(kept) is Flight] == []


def test_a_failure_of_ours_never_reaches_the_application(recorded: Recorded) -> None:
    recorded.applied.remove()
    guard.reraise = False
    content = Content(state=ContentState.DIGEST, digest=lambda text: text[0].missing)  # type: ignore[attr-defined] # the fault
    applied = instrument_openai(Recorder(recorded.recorder.tracer, content))
    client = recorded.client()
    assert client.chat.completions.create(**ASKED).choices[0].message.content == ANSWER
    assert len(list(client.chat.completions.create(**STREAMED))) > 3
    applied.remove()
    assert len(recorded.spans()) == 2


def test_a_tracer_that_fails_never_reaches_the_application(recorded: Recorded) -> None:
    recorded.applied.remove()
    guard.reraise = False
    tracer: Any = object()
    applied = instrument_openai(Recorder(tracer, recorded.recorder.content))
    assert recorded.client().chat.completions.create(**ASKED).model == SERVED
    applied.remove()


class Faulty(SpanProcessor):
    """A span processor of the application's that fails at one moment."""

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        del span, parent_context
        self.fail("start")

    def on_end(self, span: Any) -> None:
        del span
        self.fail("end")

    def fail(self, moment: str) -> None:
        if moment == self.moment:
            raise RuntimeError(moment)


@pytest.mark.parametrize("moment", ["start", "end"])
def test_a_span_processor_that_fails_never_reaches_the_application(
    moment: str, recorded: Recorded
) -> None:
    guard.reraise = False
    recorded.provider.add_span_processor(Faulty(moment))
    completions = recorded.client().chat.completions
    assert completions.create(**ASKED).choices[0].message.content == ANSWER
    assert len(list(completions.create(**STREAMED))) > 3
    with pytest.raises(openai.NotFoundError):
        completions.create(model="does-not-exist", messages=QUESTION)


def test_the_span_is_current_for_the_http_client_and_for_nobody_else(recorded: Recorded) -> None:
    below: list[int] = []

    def hook(_: Any) -> None:
        below.append(trace.get_current_span().get_span_context().span_id)

    http = openai.DefaultHttpxClient(event_hooks={"request": [hook]})
    tracer = recorded.provider.get_tracer("app")
    with tracer.start_as_current_span("app") as mine:
        loop = recorded.client(http_client=http).chat.completions.create(**STREAMED)
        around = {trace.get_current_span().get_span_context().span_id for _ in loop}
    call, _ = recorded.spans()
    assert below == [call.id]
    assert around == {mine.get_span_context().span_id}
    assert call.span.parent is not None
    assert call.span.parent.span_id == mine.get_span_context().span_id


def test_a_framework_that_announced_the_call_keeps_its_span(recorded: Recorded) -> None:
    outer = Inference(provider="framework", request_model=MODEL, response_id="lc-1")
    recording = recorded.recorder.start(outer)
    client = recorded.client()
    with attached(announce(recording)):
        client.embeddings.create(model="text-embedding-3-small", input="an embedding is another")
        list(client.chat.completions.create(**STREAMED))
        assert not recording.ended
        client.chat.completions.create(**ASKED)
    recording.complete()
    embedding, second, seen = recorded.spans()
    assert embedding.name == "embeddings text-embedding-3-small"
    assert second.span.parent is not None
    assert second.span.parent.span_id == seen.id
    assert seen["gen_ai.provider.name"] == "framework"
    assert seen["gen_ai.response.id"].startswith("chatcmpl-")
    assert seen["gen_ai.response.model"] == SERVED
    assert seen["gen_ai.response.finish_reasons"] == ("stop",)
    assert seen["server.address"] == "127.0.0.1"
    assert seen["traceai.provider.request_id"].startswith("req_")
    assert seen["traceai.attempt.number"] == 1
