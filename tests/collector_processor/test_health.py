from __future__ import annotations

import asyncio
import http.client
import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor import asgi
from collector_processor.config import OTLPExporter
from collector_processor.exporter.client import connect
from collector_processor.exporter.otlp import Forwarder
from collector_processor.health import Health
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Signal
from collector_processor.pipeline import Pipeline
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.evaluation import Evaluators, Runner
from collector_processor.processor.tally import Rules
from collector_processor.receiver.intake import Intake
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
        self.results = Reader(path / "evidence.db")
        self.pipeline = Pipeline(
            journal=self.journal,
            writer=self.writer,
            reader=self.reader,
            assembler=Assembler(settle_s=0.01, quiet_s=0.01, deadline_s=600),
            rules=Rules(),
            runner=Runner(Evaluators()),
            forwarded=lambda: self.forwarder.position,
        )
        self.intake = Intake(self.journal, clock_ns=time.time_ns, max_request_bytes=1 << 20)
        # Port 9 is nobody's: what is sent there waits.
        exporter = OTLPExporter(endpoint="http://127.0.0.1:9")
        self.forwarder = Forwarder(
            name="otlp-0",
            folder=path,
            client=connect(exporter),
            journal=self.journal,
            results=self.results,
        )
        self.health = Health(self.journal, self.pipeline, (self.forwarder,), self.intake)

    async def receive(self, *spans: Any) -> None:
        await self.intake.take(Signal.TRACES, self.otlp.request(*spans))

    def start(self) -> None:
        self.pipeline.start()
        self.forwarder.start()

    def close(self) -> None:
        self.pipeline.stop()
        if self.forwarder.running:
            self.forwarder.stop(10)
        for part in (self.results, self.reader, self.writer, self.journal):
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
    parts.start()
    assert await ask(parts.health, "/healthz", "/readyz", "/", "/readyz/x") == [
        (200, JSON, {"status": "ok"}),
        (200, JSON, {"ready": True, **parts.health.parts()}),
        NOT_FOUND,
        NOT_FOUND,
    ]


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        ((), {"pipeline", "forwarders"}),
        (("pipeline",), {"forwarders"}),
        (("forwarder",), {"pipeline"}),
        (("pipeline", "forwarder"), set()),
    ],
)
async def test_a_part_that_does_not_run_is_named_and_the_process_lives(
    parts: Parts, started: tuple[str, ...], expected: set[str]
) -> None:
    for part in started:
        getattr(parts, part).start()
    [alive, (status, _, found)] = await ask(parts.health, "/healthz", "/readyz")
    assert alive == (200, JSON, {"status": "ok"})
    assert (status, found["ready"]) == ((503, False) if expected else (200, True))
    assert {name for name, part in found.items() if name != "ready" and not part["ok"]} == expected


async def test_what_was_received_and_waits_is_counted(parts: Parts) -> None:
    await parts.receive(parts.otlp.span("root"), parts.otlp.span("leaf", parent="root"))
    rejected = parts.otlp.span("bad", span_id=b"short")
    await parts.receive(rejected)
    found = parts.health.parts()
    size = parts.journal.kept_bytes
    assert size > 0
    assert found["receiver"] == {
        "ok": True,
        "accepted": {"traces": 2},
        "rejected_spans": 1,
        "refused_requests": 0,
    }
    assert found["journal"] == {"ok": True, "kept_bytes": size, "damaged": 0}
    assert found["pipeline"]["behind_bytes"] == size


async def test_a_backend_that_is_down_is_told_and_costs_no_readiness(parts: Parts) -> None:
    parts.start()
    await parts.receive(parts.otlp.span("root"))
    wait_until(lambda: parts.forwarder.counts.retries > 0)
    [(status, _, found)] = await ask(parts.health, "/readyz")
    [backend] = found["forwarders"]["backends"]
    assert (status, backend["frames"]) == (200, 0)
    assert "http://127.0.0.1:9/v1/traces" in backend["last_reason"]


async def test_a_full_disk_is_named_and_forgotten_when_there_is_room(parts: Parts) -> None:
    parts.writer._connection.execute("PRAGMA max_page_count = 1")
    await parts.receive(parts.otlp.span("root", attributes=LARGE))
    parts.start()
    wait_until(lambda: parts.pipeline.failure is not None)
    [(status, _, full)] = await ask(parts.health, "/readyz")
    assert (status, full["ready"], full["pipeline"]["ok"]) == (503, False, False)
    assert "Free some disk" in full["pipeline"]["failure"]
    parts.writer._connection.execute("PRAGMA max_page_count = 100000")
    wait_until(lambda: parts.pipeline.failure is None)
    [(status, _, well)] = await ask(parts.health, "/readyz")
    assert (status, well["pipeline"]["failure"]) == (200, None)


async def test_a_trace_that_waits_is_counted(parts: Parts) -> None:
    await parts.receive(parts.otlp.span("leaf", parent="nobody"))
    parts.start()
    wait_until(lambda: parts.health.parts()["pipeline"]["behind_bytes"] == 0)
    found = parts.health.parts()["pipeline"]
    assert (found["ok"], found["open_traces"], found["spans"], found["sealed"]) == (True, 1, 1, 0)
