from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor import asgi
from collector_processor.health import Health
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Frame, Signal
from collector_processor.pipeline import Pipeline
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.evaluation import Evaluators, Runner
from collector_processor.processor.tally import Rules
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LARGE = {"text": random.Random(1).randbytes(90_000)}


class Parts:
    """The parts of a collector that health is asked of."""

    def __init__(self, path: Path, otlp: Any) -> None:
        self.otlp = otlp
        self.journal = SegmentJournal(path / "journal")
        self.writer = Writer(path / "evidence.db")
        self.reader = Reader(path / "evidence.db")
        self.pipeline = Pipeline(
            journal=self.journal,
            writer=self.writer,
            reader=self.reader,
            assembler=Assembler(settle_s=0.01, quiet_s=0.01, deadline_s=600),
            rules=Rules(),
            runner=Runner(Evaluators()),
        )
        self.health = Health(self.journal, self.pipeline)

    def receive(self, *spans: Any) -> None:
        body = self.otlp.request(*spans)
        self.journal.submit(
            Frame(signal=Signal.TRACES, received_ns=time.time_ns(), body=body)
        ).result()

    def close(self) -> None:
        self.pipeline.stop()
        for part in (self.reader, self.writer, self.journal):
            part.close()


@pytest.fixture
def parts(tmp_path: Path, otlp: Any) -> Iterator[Parts]:
    made = Parts(tmp_path, otlp)
    yield made
    made.close()


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


async def ask(health: Health, *paths: str) -> list[tuple[int, str | None, dict[str, Any]]]:
    """Return what a real server answers for each path."""

    def get(path: str) -> tuple[int, str | None, dict[str, Any]]:
        connection = http.client.HTTPConnection(server.address, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        document = json.loads(response.read())
        connection.close()
        return response.status, response.getheader("content-type"), document

    server = await asgi.serve(health, "127.0.0.1:0", "ui")
    answers = [await asyncio.to_thread(get, path) for path in paths]
    await server.stop(1)
    return answers


JSON = "application/json"
NOT_FOUND = (404, JSON, {"error": "Ask for /healthz or /readyz."})


async def test_a_collector_at_work_is_well_and_ready(parts: Parts) -> None:
    parts.pipeline.start()
    assert await ask(parts.health, "/healthz", "/readyz", "/", "/readyz/x") == [
        (200, JSON, {"status": "ok"}),
        (200, JSON, {"ready": True, **parts.health.parts()}),
        NOT_FOUND,
        NOT_FOUND,
    ]


async def test_a_pipeline_that_does_not_run_is_not_ready_and_the_process_lives(
    parts: Parts,
) -> None:
    parts.receive(parts.otlp.span("root"))
    [alive, ready] = await ask(parts.health, "/healthz", "/readyz")
    assert alive == (200, JSON, {"status": "ok"})
    size = parts.journal.kept_bytes
    assert size > 0
    assert ready == (
        503,
        JSON,
        {
            "ready": False,
            "journal": {"kept_bytes": size},
            "pipeline": {"ok": False, "failure": None, "behind_bytes": size, "open_traces": 0},
        },
    )


async def test_a_full_disk_is_named_and_forgotten_when_there_is_room(parts: Parts) -> None:
    parts.writer._connection.execute("PRAGMA max_page_count = 1")
    parts.receive(parts.otlp.span("root", attributes=LARGE))
    parts.pipeline.start()
    wait_until(lambda: parts.pipeline.failure is not None)
    [(status, _, full)] = await ask(parts.health, "/readyz")
    assert (status, full["ready"], full["pipeline"]["ok"]) == (503, False, False)
    assert "Free some disk" in full["pipeline"]["failure"]
    parts.writer._connection.execute("PRAGMA max_page_count = 100000")
    wait_until(lambda: parts.pipeline.failure is None)
    [(status, _, well)] = await ask(parts.health, "/readyz")
    assert (status, well["pipeline"]["failure"]) == (200, None)


def test_a_trace_that_waits_is_counted(parts: Parts) -> None:
    parts.receive(parts.otlp.span("leaf", parent="nobody"))
    parts.pipeline.start()
    wait_until(lambda: parts.health.parts()["pipeline"]["behind_bytes"] == 0)
    assert parts.health.parts()["pipeline"] == {
        "ok": True,
        "failure": None,
        "behind_bytes": 0,
        "open_traces": 1,
    }
