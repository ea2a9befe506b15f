"""Every way to make a call gives the application what it gets bare, and one whole span."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from recorded import ANSWER, MODEL, QUESTION, SERVED, alike, helper_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded import Recorded

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
GIVEN: dict[str, Any] = {"model": MODEL, "input": "Where is order A-1001?"}
EMBEDDED: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["one", "two"]}


class Order(BaseModel):
    order_id: str


def plain(client: Any) -> Any:
    return client.chat.completions.create(**ASKED).to_dict()


async def plain_async(client: Any) -> Any:
    return (await client.chat.completions.create(**ASKED)).to_dict()


def streamed(client: Any) -> Any:
    return [chunk.to_dict() for chunk in client.chat.completions.create(**STREAMED)]


async def streamed_async(client: Any) -> Any:
    return [chunk.to_dict() async for chunk in await client.chat.completions.create(**STREAMED)]


def streamed_in_with(client: Any) -> Any:
    with client.chat.completions.create(**STREAMED) as stream:
        return [chunk.to_dict() for chunk in stream]


async def streamed_in_async_with(client: Any) -> Any:
    async with await client.chat.completions.create(**STREAMED) as stream:
        return [chunk.to_dict() async for chunk in stream]


def streamed_by_next(client: Any) -> Any:
    stream = client.chat.completions.create(**STREAMED)
    chunks = []
    while (chunk := next(stream, None)) is not None:
        chunks.append(chunk.to_dict())
    return chunks


def helper(client: Any) -> Any:
    options = {"stream_options": {"include_usage": True}}
    with helper_of(client, "stream")(**ASKED, **options) as stream:
        types = [event.type for event in stream]
        return types, stream.get_final_completion().to_dict()


async def helper_async(client: Any) -> Any:
    options = {"stream_options": {"include_usage": True}}
    async with helper_of(client, "stream")(**ASKED, **options) as stream:
        types = [event.type async for event in stream]
        return types, (await stream.get_final_completion()).to_dict()


def raw(client: Any) -> Any:
    got = client.chat.completions.with_raw_response.create(**ASKED)
    return got.headers["x-request-id"], got.parse().to_dict()


async def raw_async(client: Any) -> Any:
    got = await client.chat.completions.with_raw_response.create(**ASKED)
    return got.headers["x-request-id"], got.parse().to_dict()


def raw_unparsed(client: Any) -> Any:
    return json.loads(client.chat.completions.with_raw_response.create(**ASKED).text)


def raw_streamed(client: Any) -> Any:
    got = client.chat.completions.with_raw_response.create(**STREAMED)
    return [chunk.to_dict() for chunk in got.parse()]


async def raw_streamed_async(client: Any) -> Any:
    got = await client.chat.completions.with_raw_response.create(**STREAMED)
    return [chunk.to_dict() async for chunk in got.parse()]


def raw_streamed_lines(client: Any) -> Any:
    got = client.chat.completions.with_raw_response.create(**STREAMED)
    return list(got.http_response.iter_lines())


def body_parsed(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        return got.parse().to_dict()


async def body_parsed_async(client: Any) -> Any:
    async with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        return (await got.parse()).to_dict()


def body_read_in_pieces(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        return json.loads(b"".join(got.iter_bytes(chunk_size=7)))


async def body_lines_async(client: Any) -> Any:
    async with client.chat.completions.with_streaming_response.create(**STREAMED) as got:
        return [line async for line in got.iter_lines()]


def body_lines(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(**STREAMED) as got:
        return list(got.iter_lines())


def body_as_stream(client: Any) -> Any:
    with client.chat.completions.with_streaming_response.create(**STREAMED) as got:
        return [chunk.to_dict() for chunk in got.parse()]


CHATS = [
    plain,
    plain_async,
    streamed,
    streamed_async,
    streamed_in_with,
    streamed_in_async_with,
    streamed_by_next,
    helper,
    helper_async,
    raw,
    raw_async,
    raw_unparsed,
    raw_streamed,
    raw_streamed_async,
    raw_streamed_lines,
    body_parsed,
    body_parsed_async,
    body_read_in_pieces,
    body_lines,
    body_lines_async,
    body_as_stream,
]


@pytest.mark.parametrize("make", CHATS)
async def test_a_chat_has_one_whole_span(make: Callable[[Any], Any], recorded: Recorded) -> None:
    seen = await alike(make, recorded)
    asked = recorded.fake.requests[0].json
    assert (seen.name, seen.status, seen.span.kind.name) == (f"chat {MODEL}", "UNSET", "CLIENT")
    known = dict(seen.attributes)
    stream = "stream" in asked
    assert (known.pop("gen_ai.response.time_to_first_chunk", None) is not None) == stream
    assert known.pop("gen_ai.response.id").startswith("chatcmpl-")
    assert known.pop("traceai.provider.request_id").startswith("req_")
    assert known.pop("server.port") > 0
    assert json.loads(known.pop("gen_ai.input.messages")) == [
        {"role": "user", "parts": [{"type": "text", "content": "Where is order A-1001?"}]}
    ]
    assert json.loads(known.pop("gen_ai.output.messages")) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": ANSWER}],
            "finish_reason": "stop",
        }
    ]
    assert known == {
        **({"gen_ai.request.stream": True} if stream else {}),
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": SERVED,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 13,
        "gen_ai.usage.output_tokens": 15,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "openai.api.type": "chat_completions",
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_0ba0d124f1",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "traceai.attempt.number": 1,
        "traceai.content.state": "full",
        "traceai.outcome": "completed",
    }
