"""Wire the stages: journal → assemble → judge → record. The only module that knows all of them.

One thread follows the journal. What it commits, a batch of sealed revisions together with the
journal position that a restart has to read from, is one transaction: a crash at any point, and a
restart, record every acknowledged span exactly once.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.errors import CollectorError
from collector_processor.processor.assembler import NOT_STORED
from collector_processor.processor.boundary import record_traces, seal_trace, unpack_frame
from collector_processor.processor.conceal import conceal_undecodable
from collector_processor.processor.reread import Reread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from collector_processor.model import Journal, Prior, SealedTrace, StoredFrame, Undecodable
    from collector_processor.processor.assembler import Assembler, Gathered
    from collector_processor.processor.evaluation import Runner
    from collector_processor.processor.tally import Rules
    from collector_processor.store.reader import Reader
    from collector_processor.store.writer import Writer

_log = logging.getLogger("traceai.collector")

_SECOND = 1_000_000_000
_FRAMES_A_TURN = 64
_TRACES_A_BATCH = 512
_LONGEST_WAIT_S = 0.2
_SHORTEST_WAIT_S = 0.01
# How often the mark and the count of open traces are recorded when no trace is sealed.
_NOTE_EVERY_NS = _SECOND
_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 10.0


@dataclass(slots=True, kw_only=True)
class PipelineCounts:
    """What was done since start; a restart counts again what it reads again.

    Attributes:
        crowded: traces that were sealed early, to keep memory within its bound.
        undecodable: spans, log records and frames that could not be read, and were kept.
    """

    frames: int = 0
    spans: int = 0
    records: int = 0
    ignored_records: int = 0
    duplicates: int = 0
    sealed: int = 0
    amended: int = 0
    crowded: int = 0
    evaluations: int = 0
    undecodable: int = 0
    store_failures: int = 0


class Pipeline:
    """Follow the journal, and record the traces that it holds.

    Args:
        journal: what was acknowledged.
        writer: of the store; used by the pipeline's thread alone.
        reader: of the same store, used by no other thread.
        assembler: a fresh one.
        rules: what completeness is judged by.
        runner: the evaluators.
        forwarded: the journal position that every forwarder is past; None without forwarders.
        clock: Unix time in nanoseconds.

    Attributes:
        counts: what was done since start.
        failure: why it stands still, such as a full disk; None while it works. What was
            acknowledged waits in the journal, and it goes on by itself when the cause is gone.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        writer: Writer,
        reader: Reader,
        assembler: Assembler,
        rules: Rules,
        runner: Runner,
        forwarded: Callable[[], int] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.counts = PipelineCounts()
        self.failure: CollectorError | None = None
        self._journal = journal
        self._writer = writer
        self._reader = reader
        self._assembler = assembler
        self._rules = rules
        self._runner = runner
        self._forwarded = forwarded
        self._clock = clock
        self._position = self._mark = reader.mark()
        self._now_ns = 0
        self._ahead_ns = 0
        self._noted = (0, -1)
        self._noted_ns = 0
        # Sealed by the assembler, then judged, not yet recorded.
        self._due: dict[bytes, Gathered] = {}
        self._judged: dict[bytes, SealedTrace] = {}
        self._undecodable: list[Undecodable] = []
        self._reread = Reread(journal)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pipeline", daemon=True)

    @property
    def open_traces(self) -> int:
        """How many traces have arrived and are not sealed."""
        return len(self._assembler) + len(self._due) + len(self._judged)

    @property
    def position(self) -> int:
        """The journal position that is read next."""
        return self._position

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to follow the journal, from where the store says."""
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop after the batch in hand. No trace is sealed early: the journal has them all."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._stopping.is_set():
            try:
                moved = self.turn()
            except CollectorError as error:
                self._note_failure(error)
                self._stopping.wait(retry_s)
                retry_s = min(retry_s * 2, _LONGEST_RETRY_S)
                continue
            retry_s = _FIRST_RETRY_S
            self.failure = None
            if not moved:
                self._journal.wait(self._position, self._wait_s())

    def turn(self) -> bool:
        """Read some frames, seal what is due and record it; False when there was nothing to read.

        Raises:
            CollectorError: the journal cannot be read or the store not written. Nothing is lost:
                the next turn begins where this one broke off.
        """
        self._record()
        frames = 0
        for stored in self._journal.read(self._position):
            self._advance(stored.frame.received_ns)
            if len(self._due) >= _TRACES_A_BATCH:
                self._record()
            self._take(stored)
            self._position = stored.next_position
            frames += 1
            if frames >= _FRAMES_A_TURN or self._stopping.is_set():
                break
        else:
            # Only with nothing left to read is the time of day the journal's time.
            self._advance(self._clock())
        self._record()
        return frames > 0

    def _advance(self, moment_ns: int) -> None:
        """Seal what is due by the journal's time, so that a replay decides as the first run did.

        That time never goes back: where the clock was set back it goes on from where it stood, and
        is ahead of the clock from then on.
        """
        if moment_ns + self._ahead_ns < self._now_ns - _SECOND:
            self._ahead_ns = self._now_ns - moment_ns
            _log.warning("the clock was set back by %d s", self._ahead_ns // _SECOND)
        self._now_ns = max(self._now_ns, moment_ns + self._ahead_ns)
        for gathered in self._assembler.due(self._now_ns):
            self._due[gathered.trace_id] = gathered
        self.counts.crowded = self._assembler.crowded

    def _take(self, stored: StoredFrame) -> None:
        unpacked = unpack_frame(stored)
        priors = self._priors({trace_id for trace_id, _ in unpacked.pieces})
        counts = self.counts
        for trace_id, piece in unpacked.pieces:
            prior, at_ns = priors.get(trace_id, NOT_STORED), piece.received_ns + self._ahead_ns
            if not self._assembler.add(trace_id, piece, prior, at_ns):
                counts.duplicates += 1
        spans = sum(piece.is_span for _, piece in unpacked.pieces)
        counts.frames += 1
        counts.spans += spans
        counts.records += len(unpacked.pieces) - spans + unpacked.ignored
        counts.ignored_records += unpacked.ignored
        self._keep(unpacked.undecodable)

    def _priors(self, trace_ids: set[bytes]) -> dict[bytes, Prior]:
        """Return what is stored of the traces that are not open, recording first what is due."""
        if not trace_ids.isdisjoint(self._due):
            self._record()
        unknown = [trace_id for trace_id in trace_ids if trace_id not in self._assembler]
        return self._reader.priors(unknown) if unknown else {}

    def _record(self) -> None:
        """Judge what is due and record it in one transaction, or do nothing if nothing is new."""
        self._judge()
        mark = self._assembler.low_water(self._position)
        note = (mark, len(self._assembler))
        if not (self._judged or self._undecodable or self._is_worth_noting(note)):
            return

        def record(traces: Sequence[SealedTrace]) -> None:
            kept = tuple(self._undecodable)
            self._writer.record(traces, mark=mark, open_traces=note[1], undecodable=kept)

        batch = record_traces(record, self._writer.rehearse, tuple(self._judged.values()))
        self.counts.sealed += len(batch)
        self.counts.amended += sum(1 for trace in batch if trace.revision > 1)
        self.counts.evaluations += sum(len(trace.evaluations) for trace in batch)
        self._judged.clear()
        self._reread.forget()
        self._undecodable.clear()
        self._mark, self._noted, self._noted_ns = mark, note, self._clock()
        self._journal.release(mark if self._forwarded is None else min(mark, self._forwarded()))

    def _is_worth_noting(self, note: tuple[int, int]) -> bool:
        """Say whether mark and open traces are to be recorded now: at once when one is open."""
        if note[1] > 0 >= self._noted[1]:
            return True
        return note != self._noted and self._clock() - self._noted_ns >= _NOTE_EVERY_NS

    def _judge(self) -> None:
        while self._due:
            trace_id, gathered = next(iter(self._due.items()))
            history = self._reader.revisions(trace_id.hex()) if gathered.prior.revision else ()
            whole = self._reread.with_bodies(gathered)
            sealing = seal_trace(whole, history, self._rules, self._runner, self._clock())
            self._keep(sealing.undecodable)
            self._judged[trace_id] = sealing.trace
            del self._due[trace_id]

    def _keep(self, undecodable: Iterable[Undecodable]) -> None:
        for found in undecodable:
            self.counts.undecodable += 1
            _log.error(
                "a %s record at journal position %d cannot be decoded, kept as it is: %s",
                found.signal.value,
                found.position,
                found.reason,
            )
            self._undecodable.append(conceal_undecodable(found))

    def _wait_s(self) -> float:
        due_ns = self._assembler.next_due_ns()
        if due_ns is None:
            return _LONGEST_WAIT_S
        left_s = (due_ns - self._clock() - self._ahead_ns) / _SECOND
        return min(max(left_s, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)

    def _note_failure(self, error: CollectorError) -> None:
        self.counts.store_failures += 1
        if self.failure is None or str(self.failure) != str(error):
            _log.error("recording waits, the journal keeps everything: %s", error)
        self.failure = error
