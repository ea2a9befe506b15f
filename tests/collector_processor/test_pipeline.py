from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector_processor.errors import StoreError
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Evaluation, Frame, SealedTrace, SealReason, Signal, Verdict
from collector_processor.pipeline import Pipeline
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.decode import decode_revision
from collector_processor.processor.evaluation import ContentCheck, Evaluators, Runner
from collector_processor.processor.raw import Envelope, build_request
from collector_processor.processor.tally import Rules
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer
from traceai.evaluators.detect import SECRET_KINDS
from traceai.evaluators.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"
LARGE = {"text": random.Random(1).randbytes(90_000)}
CHECKS = Evaluators(content=(ContentCheck(check=Secrets(), kinds=SECRET_KINDS),))


class Collector:
    """A journal, a store and the pipeline between them, with a clock that the test turns."""

    def __init__(self, path: Path, otlp: Any, *, memory_bytes: int = 1 << 20) -> None:
        self.path = path
        self.now_ns = otlp.NOW_NS
        self.memory_bytes = memory_bytes
        self.forwarded: Callable[[], int] | None = None
        self.open()

    def open(self) -> None:
        self.journal = SegmentJournal(self.path / "journal")
        self.writer = Writer(self.path / "evidence.db")
        self.reader = Reader(self.path / "evidence.db")
        self.pipeline = Pipeline(
            journal=self.journal,
            writer=self.writer,
            reader=Reader(self.path / "evidence.db"),
            assembler=Assembler(
                settle_s=0.5, quiet_s=2, deadline_s=600, memory_bytes=self.memory_bytes
            ),
            rules=Rules(),
            runner=Runner(CHECKS),
            forwarded=self.forwarded,
            clock=lambda: self.now_ns,
        )

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        self.journal.close()

    def send(self, body: bytes, signal: Signal = Signal.TRACES) -> int:
        return self.journal.submit(
            Frame(signal=signal, received_ns=self.now_ns, body=body)
        ).result()

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)
        while self.pipeline.turn():
            pass

    def revisions(self, trace: bytes) -> tuple[SealedTrace, ...]:
        return self.reader.revisions(trace.hex())


@pytest.fixture
def collector(tmp_path: Path, otlp: Any) -> Iterator[Collector]:
    made = Collector(tmp_path, otlp)
    yield made
    made.close()


def result(trace_id: bytes, span_id: bytes, otlp: Any, **attributes: Any) -> bytes:
    record = LogRecord(
        trace_id=trace_id,
        span_id=span_id,
        event_name="gen_ai.evaluation.result",
        attributes=otlp.pairs({"gen_ai.evaluation.name": "tone", **attributes}),
    )
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])]
    ).SerializeToString()


def test_a_trace_over_two_requests_is_sealed_judged_and_stored(
    collector: Collector, otlp: Any
) -> None:
    call = otlp.span("call", parent="root", attributes=otlp.CALL)
    collector.send(otlp.request(call))
    collector.send(otlp.request(otlp.span("root")))
    collector.wait(1)
    [stored] = collector.revisions(otlp.trace_id("t"))
    assert (stored.revision, stored.spans, stored.name) == (1, 2, "root")
    assert (stored.verdict.verdict, stored.reason) == (Verdict.COMPLETE, SealReason.SETTLED)
    assert {span.name for span in decode_revision(stored)} == {"call", "root"}
    assert collector.reader.totals().spans == 2


def test_a_parent_that_comes_late_makes_a_revision_without_the_orphan(
    collector: Collector, otlp: Any
) -> None:
    collector.send(otlp.request(otlp.span("root"), otlp.span("leaf", parent="middle")))
    collector.wait(3)
    collector.send(otlp.request(otlp.span("middle", parent="root")))
    collector.wait(3)
    first, second = collector.revisions(otlp.trace_id("t"))
    assert (first.verdict.codes, first.reason) == (("orphan_span",), SealReason.QUIET)
    assert (second.verdict.codes, second.verdict.observed) == ((), ("late_span",))
    assert [span.name for span in decode_revision(second)] == ["middle"]
    assert (second.spans, collector.reader.totals().spans) == (3, 3)
    assert collector.reader.finding_groups()[0].code == "late_span"


