"""The fake provider against the real OpenAI SDK, over real HTTP."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel
from stdnum import iban

from fake_answers import leaked_account, leaked_key
from fake_provider import FakeProvider
from traceai.evaluators.detect import detect

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTION: list[Any] = [{"role": "user", "content": "When does order A-1001 come?"}]
ORDER_TOOL: dict[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}},
    "required": ["order_id"],
}
CHAT_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "look_up_order", "parameters": ORDER_TOOL}},
    {"type": "function", "function": {"name": "track_parcel", "parameters": ORDER_TOOL}},
]


class Order(BaseModel):
    order_id: str
    amount: float
    lines: list[str]


def test_a_chat_answer_has_what_a_real_one_has(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=QUESTION)
    answer = raw.parse()
    assert raw.headers["x-request-id"].startswith("req_")
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "gpt-4o-mini-2024-07-18"
    assert answer.choices[0].finish_reason == "stop"
    assert "A-1001" in str(answer.choices[0].message.content)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.total_tokens
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.completion_tokens_details is not None


def test_two_servers_give_the_same_answers_and_one_gives_no_id_twice() -> None:
    def three() -> list[str]:
        with FakeProvider() as fake, OpenAI(base_url=fake.base_url, api_key="none") as asker:
            made = [
                asker.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
                for _ in range(3)
            ]
        return [answer.to_json() for answer in made]

    assert three() == three()
    assert len(set(three())) == 3


def test_a_stream_says_what_the_plain_answer_says(client: OpenAI) -> None:
    plain = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    spoken = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(choice.delta.content or "" for choice in spoken)
    assert text == plain.choices[0].message.content
    assert [c.finish_reason for c in spoken if c.finish_reason] == ["stop"]
    assert chunks[-1].usage == plain.usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_has_no_usage_that_was_not_asked_for(client: OpenAI) -> None:
    chunks = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True)
    assert [chunk.usage for chunk in chunks if chunk.usage] == []


async def test_async_calls_and_streams_work(provider: FakeProvider) -> None:
    async with AsyncOpenAI(base_url=provider.base_url, api_key="none") as asker:
        plain = await asker.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
        stream = await asker.chat.completions.create(
            model="gpt-4o-mini", messages=QUESTION, stream=True
        )
        parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(parts) == plain.choices[0].message.content


def test_offered_tools_are_called_then_their_results_are_answered(client: OpenAI) -> None:
    first = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, tools=CHAT_TOOLS
    ).choices[0]
    calls: list[Any] = first.message.tool_calls or []
    told: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": "It comes on Monday."}
        for call in calls
    ]
    second = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[*QUESTION, cast("Any", first.message.to_dict()), *told],
        tools=CHAT_TOOLS,
    ).choices[0]
    assert first.finish_reason == "tool_calls"
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("look_up_order", '{"order_id": "A-1001"}'),
        ("track_parcel", '{"order_id": "A-1001"}'),
    ]
    assert len({call.id for call in calls}) == 2
    assert second.finish_reason == "stop"
    assert "It comes on Monday." in str(second.message.content)


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", []),
        ("auto", ["look_up_order", "track_parcel"]),
        ({"type": "function", "function": {"name": "track_parcel"}}, ["track_parcel"]),
    ],
)
def test_tool_choice_is_obeyed(client: OpenAI, choice: Any, called: list[str]) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, tools=CHAT_TOOLS, tool_choice=choice
    )
    calls: list[Any] = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == called


def test_streamed_tool_calls_assemble_to_the_plain_ones(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="gpt-4o-mini", messages=QUESTION, tools=CHAT_TOOLS
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [call.function.arguments for call in calls] == ['{"order_id": "A-1001"}'] * 2


def test_a_schema_is_followed(client: OpenAI) -> None:
    chat = client.chat.completions.parse(
        model="gpt-4o-mini", messages=QUESTION, response_format=Order
    )
    responses = client.responses.parse(
        model="gpt-4o-mini", input="Order A-1001?", text_format=Order
    )
    parsed = (chat.choices[0].message.parsed, responses.output_parsed)
    assert [order.order_id for order in parsed if order] == ["A-1001", "A-1001"]


def test_n_choices_are_given(client: OpenAI) -> None:
    plain = client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, n=2)
    chunks = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, n=2, stream=True
    )
    assert [choice.index for choice in plain.choices] == [0, 1]
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}


@pytest.mark.parametrize(
    "asked", [{"encoding_format": "float"}, {}], ids=["floats", "base64, which the SDK prefers"]
)
def test_near_texts_have_near_embeddings(client: OpenAI, asked: dict[str, Any]) -> None:
    answer = client.embeddings.create(
        model="text-embedding-3-small",
        input=["refunds take 30 days", "the shipping of parcels", "a refund"],
        **asked,
    )
    vectors = [row.embedding for row in answer.data]
    assert [len(row) for row in vectors] == [1536, 1536, 1536]
    assert math.dist(vectors[0], vectors[2]) < math.dist(vectors[1], vectors[2])
    assert answer.usage.total_tokens > 0


def test_embedding_dimensions_are_obeyed(client: OpenAI) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input="a", dimensions=8)
    assert [len(row.embedding) for row in answer.data] == [8]


def test_a_response_and_its_stream_say_the_same(client: OpenAI) -> None:
    plain = client.responses.create(model="gpt-4o-mini", input="When?", instructions="Be brief.")
    with client.responses.stream(model="gpt-4o-mini", input="When?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert plain.id.startswith("resp_")
    assert plain.model == "gpt-4o-mini-2024-07-18"
    assert plain.usage is not None
    assert final.output_text == plain.output_text != ""
    assert final.usage == plain.usage
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_a_response_calls_tools_then_answers(client: OpenAI) -> None:
    offered: list[Any] = [
        {"type": "function", "name": "look_up_order", "parameters": ORDER_TOOL, "strict": False}
    ]
    with client.responses.stream(
        model="gpt-4o-mini", input="Order A-1001?", tools=offered
    ) as stream:
        call: Any = stream.get_final_response().output[0]
    told: list[Any] = [
        {"role": "user", "content": "Order A-1001?"},
        {"type": "function_call", **call.to_dict()},
        {"type": "function_call_output", "call_id": call.call_id, "output": "It is paid."},
    ]
    second = client.responses.create(model="gpt-4o-mini", input=told, tools=offered)
    assert call.arguments == '{"order_id": "A-1001"}'
    assert "It is paid." in second.output_text


def test_models_are_listed(client: OpenAI) -> None:
    assert "gpt-4o-mini" in [model.id for model in client.models.list()]


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("gpt-4o-mini-overloaded", openai.RateLimitError),
        ("gpt-4o-mini-broken", openai.InternalServerError),
        ("this-model-does-not-exist", openai.NotFoundError),
    ],
)
def test_a_model_name_can_ask_for_an_error(
    client: OpenAI, model: str, problem: type[openai.APIStatusError]
) -> None:
    with pytest.raises(problem) as caught:
        client.with_options(max_retries=0).chat.completions.create(model=model, messages=QUESTION)
    assert str(caught.value.request_id).startswith("req_")


def test_the_leak_is_a_valid_account_number_and_a_key(client: OpenAI) -> None:
    asked: list[Any] = [{"role": "user", "content": "Repeat my account number and API key."}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=asked)
    text = str(answer.choices[0].message.content)
    assert iban.is_valid(leaked_account())
    assert leaked_account() in text
    assert leaked_key() in text
    assert [finding.kind for finding in detect(text)] == ["IBAN_CODE", "OPENAI_API_KEY"]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 99\r\n\r\n{",
        b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 15\r\n\r\n" + b'{"stream":true}',
    ],
    ids=["before a request", "within a request", "within the answer"],
)
def test_a_client_that_leaves_is_no_event(
    provider: FakeProvider, client: OpenAI, capfd: pytest.CaptureFixture[str], sent: bytes
) -> None:
    address = httpx.URL(provider.base_url)
    connection = socket.create_connection((address.host, address.port))
    connection.sendall(sent)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()  # with this option: reset
    assert client.models.list().data != []
    provider.stop()
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(10)
    assert capfd.readouterr().err == ""


def test_the_command_prints_its_address_and_ends_on_sigterm() -> None:
    with subprocess.Popen(
        [sys.executable, EXAMPLES / "fake_provider.py", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with OpenAI(base_url=address, api_key="none") as asker:
            assert asker.models.list().data != []
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
