"""An answer that nobody reads to its end is abandoned, however it is left."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from recorded import MODEL, QUESTION, helper_of, responses_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded import Recorded

ASKED: dict[str, Any] = {"model": MODEL, "messages": QUESTION}
STREAMED: dict[str, Any] = {**ASKED, "stream": True}


def break_and_drop(client: Any) -> None:
    for _ in client.chat.completions.create(**STREAMED):
        break


def close_unread(client: Any) -> None:
    client.chat.completions.create(**STREAMED).close()


def close_half_read(client: Any) -> None:
    stream = client.chat.completions.create(**STREAMED)
    next(stream)
    stream.close()
    keep.append(stream)


def leave_with(client: Any) -> None:
    with client.chat.completions.create(**STREAMED) as stream:
        next(stream)
    keep.append(stream)


def close_the_response(client: Any) -> None:
    stream = client.chat.completions.create(**STREAMED)
    next(stream)
    stream.response.close()
    keep.append(stream)


def leave_the_helper(client: Any) -> None:
    with helper_of(client, "stream")(**ASKED) as stream:
        next(iter(stream))
    keep.append(stream)


def leave_the_response_helper(client: Any) -> None:
    with responses_of(client).stream(model=MODEL, input="Hello") as stream:
        next(iter(stream))
    keep.append(stream)


def drop_raw_unparsed(client: Any) -> None:
    client.chat.completions.with_raw_response.create(**STREAMED)


def leave_the_body_unread(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        keep.append(got)


def leave_the_body_half_read(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(**STREAMED) as got:
        next(got.iter_lines())
        keep.append(got)


async def break_and_drop_async(client: Any) -> None:
    async for _ in await client.chat.completions.create(**STREAMED):
        break


async def close_unread_async(client: Any) -> None:
    await (await client.chat.completions.create(**STREAMED)).close()


async def leave_async_with(client: Any) -> None:
    async with await client.chat.completions.create(**STREAMED) as stream:
        await anext(stream)
    keep.append(stream)


async def leave_the_helper_async(client: Any) -> None:
    async with helper_of(client, "stream")(**ASKED) as stream:
        async for _ in stream:
            break
    keep.append(stream)


async def drop_raw_unparsed_async(client: Any) -> None:
    await client.chat.completions.with_raw_response.create(**STREAMED)


async def leave_the_body_unread_async(client: Any) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASKED) as got:
        keep.append(got)


keep: list[Any] = []
ABANDONED = [
    break_and_drop,
    close_unread,
    close_half_read,
    leave_with,
    close_the_response,
    leave_the_helper,
    leave_the_response_helper,
    drop_raw_unparsed,
    leave_the_body_unread,
    leave_the_body_half_read,
    break_and_drop_async,
    close_unread_async,
    leave_async_with,
    leave_the_helper_async,
    drop_raw_unparsed_async,
    leave_the_body_unread_async,
]


@pytest.mark.parametrize("give_up", ABANDONED)
async def test_an_answer_that_nobody_reads_on_is_abandoned(
    give_up: Callable[[Any], Any], recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    if inspect.iscoroutinefunction(give_up):
        async with recorded.aclient() as client:
            await give_up(client)
            for _ in range(3):  # the event loop closes generators one inside the other
                gc.collect()
                await asyncio.sleep(0.002)
    else:
        give_up(recorded.client())
        gc.collect()
    seen = recorded.span()
    keep.clear()
    gc.collect()
    assert recorded.spans() == [seen]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert (seen["traceai.outcome"], seen.status) == ("abandoned", "UNSET")
    assert seen["traceai.provider.request_id"].startswith("req_")
    assert seen["error.type"] is None


def test_what_was_seen_of_an_abandoned_stream_is_kept(recorded: Recorded) -> None:
    stream = recorded.client().chat.completions.create(**STREAMED)
    said = [next(stream).choices[0].delta.content for _ in range(4)]
    stream.close()
    seen = recorded.span()
    assert seen.text == "".join(text or "" for text in said) == "Here is a"
    assert seen["gen_ai.response.id"].startswith("chatcmpl-")
    assert seen["gen_ai.response.time_to_first_chunk"] > 0


def test_a_stream_left_after_its_last_word_is_complete(recorded: Recorded) -> None:
    with recorded.client().chat.completions.create(**STREAMED) as stream:
        for chunk in stream:
            if chunk.choices[0].finish_reason:
                break
    assert recorded.span()["traceai.outcome"] == "completed"


def test_a_stream_left_before_the_usage_it_asked_for_is_abandoned(recorded: Recorded) -> None:
    asked: Any = {**STREAMED, "stream_options": {"include_usage": True}}
    with recorded.client().chat.completions.create(**asked) as stream:
        for chunk in stream:
            if chunk.choices[0].finish_reason:
                break
    assert recorded.span()["traceai.outcome"] == "abandoned"


def test_an_error_of_the_consumer_abandons_the_stream(recorded: Recorded) -> None:
    client = recorded.client()
    with pytest.raises(KeyError), client.chat.completions.create(**STREAMED) as stream:  # noqa: PT012 - the loop is the case
        for _ in stream:
            raise KeyError
    assert recorded.span()["traceai.outcome"] == "abandoned"
