"""The forwarder, from a real journal and store to a real backend over HTTP."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from collector_processor.config import OTLPExporter
from collector_processor.errors import JournalError
from collector_processor.exporter import cursor, otlp
from collector_processor.exporter.client import connect
from collector_processor.exporter.otlp import Forwarder
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import (
    Evaluation,
    Frame,
    SealedTrace,
    SealReason,
    Signal,
    TraceVerdict,
    Verdict,
)
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer
from tests.collector_processor.exporter.conftest import Backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "otlp-0"
LOGS = "/v1/logs"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between two attempts than a backend in production should be left alone."""
    monkeypatch.setattr(otlp, "_FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(otlp, "_LONGEST_WAIT_S", 0.04)
    monkeypatch.setattr(otlp, "_IDLE_S", 0.02)


class Source:
    """A journal and a store to forward from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sealed = 0
        self.journal = SegmentJournal(path / "journal", segment_bytes=1 << 12)
        self.writer = Writer(path / "evidence.db")
        self.reader = Reader(path / "evidence.db")

    def forwarder(self, backend: Backend, **changed: Any) -> Forwarder:
        exporter = OTLPExporter(endpoint=backend.url, compression="none", timeout_s=5)
        given: dict[str, Any] = {"journal": self.journal, "results": self.reader}
        return Forwarder(
            name=NAME, folder=self.path, client=connect(exporter), **{**given, **changed}
        )

    def receive(self, *bodies: bytes, signal: Signal = Signal.TRACES) -> None:
        for body in bodies:
            self.journal.submit(Frame(signal=signal, received_ns=1, body=body)).result()

    def judge(self, *evaluations: Evaluation) -> None:
        """Record a trace with these results."""
        self.sealed += 1
        trace = SealedTrace(
            trace_id=f"{self.sealed:032x}",
            revision=1,
            reason=SealReason.SETTLED,
            verdict=TraceVerdict(verdict=Verdict.COMPLETE, findings=(), subjects=()),
            evaluations=evaluations,
            request=b"",
            members=(),
            rooted=True,
            spans=1,
            duplicates=0,
            emitters=(),
            service="shop",
            route=None,
            name="root",
            start_ns=1,
            end_ns=2,
            first_received_ns=1,
            last_received_ns=1,
            sealed_ns=1,
        )
        self.writer.record([trace], mark=0, open_traces=0)

    def close(self) -> None:
        for part in (self.reader, self.writer, self.journal):
            part.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    made = Source(tmp_path)
    yield made
    made.close()


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def bodies(*numbers: int) -> list[bytes]:
    return [f"request {number}, as it came \x00\n".encode() * 9 for number in numbers]


def evaluation(*span_ids: str, **changed: Any) -> Evaluation:
    given: dict[str, Any] = {
        "name": "pii",
        "version": "1",
        "target": "output",
        "passed": False,
        "service": "shop",
    }
    return Evaluation(span_ids=span_ids, **{**given, **changed})


def results(backend: Backend) -> list[tuple[str, str, str]]:
    """Return trace, span and evaluator of every result that arrived, in order."""
    return [
        (record.trace_id.hex(), record.span_id.hex(), record.attributes[0].value.string_value)
        for body in backend.bodies(LOGS)
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for record in resource.scope_logs[0].log_records
        if record.event_name == "gen_ai.evaluation.result"
    ]


def test_requests_arrive_byte_for_byte_and_in_order(source: Source, backend: Backend) -> None:
    sent = bodies(*range(100))
    source.receive(*sent[:60])
    forwarder = source.forwarder(backend)
    forwarder.start()
    source.receive(*sent[60:])
    wait_until(lambda: len(backend.got) == 100)
    forwarder.stop(10)
    assert backend.bodies() == sent
    assert (forwarder.counts.frames, forwarder.counts.retries) == (100, 0)
    assert forwarder.position == source.journal.end_position


def test_each_signal_goes_to_its_own_path(source: Source, backend: Backend) -> None:
    traces, logs = bodies(1, 2)
    source.receive(traces)
    source.receive(logs, signal=Signal.LOGS)
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: len(backend.got) == 2)
    forwarder.stop(10)
    assert [(path, body) for path, _, body in backend.got] == [
        ("/v1/traces", traces),
        (LOGS, logs),
    ]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_backend_that_is_busy_costs_nothing(
    source: Source, backend: Backend, status: int
) -> None:
    sent = bodies(1, 2, 3)
    backend.answers = [200, status, status, status]
    source.receive(*sent)
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: forwarder.counts.frames == 3)
    forwarder.stop(10)
    # The second request until it was taken, and nothing before its turn.
    assert backend.bodies() == [sent[0], *[sent[1]] * 4, sent[2]]
    assert forwarder.counts.retries == 3
    assert forwarder.counts.last_reason == f"{backend.url}/v1/traces answered {status}"


def test_a_backend_that_is_down_gets_everything_when_it_is_back(source: Source) -> None:
    gone = Backend()
    port = gone.server_port
    gone.server_close()
    sent = bodies(1, 2, 3)
    source.receive(*sent)
    forwarder = source.forwarder(gone)
    forwarder.start()
    wait_until(lambda: forwarder.counts.retries > 2)
    assert (forwarder.position, forwarder.counts.frames) == (0, 0)
    back = Backend(port)
    back.start()
    wait_until(lambda: forwarder.counts.frames == 3)
    forwarder.stop(10)
    back.stop()
    assert back.bodies() == sent


def test_a_backend_that_asks_to_be_left_alone_is_left_alone(
    source: Source, backend: Backend
) -> None:
    backend.answer = (503, {"retry-after": "3600"}, b"")
    source.receive(*bodies(1))
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: forwarder.counts.retries == 1)
    forwarder.stop(10)
    assert (len(backend.got), forwarder.position) == (1, 0)


def test_it_stops_while_it_waits_and_keeps_its_place(source: Source, backend: Backend) -> None:
    backend.answer = (503, {}, b"")
    source.receive(*bodies(1, 2))
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: forwarder.counts.retries > 0)
    forwarder.stop(10)
    assert not forwarder._thread.is_alive()
    assert cursor.load(source.path / f"{NAME}.cursor") == cursor.Cursor()


def test_a_restart_goes_on_where_it_stopped(source: Source, backend: Backend) -> None:
    sent = bodies(*range(9))
    for at in range(0, 9, 3):
        source.receive(*sent[at : at + 3])
        forwarder = source.forwarder(backend)
        forwarder.start()
        wait_until(lambda count=at + 3: len(backend.got) == count)  # type: ignore[misc]
        forwarder.stop(10)
    assert backend.bodies() == sent


def test_what_is_refused_for_good_is_kept_and_the_next_goes_on(
    source: Source, backend: Backend
) -> None:
    sent = bodies(*range(5))
    backend.answers = [200, 400, 413, 200, 200]
    source.receive(*sent)
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: len(backend.got) == 5)
    forwarder.stop(10)
    assert backend.bodies() == sent
    assert (forwarder.counts.refused, forwarder.counts.retries) == (2, 0)
    assert forwarder.counts.last_reason == f"{backend.url}/v1/traces answered 413"
    kept = (source.path / f"{NAME}.dead").read_bytes()
    assert kept == b"".join(len(body).to_bytes(8, "big") + body for body in sent[1:3])


def test_what_a_backend_rejects_of_a_request_is_counted_and_not_sent_again(
    source: Source, backend: Backend
) -> None:
    partial = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=2, error_message="too old")
    )
    backend.answer = (200, {}, partial.SerializeToString())
    source.receive(*bodies(1, 2))
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: forwarder.counts.frames == 2)
    forwarder.stop(10)
    assert (len(backend.got), forwarder.counts.rejected, forwarder.counts.refused) == (2, 4, 0)


def test_results_arrive_once_across_a_restart_at_a_quiet_moment(
    source: Source, backend: Backend
) -> None:
    first, second = "aa" * 8, "bb" * 8
    forwarder = source.forwarder(backend)
    source.judge(evaluation(first, second), evaluation(first, name="secrets"))
    forwarder.start()
    wait_until(lambda: len(results(backend)) == 3)
    forwarder.stop(10)
    source.judge(evaluation(first, name="tone"))
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: len(results(backend)) == 4)
    source.judge(evaluation(first, name="later"))
    wait_until(lambda: len(results(backend)) == 5)
    forwarder.stop(10)
    one, two, three = (f"{number:032x}" for number in (1, 2, 3))
    assert results(backend) == [
        (one, first, "pii"),
        (one, second, "pii"),
        (one, first, "secrets"),
        (two, first, "tone"),
        (three, first, "later"),
    ]
    assert forwarder.counts.results == 2


def test_a_result_that_came_over_otlp_is_not_sent_twice(source: Source, backend: Backend) -> None:
    forwarder = source.forwarder(backend)
    source.judge(evaluation("aa" * 8, arrived=True), evaluation("bb" * 8, name="ours"))
    forwarder.start()
    wait_until(lambda: forwarder.counts.results == 1)
    forwarder.stop(10)
    assert results(backend) == [(f"{1:032x}", "bb" * 8, "ours")]


def test_more_results_than_fit_a_request_all_arrive(
    source: Source, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "_RESULTS_A_REQUEST", 2)
    forwarder = source.forwarder(backend)
    for _ in range(5):
        source.judge(evaluation("aa" * 8))
    forwarder.start()
    wait_until(lambda: len(results(backend)) == 5)
    forwarder.stop(10)
    assert [trace for trace, _, _ in results(backend)] == [f"{n:032x}" for n in range(1, 6)]
    assert len(backend.bodies(LOGS)) == 3


def test_a_new_backend_gets_what_the_journal_has_and_no_old_results(
    source: Source, backend: Backend
) -> None:
    sent = bodies(1, 2, 3)
    source.receive(*sent)
    source.judge(evaluation("aa" * 8))
    forwarder = source.forwarder(backend)
    source.judge(evaluation("bb" * 8))
    # A start that ends before anything was sent is remembered as the start.
    forwarder = source.forwarder(backend)
    forwarder.start()
    wait_until(lambda: forwarder.counts.frames == 3 and forwarder.counts.results == 1)
    forwarder.stop(10)
    assert backend.bodies() == sent
    assert results(backend) == [(f"{2:032x}", "bb" * 8, "pii")]


def test_two_backends_have_their_own_place(source: Source, backend: Backend) -> None:
    sent = bodies(1, 2, 3)
    source.receive(*sent)
    busy = Backend()
    busy.answer = (503, {}, b"")
    busy.start()
    well = source.forwarder(backend)
    other = Forwarder(
        name="otlp-1",
        folder=source.path,
        client=connect(OTLPExporter(endpoint=busy.url)),
        journal=source.journal,
        results=source.reader,
    )
    for forwarder in (well, other):
        forwarder.start()
    wait_until(lambda: well.counts.frames == 3 and other.counts.retries > 0)
    for forwarder in (well, other):
        forwarder.stop(10)
    busy.stop()
    assert (well.position, other.position) == (source.journal.end_position, 0)


def test_a_damaged_cursor_stops_the_start(source: Source, backend: Backend) -> None:
    (source.path / f"{NAME}.cursor").write_bytes(b"{")
    with pytest.raises(JournalError, match="is damaged"):
        source.forwarder(backend)


def test_a_cursor_that_cannot_be_kept_is_said_and_costs_nothing(
    source: Source, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    sent = bodies(1, 2)
    forwarder = source.forwarder(backend)
    # What stands where the new cursor is to be written.
    (source.path / f"{NAME}.new").mkdir()
    source.receive(sent[0])
    forwarder.start()
    wait_until(lambda: "forwarding waits" in caplog.text)
    (source.path / f"{NAME}.new").rmdir()
    source.receive(sent[1])
    end = source.journal.end_position
    wait_until(lambda: cursor.load(source.path / f"{NAME}.cursor") == cursor.Cursor(position=end))
    forwarder.stop(10)
    assert backend.bodies() == sent


def test_a_store_that_cannot_be_read_for_a_while_does_not_end_the_forwarding(
    source: Source, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    sent = bodies(1, 2)
    forwarder = source.forwarder(backend)
    source.judge(evaluation("aa" * 8))
    aside = sqlite3.connect(source.path / "evidence.db", isolation_level=None)
    aside.execute("ALTER TABLE evaluations RENAME TO elsewhere")
    source.receive(sent[0])
    forwarder.start()
    wait_until(lambda: "no such table" in caplog.text)
    aside.execute("ALTER TABLE elsewhere RENAME TO evaluations")
    aside.close()
    source.receive(sent[1])
    wait_until(lambda: forwarder.counts.results == 1 and forwarder.counts.frames == 2)
    forwarder.stop(10)
    assert backend.bodies() == sent
    assert len(results(backend)) == 1
