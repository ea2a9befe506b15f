"""Run the code of a LangChain run in that run's context, and nothing else in it.

The context is entered where code of the run begins and left in the same frame; a stream enters it
for each read, so that the loop which consumes the stream stays in the caller's context. `leave` is
called with the slot and the error, if any, when the code has been left for good.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from traceai.context import detach

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from traceai.instrumentors.langchain_runs import Slot

    Leave: TypeAlias = Callable[[Slot, BaseException | None], None]


def call_in(slot: Slot, call: Callable[[], Any], leave: Leave) -> Any:
    """Call in the slot's context."""
    token, failure = slot.attach(), None
    try:
        return call()
    except BaseException as error:
        failure = error
        raise
    finally:
        detach(token)
        leave(slot, failure)
        del failure  # an error that is kept would keep its frames


async def await_in(slot: Slot, waiting: Awaitable[Any], leave: Leave) -> Any:
    """Await in the slot's context."""
    token, failure = slot.attach(), None
    try:
        return await waiting
    except BaseException as error:
        failure = error
        raise
    finally:
        detach(token)
        leave(slot, failure)
        del failure


def read_in(slot: Slot, inner: Any, leave: Leave) -> Generator[Any, Any, Any]:
    """Pass on what a generator yields, each step of it in the slot's context."""
    step, argument, failure = inner.send, None, None
    try:
        while True:
            token = slot.attach()
            try:
                item = step(argument)
            finally:
                detach(token)
            try:
                argument, step = (yield item), inner.send
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 - the consumer's throw() goes inside
                argument, step = error, inner.throw
    except StopIteration as stop:
        return stop.value
    except BaseException as error:
        failure = error
        raise
    finally:
        token = slot.attach()
        try:
            inner.close()
        finally:
            detach(token)
            leave(slot, failure)
            del failure, argument


async def aread_in(slot: Slot, inner: Any, leave: Leave) -> AsyncGenerator[Any, Any]:
    """Pass on what an async generator yields, each step of it in the slot's context."""
    failure: BaseException | None = None
    step, argument = inner.asend, None
    try:
        while True:
            token = slot.attach()
            try:
                item = await step(argument)
            except StopAsyncIteration:
                return
            finally:
                detach(token)
            try:
                argument, step = (yield item), inner.asend
            except (GeneratorExit, asyncio.CancelledError):
                # Between two reads nobody waits: a loop that ends cancels what it would close.
                failure = GeneratorExit()
                raise
            except BaseException as error:  # noqa: BLE001 - the consumer's athrow() goes inside
                argument, step = error, inner.athrow
    except BaseException as error:
        failure = failure or error
        raise
    finally:
        token = slot.attach()
        try:
            await inner.aclose()
        finally:
            detach(token)
            leave(slot, failure)
            del failure, argument