def test_what_is_sent_again_is_stored_once_before_and_after_the_seal(
    collector: Collector, otlp: Any
) -> None:
    root = otlp.span("root", attributes={"a": 1, "b": 2})
    shuffled = otlp.span("root", attributes={"b": 2, "a": 1})
    collector.send(otlp.request(root))
    collector.send(otlp.request(shuffled))
    collector.wait(1)
    collector.send(otlp.request(root))
    collector.wait(1)
    [stored] = collector.revisions(otlp.trace_id("t"))
    assert (stored.spans, stored.duplicates, collector.pipeline.counts.duplicates) == (1, 1, 2)


def test_an_evaluation_that_arrives_is_joined_before_and_after_the_seal(
    collector: Collector, otlp: Any
) -> None:
    trace, call = otlp.trace_id("t"), otlp.span_id("call")
    passed = {"gen_ai.evaluation.score.label": "pass"}
    collector.send(result(trace, call, otlp, **passed), Signal.LOGS)
    collector.send(otlp.request(otlp.span("call", attributes=otlp.CALL)))
    collector.wait(1)
    by_response = {"gen_ai.response.id": "chatcmpl-1", "gen_ai.evaluation.score.value": 0.5}
    collector.send(result(trace, b"", otlp, **by_response), Signal.LOGS)
    collector.wait(3)
    first, second = collector.revisions(trace)
    [early] = [found for found in first.evaluations if found.arrived]
    [late] = second.evaluations
    assert (early.name, early.passed, early.span_ids) == ("tone", True, (call.hex(),))
    assert (late.passed, late.score, late.span_ids) == (None, 0.5, (call.hex(),))
    assert second.request == b""


def test_a_secret_fails_its_evaluation_and_is_not_in_what_is_stored(
    collector: Collector, otlp: Any
) -> None:
    said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": f"use {KEY}"}]}])
    leak = otlp.span("call", attributes={**otlp.CALL, "gen_ai.output.messages": said})
    leak.status.message = f"failed with {KEY}"
    collector.send(otlp.request(leak))
    collector.wait(1)
    collector.send(otlp.request(otlp.span("late", parent="call")))
    collector.wait(1)
    first, second = collector.revisions(otlp.trace_id("t"))
    assert KEY.encode() not in first.request
    assert b"use <OPENAI_API_KEY>" in first.request
    failed = [(f.name, f.target) for f in first.evaluations if f.passed is False]
    assert failed == [("secrets", "output")]
    # The redacted text is not judged again as if it had been said.
    assert second.evaluations == ()
    results = collector.reader.evaluations_after(0, 100)
    [exported] = [found for found in results if found.evaluation.passed is False]
    assert (exported.span_id, exported.route) == (otlp.span_id("call").hex(), "support")
    collector.send(otlp.request(leak))
    collector.wait(1)
    assert len(collector.revisions(otlp.trace_id("t"))) == 2


def test_memory_may_let_go_of_bytes_that_the_journal_still_has(tmp_path: Path, otlp: Any) -> None:
    collector = Collector(tmp_path, otlp, memory_bytes=500)
    names = [f"s{number}" for number in range(30)]
    for name in names:
        collector.send(otlp.request(otlp.span(name, parent="root")))
        collector.pipeline.turn()
    collector.send(otlp.request(otlp.span("root")))
    collector.wait(1)
    [stored] = collector.revisions(otlp.trace_id("t"))
    assert {span.name for span in decode_revision(stored)} == {*names, "root"}
    collector.close()


def test_what_cannot_be_read_is_kept_and_named_and_the_rest_goes_on(
    collector: Collector, otlp: Any
) -> None:
    good = otlp.span("root")
    collector.send(broken_request(otlp.span("bad", parent="root").SerializeToString()))
    collector.send(b"\xff\xff not protobuf")
    collector.send(otlp.request(good))
    collector.wait(3)
    [stored] = collector.revisions(otlp.trace_id("t"))
    assert (stored.verdict.codes, stored.spans) == (("dropped_data",), 1)
    assert collector.reader.totals().undecodable == 2
    collector.close()
    collector.open()
    collector.wait(3)
    assert len(collector.revisions(otlp.trace_id("t"))) == 1


def test_an_open_trace_survives_a_restart_and_is_sealed_once(
    collector: Collector, otlp: Any
) -> None:
    collector.send(otlp.request(otlp.span("done", trace="other"), otlp.span("leaf", parent="root")))
    collector.wait(3)
    assert collector.reader.totals().traces_open == 1
    collector.close()
    collector.open()
    collector.send(otlp.request(otlp.span("root")))
    collector.wait(3)
    assert [r.spans for r in collector.revisions(otlp.trace_id("t"))] == [2]
    assert [r.spans for r in collector.revisions(otlp.trace_id("other"))] == [1]


