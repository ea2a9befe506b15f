"""An answer that is broken in any way reaches the application as it would bare, and ends its span.

These run as in production: a failure of ours would be swallowed, so each test counts them too.
"""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from recorded import MODEL, QUESTION, Recorded, responses_of

from fake_openai import chat_chunks, chat_completion, embeddings
from fake_provider import Answer
from fake_responses import response, response_events
from traceai.attributes import Content, render
from traceai.errors import guard
from traceai.instrumentors.openai_calls import shape_of
from traceai.semconv import ContentState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

TOOL: Any = {"name": "look_up_order", "description": "?", "parameters": {"type": "object"}}
ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
WRONG: tuple[Any, ...] = (
    *(None, 0, 7, 2.5, True, "", "text", [], {}),
    *([None], [7], ["text"], [[]], [{}], {"type": 7}, {"type": ["a"], "id": {}}),
)


@pytest.fixture(autouse=True)
def production(reraise: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    del reraise
    monkeypatch.setattr(guard, "reraise", False)
    before = guard.failures
    yield
    assert guard.failures == before


def mutants(value: Any) -> Iterator[Any]:
    """Yield the value with each part of it, one at a time, replaced by each wrong one."""
    yield from WRONG
    keyed = value.items() if isinstance(value, dict) else ()
    keyed = enumerate(value) if isinstance(value, list) else keyed
    for key, part in keyed:
        for mutant in mutants(part):
            whole = value.copy()
            whole[key] = mutant
            yield whole


def read(path: str, body: dict[str, Any], answer: Any) -> None:
    """Read an answer as a call would, down to its attributes."""
    shape = shape_of("post", path)
    assert shape is not None
    call = shape.record(body, path)
    shape.answered(call, answer)
    shape.replied(call, answer)
    for value in render(call, Content(state=ContentState.FULL, digest=str), {}).values():
        items = value if isinstance(value, list) else [value]
        assert all(isinstance(item, str | int | float) for item in items)


CHAT = {**ASKED, "tools": [{"type": "function", "function": TOOL}]}
GIVEN = {"model": MODEL, "input": "Where is order A-1001?"}
GIVEN_TOOL = {**GIVEN, "tools": [{"type": "function", **TOOL}]}
EMBEDDED = {"model": MODEL, "input": ["one"], "dimensions": 2}


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/chat/completions", ASKED, chat_completion(ASKED, 0)),
        ("/chat/completions", CHAT, chat_completion(CHAT, 0)),
        ("/completions", GIVEN, {"id": "c", "choices": [{"text": "a", "finish_reason": "stop"}]}),
        ("/responses", GIVEN, response(GIVEN, 0)),
        ("/responses", GIVEN_TOOL, response(GIVEN_TOOL, 0)),
        ("/embeddings", EMBEDDED, embeddings(EMBEDDED, 0)),
    ],
)
def test_an_answer_with_any_part_of_the_wrong_type_can_be_read(
    path: str, body: dict[str, Any], answer: Any
) -> None:
    for mutant in mutants(answer):
        read(path, body, mutant)


@pytest.mark.parametrize(
    ("path", "body", "chunks"),
    [
        ("/chat/completions", ASKED, chat_chunks(ASKED, 0)[:3]),
        ("/chat/completions", CHAT, chat_chunks(CHAT, 0)),
        ("/responses", GIVEN, response_events(GIVEN, 0)[-5:]),
        ("/responses", GIVEN_TOOL, response_events(GIVEN_TOOL, 0)[-5:]),
    ],
)
def test_a_stream_with_any_part_of_the_wrong_type_can_be_merged(
    path: str, body: dict[str, Any], chunks: list[Any]
) -> None:
    shape = shape_of("post", path)
    assert shape is not None
    for number, chunk in enumerate(chunks):
        for mutant in mutants(chunk):
            fold = shape.fold(body, content=True)
            for part in (*chunks[:number], mutant, *chunks[number + 1 :]):
                fold.add(part)
            assert fold.whole in (True, False)
            read(path, body, fold.answer())


def test_arguments_that_a_gateway_sends_whole_are_kept() -> None:
    shape = shape_of("post", "/chat/completions")
    assert shape is not None
    fold = shape.fold(ASKED, content=True)
    call = {"index": 0, "id": "t", "function": {"name": "f", "arguments": {"a": 1}}}
    fold.add({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})
    record: Any = shape.record(ASKED, "/chat/completions")
    shape.replied(record, fold.answer())
    assert record.output_messages[0]["parts"] == [
        {"type": "tool_call", "id": "t", "name": "f", "arguments": {"a": 1}}
    ]


