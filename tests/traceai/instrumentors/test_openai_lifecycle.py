"""Every call ends its span exactly once, with what really happened, and raises what it raises."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any

import openai
import pytest
from recorded import MODEL, QUESTION, helper_of, responses_of

from fake_provider import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded import Recorded

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True}


BROKEN: list[Any] = [
    {"id": "c-1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": "He"}}]},
    {"error": {"message": "It broke.", "code": "oops"}},
]


def test_an_error_in_a_stream_is_an_error_with_what_came_before(recorded: Recorded) -> None:
    recorded.fake.script = lambda _: Answer(events=BROKEN)
    with pytest.raises(openai.APIError, match="It broke"):
        list(recorded.client().chat.completions.create(**STREAMED))
    seen = recorded.span()
    assert (seen.status, seen["traceai.outcome"]) == ("ERROR", "error")
    assert (seen["error.type"], seen.text) == ("openai.APIError", "He")
    assert seen["http.response.status_code"] == 200


async def test_a_connection_lost_in_a_stream_is_an_error(recorded: Recorded) -> None:
    recorded.fake.script = lambda _: Answer(drop_after=3)
    async with recorded.aclient() as client:
        with pytest.raises(Exception, match=r"onnection|peer") as raised:
            async for _ in await client.chat.completions.create(**STREAMED):
                pass
    seen = recorded.span()
    assert (seen.status, seen["traceai.outcome"]) == ("ERROR", "error")
    assert seen["error.type"].endswith(type(raised.value).__qualname__)


def test_a_failed_response_is_an_error(recorded: Recorded) -> None:
    body = {
        "id": "resp_1",
        "model": MODEL,
        "status": "failed",
        "error": {"code": "server_error", "message": "It broke."},
        "output": [],
    }
    recorded.fake.script = lambda _: Answer(body=body)
    responses_of(recorded.client()).create(model=MODEL, input="Hello")
    seen = recorded.span()
    assert (seen.status, seen["traceai.outcome"]) == ("ERROR", "error")
    assert (seen["error.type"], seen["gen_ai.response.status"]) == ("server_error", "failed")
    assert seen.span.status.description == "It broke."


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_call_is_an_error(
    status: int,
    error: type[openai.APIStatusError],
    stream: bool,  # noqa: FBT001 - a table
    recorded: Recorded,
) -> None:
    recorded.fake.script = lambda _: Answer(status=status)
    async with recorded.aclient() as client:
        for call in (
            lambda: recorded.client().chat.completions.create(**ASKED, stream=stream),
            lambda: client.chat.completions.create(**ASKED, stream=stream),
        ):
            with pytest.raises(error) as raised:  # noqa: PT012 - sync and async in one
                result = call()
                if inspect.isawaitable(result):
                    await result
            assert raised.value.status_code == status
    first, second = recorded.spans()
    for seen in (first, second):
        assert (seen.status, seen["traceai.outcome"]) == ("ERROR", "error")
        assert seen["error.type"] == f"openai.{error.__name__}"
        assert seen["http.response.status_code"] == status
        assert seen["gen_ai.request.model"] == MODEL
        assert seen["traceai.attempt.number"] == 1


def _after(*statuses: int) -> Callable[[Request], Answer | None]:
    """Answer with these statuses, one after the other, then as usual."""

    def script(request: Request) -> Answer | None:
        if request.number < len(statuses):
            headers = {"retry-after-ms": "1"}
            return Answer(status=statuses[request.number], headers=headers)
        return None

    return script


async def test_retries_are_seen_with_their_reasons(recorded: Recorded) -> None:
    recorded.fake.script = _after(429, 503)
    recorded.client(max_retries=2).chat.completions.create(**ASKED)
    recorded.fake.requests.clear()
    async with recorded.aclient(max_retries=2) as client:
        stream = await client.chat.completions.create(**STREAMED)
        assert len([chunk async for chunk in stream]) > 3
    for seen in recorded.spans():
        assert seen["traceai.outcome"] == "completed"
        assert seen["traceai.attempt.number"] == 3
        assert seen["traceai.retry.reason"] == "rate_limit,server_error"
    assert len(recorded.spans()) == 2


def test_a_call_that_fails_after_its_retries_names_them_all(recorded: Recorded) -> None:
    recorded.fake.script = _after(500, 429)
    with pytest.raises(openai.RateLimitError):
        recorded.client(max_retries=1).chat.completions.create(**ASKED)
    seen = recorded.span()
    assert (seen["traceai.attempt.number"], seen["traceai.retry.reason"]) == (2, "server_error")
    assert seen["traceai.provider.request_id"].startswith("req_")


def test_a_lost_connection_is_a_reason_to_retry(recorded: Recorded) -> None:
    recorded.fake.script = lambda request: Answer(drop_after=0) if request.number == 0 else None
    recorded.client(max_retries=1).chat.completions.create(**ASKED)
    seen = recorded.span()
    assert (seen["traceai.attempt.number"], seen["traceai.retry.reason"]) == (2, "connection")


def test_a_timeout_is_an_error(recorded: Recorded) -> None:
    recorded.fake.script = lambda _: Answer(delay_s=0.2)
    with pytest.raises(openai.APITimeoutError):
        recorded.client(timeout=0.02).chat.completions.create(**ASKED)
    seen = recorded.span()
    assert (seen["traceai.outcome"], seen["error.type"]) == ("error", "openai.APITimeoutError")
    assert seen["http.response.status_code"] is None


async def test_a_cancelled_call_is_cancelled(recorded: Recorded) -> None:
    recorded.fake.script = lambda _: Answer(delay_s=0.2)
    async with recorded.aclient() as client:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.chat.completions.create(**ASKED), 0.03)
        task = asyncio.ensure_future(client.chat.completions.create(**ASKED))
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    outcomes = [(seen["traceai.outcome"], seen.status) for seen in recorded.spans()]
    assert outcomes == [("cancelled", "UNSET")] * 2


async def test_a_stream_cancelled_while_it_waits_is_cancelled(recorded: Recorded) -> None:
    release = threading.Event()

    def pause(number: int) -> None:
        if number == 3:
            release.wait(5)

    recorded.fake.script = lambda _: Answer(pause=pause)

    said = asyncio.Event()

    async def consume(client: Any) -> None:
        heard = ""
        async for chunk in await client.chat.completions.create(**STREAMED):
            heard += chunk.choices[0].delta.content or ""
            if heard == "Here is":
                said.set()

    async with recorded.aclient() as client:
        task = asyncio.create_task(consume(client))
        await said.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
    seen = recorded.span()
    assert (seen["traceai.outcome"], seen.status, seen.text) == ("cancelled", "UNSET", "Here is")


def test_an_answer_that_cannot_be_parsed_still_says_what_was_served(recorded: Recorded) -> None:
    choice = {
        "index": 0,
        "finish_reason": "length",
        "message": {"role": "assistant", "content": "{"},
    }
    body = {"id": "chatcmpl-1", "model": "m-1", "choices": [choice], "object": "chat.completion"}
    recorded.fake.script = lambda _: Answer(body=body)
    with pytest.raises(openai.LengthFinishReasonError):
        helper_of(recorded.client(), "parse")(**ASKED, response_format=_schema())
    seen = recorded.span()
    # The oldest versions parse the answer after their request has returned it.
    inside = hasattr(openai.resources.chat.Completions, "parse")
    assert seen["traceai.outcome"] == ("error" if inside else "completed")
    assert seen["gen_ai.response.model"] == "m-1"
    assert seen["gen_ai.response.finish_reasons"] == ("length",)


def _schema() -> Any:
    from pydantic import BaseModel  # noqa: PLC0415 - for one test

    class Order(BaseModel):
        order_id: str

    return Order
