from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from collector_processor.journal.segments import SegmentJournal
from collector_processor.receiver.intake import Intake
from collector_processor.receiver.server import Receivers, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from collector_processor.model import Frame

LIMIT = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Served:
    http: str
    grpc: str
    journal: SegmentJournal
    intake: Intake
    since: int = 0

    def frames(self) -> list[Frame]:
        return [stored.frame for stored in self.journal.read(self.since)]

    def stored(self) -> list[bytes]:
        return [frame.body for frame in self.frames()]


@contextmanager
def serve(path: Path, *, limit: int = LIMIT, max_bytes: int = 64 << 20) -> Iterator[Served]:
    """Run both servers in a thread, over a real journal."""
    journal = SegmentJournal(path, max_bytes=max_bytes)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> tuple[Intake, Receivers]:
        intake = Intake(journal, clock_ns=time.time_ns, max_request_bytes=limit)
        return intake, await start(intake, http="127.0.0.1:0", grpc="127.0.0.1:0")

    intake, receivers = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    assert receivers.http is not None
    assert receivers.grpc is not None
    try:
        yield Served(http=receivers.http, grpc=receivers.grpc, journal=journal, intake=intake)
    finally:
        asyncio.run_coroutine_threadsafe(receivers.stop(1), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        journal.close()


@pytest.fixture(scope="module")
def server() -> Callable[..., AbstractContextManager[Served]]:
    return serve


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("journal")) as started:
        yield started


@pytest.fixture
def served(running: Served) -> Served:
    """Return the running server, as if it had stored nothing yet."""
    return replace(running, since=running.journal.end_position)