def test_a_trace_that_opens_is_noted_at_once(collector: Collector, otlp: Any) -> None:
    collector.send(otlp.request(otlp.span("done", trace="other")))
    collector.wait(1)
    collector.send(otlp.request(otlp.span("leaf", parent="root")))
    collector.wait(0)
    assert collector.reader.totals().traces_open == 1


def test_a_trace_that_trickles_in_makes_few_revisions(collector: Collector, otlp: Any) -> None:
    for number in range(60):
        collector.send(otlp.request(otlp.span(f"s{number}", parent="far", remote=True)))
        collector.wait(3)
    collector.wait(600)
    revisions = collector.revisions(otlp.trace_id("t"))
    assert len(revisions) < 8
    assert revisions[-1].spans == 60


def test_every_kind_of_arrival_is_counted(collector: Collector, otlp: Any) -> None:
    root = otlp.request(otlp.span("root"), otlp.span("call", parent="root"))
    collector.send(root)
    collector.send(root)
    trace, root_id = otlp.trace_id("t"), otlp.span_id("root")
    collector.send(result(trace, root_id, otlp), Signal.LOGS)
    collector.send(result(bytes(16), root_id, otlp), Signal.LOGS)
    collector.wait(1)
    counts = collector.pipeline.counts
    assert (counts.frames, counts.spans, counts.duplicates) == (4, 4, 2)
    assert (counts.records, counts.ignored_records) == (2, 1)


def test_nothing_that_is_stored_keeps_a_secret(collector: Collector, otlp: Any) -> None:
    call = otlp.span(
        "call",
        attributes={**otlp.CALL, "traceai.route": f"route {KEY}", f"header {KEY}": "x"},
        trace_state=f"vendor={KEY}",
    )
    resource = {**otlp.RESOURCE, "service.name": f"shop {KEY}", "service.instance.id": KEY}
    collector.send(otlp.request(call, resource=resource))
    explained = {"gen_ai.evaluation.explanation": f"leaks {KEY}"}
    collector.send(result(otlp.trace_id("t"), call.span_id, otlp, **explained), Signal.LOGS)
    bad = otlp.span("bad", parent="call", attributes={"a": KEY}).SerializeToString()
    collector.send(broken_request(bad))
    collector.wait(3)
    [stored] = collector.revisions(otlp.trace_id("t"))
    assert stored.service == "shop <OPENAI_API_KEY>"
    assert KEY.encode() not in stored.request
    assert stored_bytes(collector).count(KEY.encode()) == 0
    assert b"\x4a\x02\x08\xff" in stored_bytes(collector)


def broken_request(span: bytes) -> bytes:
    """Return a request whose one span ends in bytes that no reader of attributes takes."""
    span += b"\x4a\x02\x08\xff"
    return build_request([(Envelope(b"", "", b"", ""), span)])


def stored_bytes(collector: Collector) -> bytes:
    """Return every value of every table but the compressed requests, one after the other."""
    connection = collector.writer._connection
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return b"\n".join(
        value if isinstance(value, bytes) else str(value).encode()
        for (table,) in tables
        for row in connection.execute(f"SELECT * FROM {table}")
        for value in row
    )


def test_the_journal_keeps_what_a_forwarder_has_not_sent(collector: Collector, otlp: Any) -> None:
    released: list[int] = []
    collector.journal.release = released.append  # type: ignore[method-assign]
    collector.pipeline._forwarded = lambda: 3
    collector.send(otlp.request(otlp.span("root")))
    collector.wait(1)
    assert released[-1] == 3


def test_a_full_disk_is_said_and_nothing_is_lost(collector: Collector, otlp: Any) -> None:
    collector.writer._connection.execute("PRAGMA max_page_count = 1")
    collector.send(otlp.request(otlp.span("root", attributes=LARGE)))
    with pytest.raises(StoreError, match=r"full.*Free some disk"):
        collector.wait(1)
    assert collector.reader.mark() == 0
    collector.writer._connection.execute("PRAGMA max_page_count = 100000")
    collector.wait(1)
    assert collector.reader.totals().traces_sealed == 1


