"""What a script can make the fake provider do to a client, over real HTTP."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import OpenAI

from fake_openai import chat_frames
from fake_provider import Answer, FakeProvider

if TYPE_CHECKING:
    from fake_provider import Request

QUESTION: list[Any] = [{"role": "user", "content": "When does order A-1001 come?"}]


def test_a_script_can_ask_for_a_retry() -> None:
    def first_is_busy(request: Request) -> Answer | None:
        return Answer(status=429, headers={"Retry-After-Ms": "1"}) if request.number == 0 else None

    with (
        FakeProvider(first_is_busy) as fake,
        OpenAI(base_url=fake.base_url, api_key="none") as asker,
    ):
        answer = asker.chat.completions.create(model="gpt-4o-mini", messages=QUESTION)
        retries = [request.headers["x-stainless-retry-count"] for request in fake.requests]
    assert answer.id.startswith("chatcmpl-")
    assert retries == ["0", "1"]


def test_a_script_can_add_headers_to_the_usual_answer() -> None:
    with (
        FakeProvider(lambda _: Answer(headers={"x-litellm-call-id": "c-1"})) as fake,
        OpenAI(base_url=fake.base_url, api_key="none") as asker,
    ):
        raw = asker.chat.completions.with_raw_response.create(model="gpt-4o", messages=QUESTION)
    assert raw.headers["x-litellm-call-id"] == "c-1"
    assert raw.parse().model == "gpt-4o-2024-08-06"


def test_a_script_can_replace_the_body() -> None:
    with (
        FakeProvider(lambda _: Answer(body=b"<html>not JSON</html>")) as fake,
        OpenAI(base_url=fake.base_url, api_key="none") as asker,
        pytest.raises(ValueError, match="Expecting value"),
    ):
        asker.chat.completions.create(model="gpt-4o", messages=QUESTION)


def test_a_script_can_break_a_stream_with_an_error_event() -> None:
    def broken(request: Request) -> Answer:
        sent = chat_frames(request.json, request.number)[:2]
        return Answer(events=[*sent, {"error": {"message": "overloaded", "code": "busy"}}])

    with FakeProvider(broken) as fake, OpenAI(base_url=fake.base_url, api_key="none") as asker:
        stream = asker.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
        assert [len(next(stream).choices) for _ in range(2)] == [1, 1]
        with pytest.raises(openai.APIError, match="overloaded"):
            next(stream)


def test_a_script_can_drop_the_connection() -> None:
    with (
        FakeProvider(lambda _: Answer(drop_after=0)) as fake,
        OpenAI(base_url=fake.base_url, api_key="none", max_retries=0) as asker,
    ):
        with pytest.raises(openai.APIConnectionError):
            asker.chat.completions.create(model="gpt-4o", messages=QUESTION)
        fake.script = lambda _: Answer(drop_after=2)
        stream = asker.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
        assert [len(next(stream).choices) for _ in range(2)] == [1, 1]
        with pytest.raises(openai.APIConnectionError):
            next(stream)


def test_a_script_can_hold_a_stream_until_the_test_lets_go() -> None:
    let_go = threading.Event()

    def hold(number: int) -> None:
        if number == 2:
            let_go.wait(10)

    with (
        FakeProvider(lambda _: Answer(pause=hold)) as fake,
        OpenAI(base_url=fake.base_url, api_key="none") as asker,
    ):
        stream = asker.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
        before = [next(stream), next(stream)]
        let_go.set()
        after = list(stream)
    assert len(before) == 2
    assert after[-1].choices[0].finish_reason == "stop"


def test_a_client_that_leaves_a_stream_does_not_disturb_the_next(
    client: OpenAI, provider: FakeProvider
) -> None:
    with client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True) as stream:
        next(stream)
    answer = client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert answer.choices[0].finish_reason == "stop"
    assert [request.path for request in provider.requests] == ["/v1/chat/completions"] * 2
