from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Frame, Signal
from collector_processor.processor.decode import decode_revision
from collector_processor.store.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path

WORKER = """
import sys, time
from pathlib import Path
from collector_processor.journal.segments import SegmentJournal
from collector_processor.pipeline import Pipeline
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.evaluation import Evaluators, Runner
from collector_processor.processor.tally import Rules
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer

path = Path(sys.argv[1])
writer = Writer(path / "evidence.db")
reader = Reader(path / "evidence.db")
journal = SegmentJournal(path / "journal", start=reader.mark())
pipeline = Pipeline(
    journal=journal, writer=writer, reader=reader, rules=Rules(), runner=Runner(Evaluators()),
    assembler=Assembler(settle_s=0.5, quiet_s=2, deadline_s=60, memory_bytes=20_000),
)
print("ready", flush=True)
while pipeline.turn() or pipeline.open_traces:
    time.sleep(0.001)
"""


def test_killed_at_any_moment_every_span_is_stored_exactly_once(tmp_path: Path, otlp: Any) -> None:
    chance = random.Random(5)
    spans = [
        otlp.span(f"{trace}-{number}", trace=f"t{trace}", parent=f"{trace}-0" if number else None)
        for trace in range(400)
        for number in range(8)
    ]
    spans.sort(key=lambda span: (chance.random() * 40) + int.from_bytes(span.trace_id[:1], "big"))
    requests = [spans[at : at + 5] for at in range(0, len(spans), 5)]
    requests += chance.sample(requests, 60)
    journal = SegmentJournal(tmp_path / "journal", segment_bytes=1 << 16)
    for number, batch in enumerate(requests):
        received_ns = otlp.NOW_NS + number * 20_000_000
        journal.submit(
            Frame(signal=Signal.TRACES, received_ns=received_ns, body=otlp.request(*batch))
        ).result()
    journal.close()
    for kill in (*[True] * 8, False):
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        if kill:
            time.sleep(chance.random() * 0.08)
            worker.kill()
        assert worker.wait(60) in (0, -9)
        worker.stdout.close()
    with Reader(tmp_path / "evidence.db") as reader:
        stored = [
            (revision.trace_id, span.span_id)
            for summary in reader.newest()
            for revision in reader.revisions(summary.trace_id)
            for span in decode_revision(revision)
        ]
    expected = [(span.trace_id.hex(), span.span_id.hex()) for span in spans]
    assert sorted(stored) == sorted(expected)
