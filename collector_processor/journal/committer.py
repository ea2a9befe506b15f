"""Group commit: one thread writes all that waits at once, syncs once, and then tells the waiters.

While one sync runs the next group forms by itself, so that there is no timer to tune.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector_processor.errors import JournalError, JournalFullError
from collector_processor.journal.frames import size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from collector_processor.model import Frame

_GROUP_FRAMES = 512  # two buffers each, and the system takes 1,024 in one call
_GROUP_BYTES = 16 << 20

Outcome = int | JournalError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiter:
    frame: Frame
    size: int
    future: concurrent.futures.Future[int] | asyncio.Future[int]
    loop: asyncio.AbstractEventLoop | None


class Committer:
    """Take frames from any thread or event loop, and commit them in order in a thread of its own.

    Args:
        commit: makes frames durable and returns their positions, or raises a JournalError.
        waiting_bytes: how much may wait; more is refused.
    """

    def __init__(
        self, commit: Callable[[Sequence[Frame]], Sequence[int]], *, waiting_bytes: int
    ) -> None:
        self._commit = commit
        self._bound = waiting_bytes
        self._queue: deque[_Waiter] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        """How much waits, or is being written."""
        return self._bytes

    @property
    def running(self) -> bool:
        """Whether frames are still committed."""
        return self._thread.is_alive() and not self._closed

    def submit(self, frame: Frame) -> concurrent.futures.Future[int]:
        """Queue a frame from a plain thread; the future holds its position once it is durable."""
        future: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._enqueue(_Waiter(frame=frame, size=size_of(frame), future=future, loop=None))
        return future

    def append(self, frame: Frame) -> asyncio.Future[int]:
        """Queue a frame from an event loop; the future holds its position once it is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._enqueue(_Waiter(frame=frame, size=size_of(frame), future=future, loop=loop))
        return future

    def close(self) -> None:
        """Commit what waits, and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _enqueue(self, waiter: _Waiter) -> None:
        with self._changed:
            if self._closed:
                raise _stopped()
            if self._bytes and self._bytes + waiter.size > self._bound:
                raise JournalFullError(
                    f"{self._bytes} bytes wait to be written already.",
                    remedy="Send again later: the disk is slower than what comes in.",
                )
            self._queue.append(waiter)
            self._bytes += waiter.size
            self._changed.notify()

    def _run(self) -> None:
        group: list[_Waiter] = []
        try:
            while group := self._next_group():
                _tell(group, self._outcomes(group))
                with self._changed:
                    self._bytes -= sum(waiter.size for waiter in group)
        finally:
            # Reached by a defect too: nobody may wait for ever.
            with self._changed:
                self._closed = True
                group += self._queue
                self._queue.clear()
            _tell(group, [_stopped() for _ in group])

    def _next_group(self) -> list[_Waiter]:
        """Wait for something to commit; an empty group says that there will be no more."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            group: list[_Waiter] = []
            size = 0
            while self._queue and len(group) < _GROUP_FRAMES and size < _GROUP_BYTES:
                group.append(self._queue.popleft())
                size += group[-1].size
            return group

    def _outcomes(self, group: Sequence[_Waiter]) -> Sequence[Outcome]:
        try:
            return self._commit([waiter.frame for waiter in group])
        except JournalError as error:
            return [JournalError(str(error)) for _ in group]


def _stopped() -> JournalError:
    return JournalError("The journal is closed.", remedy="Start the collector again.")


def _tell(group: Sequence[_Waiter], outcomes: Sequence[Outcome]) -> None:
    """Settle each future, on its own loop where it has one, with one call per loop."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[Any, Outcome]]] = {}
    for waiter, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(waiter.loop, []).append((waiter.future, outcome))
    for loop, pairs in by_loop.items():
        if loop is None:
            _settle(pairs)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_settle, pairs)


def _settle(pairs: Sequence[tuple[Any, Outcome]]) -> None:
    for future, outcome in pairs:
        if future.done():  # its waiter was cancelled
            continue
        if isinstance(outcome, JournalError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