def delta(**said: Any) -> dict[str, Any]:
    return {"id": "c-1", "model": MODEL, "choices": [{"index": 0, "delta": said}]}


WHOLE_TOOL = {"index": 0, "id": "t", "function": {"name": "f", "arguments": {"a": 1}}}
SAID: list[Any] = [
    *WRONG,
    {"choices": None},
    {"choices": 7},
    {"choices": [None]},
    {"choices": [{"index": "0", "delta": 7}, {"index": [1]}]},
    {"id": 7, "model": 7, "usage": "many", "choices": [{"finish_reason": 7, "message": "x"}]},
    {"choices": [{"message": {"content": 7, "role": 7, "tool_calls": [WHOLE_TOOL, 7]}}]},
    {"error": 7, "status": ["failed"], "output": [{"type": 7}, None]},
    {"type": "response.output_text.delta", "delta": 7, "output_index": {}},
    {"type": "response.completed", "response": 7},
    delta(content=7, role=7),
    delta(tool_calls=[WHOLE_TOOL]),
    delta(tool_calls=[7], function_call="f"),
]
BODIES = [b"", b"not JSON", b"{", b"\xff\xfe", *(json.dumps(said).encode() for said in SAID)]
STREAMS = [[f"data: {body.decode(errors='replace')}\n\n", "data: [DONE]\n\n"] for body in BODIES]
SCRIPTS = {
    False: [Answer(body=body) for body in BODIES],
    True: [Answer(events=events) for events in STREAMS],
}


def chat(client: Any) -> Any:
    return client.chat.completions.create(**ASKED)


def chat_raw(client: Any) -> Any:
    return client.chat.completions.with_raw_response.create(**ASKED).parse()


def chat_body(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        return got.read()


def responses(client: Any) -> Any:
    return responses_of(client).create(**GIVEN)


def embed(client: Any) -> Any:
    return client.embeddings.create(model=MODEL, input="one")


async def chat_async(client: Any) -> Any:
    return await client.chat.completions.create(**ASKED)


def chat_stream(client: Any) -> Any:
    return list(client.chat.completions.create(**ASKED, stream=True))


def chat_stream_raw(client: Any) -> Any:
    got = client.chat.completions.with_raw_response.create(**ASKED, stream=True)
    return list(got.parse())


def chat_stream_left(client: Any) -> Any:
    with client.chat.completions.create(**ASKED, stream=True) as stream:
        return next(stream, None)


def responses_stream(client: Any) -> Any:
    return list(responses_of(client).create(**GIVEN, stream=True))


async def chat_stream_async(client: Any) -> Any:
    return [chunk async for chunk in await client.chat.completions.create(**ASKED, stream=True)]


async def responses_stream_async(client: Any) -> Any:
    return [event async for event in await responses_of(client).create(**GIVEN, stream=True)]


async def outcomes(
    make: Callable[[Any], Any], client: openai.OpenAI | openai.AsyncOpenAI, recorded: Recorded
) -> AsyncIterator[str]:
    """Yield what the application gets for each broken answer."""
    for answer in SCRIPTS["stream" in make.__name__]:
        recorded.fake.script = lambda _, answer=answer: answer
        try:
            got = make(client)
            yield repr(await got if inspect.isawaitable(got) else got)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises
            yield f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "make",
    [
        chat,
        chat_raw,
        chat_body,
        responses,
        embed,
        chat_async,
        chat_stream,
        chat_stream_raw,
        chat_stream_left,
        responses_stream,
        chat_stream_async,
        responses_stream_async,
    ],
)
async def test_the_application_gets_what_it_gets_bare_and_each_call_one_span(
    make: Callable[[Any], Any], recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    client = recorded.aclient() if inspect.iscoroutinefunction(make) else recorded.client()
    seen = [got async for got in outcomes(make, client, recorded)]
    spans = recorded.spans()
    assert [
        each for each in caplog.records if each.name.startswith(("opentelemetry", "trace"))
    ] == []
    assert len(spans) == len(seen) == len(BODIES)
    assert all(span["traceai.outcome"] for span in spans)
    recorded.applied.remove()
    assert seen == [got async for got in outcomes(make, client, recorded)]
    assert len(recorded.spans()) == len(spans)
    if not isinstance(client, openai.OpenAI):
        await client.close()