def test_a_trace_that_cannot_be_judged_is_kept_and_the_mark_moves_on(
    collector: Collector, otlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = Runner.evaluate

    def failing(runner: Runner, tree: Any, *rest: Any) -> Any:
        if any(node.span.name == "poison" for node in tree.nodes):
            raise LookupError
        return evaluate(runner, tree, *rest)

    monkeypatch.setattr(Runner, "evaluate", failing)
    collector.send(otlp.request(otlp.span("poison", trace="bad"), otlp.span("good", trace="good")))
    collector.wait(1)
    [bad], [good] = (collector.revisions(otlp.trace_id(name)) for name in ("bad", "good"))
    assert (bad.verdict.codes, good.verdict.codes) == (("dropped_data",), ())
    assert collector.pipeline.counts.undecodable == 1
    mark = collector.reader.mark()
    assert mark == collector.pipeline.position
    collector.close()
    collector.open()
    collector.send(otlp.request(otlp.span("poison", trace="bad")))
    collector.wait(1)
    assert len(collector.revisions(otlp.trace_id("bad"))) == 1


def test_a_trace_that_the_store_does_not_take_is_recorded_without_what_it_cannot(
    collector: Collector, otlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "evaluate", lambda *_: (unstorable(),))
    collector.send(otlp.request(otlp.span("one", trace="one"), otlp.span("two", trace="two")))
    collector.wait(1)
    for name in ("one", "two"):
        [stored] = collector.revisions(otlp.trace_id(name))
        assert (stored.verdict.codes, stored.evaluations) == (("dropped_data",), ())
        assert [span.name for span in decode_revision(stored)] == [name]
    assert collector.reader.mark() == collector.pipeline.position
    assert collector.pipeline.counts.sealed == 2


def unstorable() -> Evaluation:
    return Evaluation(
        span_ids=("a",), name="n", version="1", target="call", passed=True, score=1 << 70
    )


def test_the_thread_says_why_it_waits_and_goes_on_by_itself(tmp_path: Path, otlp: Any) -> None:
    collector = Collector(tmp_path, otlp)
    collector.writer._connection.execute("PRAGMA max_page_count = 1")
    collector.send(otlp.request(otlp.span("root", attributes=LARGE)))
    collector.now_ns += 10_000_000_000
    collector.pipeline.start()
    wait_until(lambda: collector.pipeline.failure is not None)
    collector.writer._connection.execute("PRAGMA max_page_count = 100000")
    wait_until(lambda: collector.reader.totals().traces_sealed == 1)
    wait_until(lambda: collector.pipeline.failure is None)
    collector.pipeline.stop()
    collector.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_replay_comes_to_the_same_revisions(tmp_path: Path, otlp: Any, seed: int) -> None:
    chance = random.Random(seed)
    collector = Collector(tmp_path, otlp, memory_bytes=2000)
    collector.pipeline._forwarded = lambda: 0
    for number in range(80):
        parent = chance.choice([None, "0", f"{number - 1}", "gone"])
        name, trace = f"{number % 30}", f"t{chance.randrange(3)}"
        collector.send(otlp.request(otlp.span(name, parent=parent, trace=trace)))
        collector.wait(chance.choice([0, 0.2, 1, 3]))
    collector.wait(1000)
    first = outcomes(collector)
    collector.close()
    for file in tmp_path.glob("evidence.db*"):
        file.unlink()
    collector.open()
    collector.wait(0)
    assert outcomes(collector) == first
    assert max(revision for _, revision, *_ in first) > 1
    collector.close()


def outcomes(collector: Collector) -> list[tuple[Any, ...]]:
    return [
        (found.trace_id, found.revision, found.reason, found.members, found.verdict)
        for trace in sorted(summary.trace_id for summary in collector.reader.newest())
        for found in collector.reader.revisions(trace)
    ]


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_clock_that_is_set_back_does_not_tear_traces_apart(
    collector: Collector, otlp: Any
) -> None:
    collector.send(otlp.request(otlp.span("before", trace="before")))
    collector.wait(1)
    collector.now_ns -= 3600 * 10**9
    collector.send(otlp.request(otlp.span("root")))
    for number in range(5):
        collector.wait(0.2)
        collector.send(otlp.request(otlp.span(f"leaf {number}", parent="root")))
    collector.wait(0.2)
    assert collector.revisions(otlp.trace_id("t")) == ()
    collector.wait(1)
    [stored] = collector.revisions(otlp.trace_id("t"))
    assert (stored.revision, stored.spans, stored.verdict.codes) == (1, 6, ())
    # What is recorded is what the clock said.
    assert stored.last_received_ns < collector.now_ns
