"""A body that somebody else has read first is still an answer that the application has to read."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from recorded import ANSWER, MODEL, QUESTION, SERVED, Recorded

from fake_provider import Answer, FakeProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


def read(response: Any) -> None:
    response.read()


async def aread(response: Any) -> None:
    await response.aread()


@pytest.fixture
def client(recorded: Recorded) -> Any:
    """Return a client whose hook reads each body, as logging hooks and recorders of traffic do."""
    return recorded.client(http_client=openai.DefaultHttpxClient(event_hooks={"response": [read]}))


def test_a_stream_that_a_hook_has_read_ends_when_the_application_has_read_it(
    client: Any, recorded: Recorded
) -> None:
    stream = client.chat.completions.create(**STREAMED)
    assert type(stream) is openai.Stream
    first = next(stream)
    assert recorded.spans() == []
    assert [first, *stream][-1].usage
    whole(recorded)


async def test_an_async_stream_that_a_hook_has_read_is_followed_too(recorded: Recorded) -> None:
    hooked = openai.DefaultAsyncHttpxClient(event_hooks={"response": [aread]})
    async with recorded.aclient(http_client=hooked) as client:
        stream = await client.chat.completions.create(**STREAMED)
        assert recorded.spans() == []
        assert [chunk async for chunk in stream]
    whole(recorded)


def test_a_raw_stream_that_a_hook_has_read_is_complete_at_once(
    client: Any, recorded: Recorded
) -> None:
    got = client.chat.completions.with_raw_response.create(**STREAMED)
    whole(recorded)
    assert list(got.parse())
    whole(recorded)


def whole(recorded: Recorded) -> None:
    seen = recorded.span()
    assert (seen["traceai.outcome"], seen.text) == ("completed", ANSWER)
    assert seen["gen_ai.response.model"] == SERVED
    assert seen["gen_ai.response.finish_reasons"] == ("stop",)
    assert seen["gen_ai.usage.output_tokens"] == 15


def test_a_stream_that_a_hook_has_read_and_nobody_else_is_abandoned(
    client: Any, recorded: Recorded
) -> None:
    stream = client.chat.completions.create(**STREAMED)
    said = [next(stream).choices[0].delta.content for _ in range(4)]
    del stream
    gc.collect()
    seen = recorded.span()
    assert (seen["traceai.outcome"], seen.text) == ("abandoned", "".join(said))


@pytest.fixture
def separated() -> Iterator[str]:
    """Return the address of a provider whose text holds separators of lines that JSON allows."""
    choice = {"index": 0, "delta": {"content": "a\u2028b\x85c"}, "finish_reason": "stop"}
    event = json.dumps({"id": "c", "model": "m", "choices": [choice]}, ensure_ascii=False)
    with FakeProvider(lambda _: Answer(events=[f"data: {event}\r\n\r\n"])) as provider:
        yield provider.base_url


def test_a_stream_read_as_bytes_keeps_the_separators_in_its_text(
    separated: str, recorded: Recorded
) -> None:
    client = recorded.client(base_url=separated)
    with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        assert got.read()
    assert recorded.span().text == "a\u2028b\x85c"
