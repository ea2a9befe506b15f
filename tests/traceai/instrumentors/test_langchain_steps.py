"""Runs that do not come to their end: cancelled, left early, dropped."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from scripted import QUESTION, THREAD, ScriptedModel, Standstill, Traced, planner

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MODEL = "chat scripted-1"


def answering(text: str, **options: Any) -> ScriptedModel:
    return ScriptedModel(answers=[AIMessage(text)], **options)


async def cancel(run: Callable[[Standstill], Coroutine[Any, Any, Any]]) -> None:
    """Cancel what runs once it stands still."""
    still = Standstill()
    task = asyncio.create_task(run(still))
    await still.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _first(model: ScriptedModel) -> Any:
    return await anext(model.astream("How many?"))


class SlowShelf(BaseRetriever):
    pause: Any

    def _get_relevant_documents(self, *_: Any, **__: Any) -> list[Any]:
        return []

    async def _aget_relevant_documents(self, *_: Any, **__: Any) -> list[Any]:
        await self.pause()
        return []


async def test_what_is_cancelled_ends_as_cancelled(traced: Traced) -> None:
    def slow(still: Standstill) -> ScriptedModel:
        return answering("It is three.", pause=still)

    prompt = ChatPromptTemplate.from_messages([("user", "{q}")])
    await cancel(lambda still: slow(still).ainvoke("How many?"))
    await cancel(lambda still: (prompt | slow(still)).ainvoke({"q": "How many?"}))
    await cancel(lambda still: planner(model=slow(still)).ainvoke(QUESTION, THREAD))
    await cancel(lambda still: _first(slow(still)))
    await cancel(lambda still: SlowShelf(pause=still).ainvoke("sums"))
    assert traced.outcomes == [
        (MODEL, "cancelled"),
        ("invoke_workflow", "cancelled"),
        (MODEL, "cancelled"),
        ("invoke_agent planner", "cancelled"),
        (MODEL, "cancelled"),
        (MODEL, "cancelled"),
        ("retrieval", "cancelled"),
    ]


def test_a_stream_that_is_left_early_is_abandoned_and_keeps_its_beginning(traced: Traced) -> None:
    model = answering("It is three.")
    next(iter(model.stream("How many?")))
    gc.collect()
    running = planner().stream(QUESTION, THREAD)
    next(running)
    running.close()
    assert traced.outcomes == [
        (MODEL, "abandoned"),
        ("invoke_agent planner", "abandoned"),
        (MODEL, "completed"),
    ]
    said = traced.attributes(MODEL)[0]["gen_ai.output.messages"]
    assert json.loads(said)[0]["parts"] == [{"type": "text", "content": "It"}]


async def test_an_asynchronous_stream_that_is_left_early_is_abandoned(traced: Traced) -> None:
    for runnable, given in ((answering("It is three."), "How many?"), (planner(), QUESTION)):
        running: Any = runnable.astream(given, THREAD)
        await anext(running)
        await running.aclose()
    assert traced.outcomes == [
        (MODEL, "abandoned"),
        ("invoke_agent planner", "abandoned"),
        (MODEL, "completed"),
    ]


def test_a_stream_that_its_loop_ends_with_is_abandoned(traced: Traced) -> None:
    async def leave() -> None:
        async for _ in answering("It is three.").astream("How many?"):
            break

    asyncio.run(leave())
    assert traced.outcomes == [(MODEL, "abandoned")]
