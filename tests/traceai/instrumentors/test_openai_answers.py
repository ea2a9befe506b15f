"""Responses, embeddings, tools and structured output: the same to the application, one span."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from recorded import ANSWER, MODEL, QUESTION, SERVED, alike, helper_of, responses_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded import Recorded

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}
GIVEN: dict[str, Any] = {"model": MODEL, "input": "Where is order A-1001?"}
EMBEDDED: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["one", "two"]}


class Order(BaseModel):
    order_id: str


def answered(client: Any) -> Any:
    return responses_of(client).create(**GIVEN).to_dict()


async def answered_async(client: Any) -> Any:
    return (await responses_of(client).create(**GIVEN)).to_dict()


def answered_streamed(client: Any) -> Any:
    return [event.to_dict() for event in responses_of(client).create(**GIVEN, stream=True)]


async def answered_streamed_async(client: Any) -> Any:
    stream = await responses_of(client).create(**GIVEN, stream=True)
    return [event.to_dict() async for event in stream]


def answered_by_helper(client: Any) -> Any:
    with responses_of(client).stream(**GIVEN) as stream:
        types = [event.type for event in stream]
        return types, stream.get_final_response().to_dict()


def answered_raw(client: Any) -> Any:
    return responses_of(client).with_raw_response.create(**GIVEN).parse().to_dict()


def answered_as_body(client: Any) -> Any:
    with responses_of(client).with_streaming_response.create(**GIVEN) as got:
        return got.parse().to_dict()


ANSWERS = [
    answered,
    answered_async,
    answered_streamed,
    answered_streamed_async,
    answered_by_helper,
    answered_raw,
    answered_as_body,
]


@pytest.mark.parametrize("make", ANSWERS)
async def test_a_response_has_one_whole_span(
    make: Callable[[Any], Any], recorded: Recorded
) -> None:
    seen = await alike(make, recorded)
    assert (seen.name, seen.status, seen.text) == (f"chat {MODEL}", "UNSET", ANSWER)
    assert seen["gen_ai.response.id"].startswith("resp_")
    assert seen["gen_ai.response.model"] == SERVED
    assert seen["gen_ai.response.finish_reasons"] == ("stop",)
    assert (seen["gen_ai.usage.input_tokens"], seen["gen_ai.usage.output_tokens"]) == (6, 15)
    assert seen["openai.api.type"] == "responses"
    assert seen["gen_ai.response.status"] == "completed"
    assert seen["traceai.outcome"] == "completed"


def embedded(client: Any) -> Any:
    return client.embeddings.create(**EMBEDDED).to_dict()


async def embedded_async(client: Any) -> Any:
    return (await client.embeddings.create(**EMBEDDED)).to_dict()


def embedded_raw(client: Any) -> Any:
    return client.embeddings.with_raw_response.create(**EMBEDDED).parse().to_dict()


@pytest.mark.parametrize("make", [embedded, embedded_async, embedded_raw])
async def test_an_embedding_has_a_span_without_vectors(
    make: Callable[[Any], Any], recorded: Recorded
) -> None:
    seen = await alike(make, recorded)
    assert (seen.name, seen.status) == ("embeddings text-embedding-3-small", "UNSET")
    assert seen["gen_ai.response.model"] == "text-embedding-3-small"
    assert seen["gen_ai.embeddings.dimension.count"] == 1536
    assert seen["gen_ai.usage.input_tokens"] == 2
    assert seen["traceai.outcome"] == "completed"
    assert [part["content"] for part in seen.json("gen_ai.input.messages")[0]["parts"]] == [
        "one",
        "two",
    ]
    assert all(len(str(value)) < 200 for value in seen.attributes.values())


def parsed(client: Any) -> Any:
    return helper_of(client, "parse")(**ASKED, response_format=Order).choices[0].message.parsed


async def test_structured_output_is_recorded_as_json(recorded: Recorded) -> None:
    seen = await alike(parsed, recorded)
    assert seen["gen_ai.output.type"] == "json"
    assert json.loads(seen.text) == {"order_id": "A-1001"}


def response_parsed(client: Any) -> Any:
    return responses_of(client).parse(**GIVEN, text_format=Order).output_parsed


async def test_a_structured_response_is_recorded_as_json(recorded: Recorded) -> None:
    seen = await alike(response_parsed, recorded)
    assert (seen["gen_ai.output.type"], seen.text) == ("json", '{"order_id": "A-1001"}')


TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": "?", "parameters": schema}}
    for schema in [{"type": "object", "properties": {"order_id": {"type": "string"}}}]
    for name in ("look_up_order", "track_parcel")
]


def tools(client: Any) -> Any:
    return client.chat.completions.create(**ASKED, tools=TOOLS).to_dict()


def tools_streamed(client: Any) -> Any:
    stream = client.chat.completions.create(**STREAMED, tools=TOOLS)
    return [chunk.to_dict() for chunk in stream]


def tools_in_response(client: Any) -> Any:
    flat = [{"type": "function", **tool["function"]} for tool in TOOLS]
    return responses_of(client).create(**GIVEN, tools=flat).to_dict()


def tools_in_streamed_response(client: Any) -> Any:
    flat = [{"type": "function", **tool["function"]} for tool in TOOLS]
    stream = responses_of(client).create(**GIVEN, tools=flat, stream=True)
    return [event.to_dict() for event in stream]


@pytest.mark.parametrize(
    "make", [tools, tools_streamed, tools_in_response, tools_in_streamed_response]
)
async def test_parallel_tool_calls_are_recorded(
    make: Callable[[Any], Any], recorded: Recorded
) -> None:
    seen = await alike(make, recorded)
    (said,) = seen.json("gen_ai.output.messages")
    calls = [(part["type"], part["name"], part["arguments"]) for part in said["parts"]]
    assert calls == [
        ("tool_call", "look_up_order", {"order_id": "A-1001"}),
        ("tool_call", "track_parcel", {"order_id": "A-1001"}),
    ]
    assert len({part["id"] for part in said["parts"]}) == 2
    assert seen["gen_ai.response.finish_reasons"] == ("tool_call",)
    assert [tool["name"] for tool in seen.json("gen_ai.tool.definitions")] == [
        "look_up_order",
        "track_parcel",
    ]


def two_choices_streamed(client: Any) -> Any:
    return [chunk.to_dict() for chunk in client.chat.completions.create(**STREAMED, n=2)]


async def test_every_choice_has_its_finish_reason(recorded: Recorded) -> None:
    seen = await alike(two_choices_streamed, recorded)
    assert seen["gen_ai.request.choice.count"] == 2
    assert seen["gen_ai.response.finish_reasons"] == ("stop", "stop")
    assert seen.text == ANSWER * 2
