"""Record sealed traces: one transaction a batch, with the journal mark, so that all is once.

The statements are plain SQL; `sqlite` opens the connection, and another module can for PostgreSQL.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Self

import msgspec
import zstandard

from collector_processor.model import Population
from collector_processor.store import sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from collector_processor.model import Evaluation, Finding, SealedTrace, Undecodable

_LEVEL = 1
_REVISION = (
    "INSERT INTO revisions (id, trace_id, revision, reason, verdict, service, route, name, rooted,"
    " spans, duplicates, start_ns, end_ns, first_received_ns, last_received_ns, sealed_ns,"
    " request, members) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_TRACE = (
    "INSERT INTO traces (trace_id, revision_id) VALUES (?, ?)"
    " ON CONFLICT (trace_id) DO UPDATE SET revision_id = excluded.revision_id"
)
_FINDING = (
    "INSERT INTO findings (revision_id, code, population, required, service, route, count,"
    " span_ids) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SUBJECTS = (
    f"INSERT INTO subjects (revision_id, service, route, {', '.join(Population)})"  # noqa: S608
    f" VALUES (?, ?, ?{', ?' * len(Population)})"
)
_EVALUATION = (
    "INSERT INTO evaluations (id, revision_id, name, version, target, service, route, passed,"
    " score, label, reason, evidence, arrived, count, span_ids)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EMITTER = (
    "INSERT INTO emitters (service, instance, first_seen_ns, last_seen_ns) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (service, instance) DO UPDATE SET last_seen_ns = excluded.last_seen_ns"
)
_UNDECODABLE = (
    "INSERT INTO undecodable (position, ordinal, received_ns, signal, trace_id, reason, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (position, ordinal) DO NOTHING"
)
_META = (
    "INSERT INTO meta (key, value) VALUES (?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


class Writer:
    """The one writer of a store.

    Args:
        path: the SQLite file; made when it is missing.

    Raises:
        AlreadyRunningError: another process writes to it.
        StoreError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = sqlite.Lock(path)
        try:
            self._connection = sqlite.connect_writer(path)
        except BaseException:
            self._lock.release()
            raise
        self._compress = zstandard.ZstdCompressor(level=_LEVEL).compress

    def __enter__(self) -> Self:
        """Hold the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def record(
        self,
        sealed: Sequence[SealedTrace] = (),
        *,
        mark: int,
        open_traces: int,
        undecodable: Sequence[Undecodable] = (),
    ) -> None:
        """Record a batch, durably, all of it or nothing.

        Args:
            sealed: revisions that are not stored yet.
            mark: the journal position that a restart has to read from.
            open_traces: how many traces have arrived and are not sealed.
            undecodable: bytes to keep; those kept already are left as they are.

        Raises:
            StoreError: nothing was recorded; the same call may be made again.
            Exception: nothing was recorded, for a value in `sealed` is none that a store takes.
        """
        with self._transaction():
            self._insert(sealed)
            self._connection.executemany(_UNDECODABLE, map(_undecodable_row, undecodable))
            self._connection.executemany(
                _META, [("mark", str(mark)), ("open_traces", str(open_traces))]
            )
            self._connection.execute("COMMIT")

    def rehearse(self, trace: SealedTrace) -> None:
        """Do what recording a trace would, and take it back.

        Raises:
            StoreError: the store cannot be written.
            Exception: whatever a value raises that no store takes.
        """
        with self._transaction():
            self._insert((trace,))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Take back what was not committed."""
        with sqlite.explain(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the store and let another process write to it."""
        self._connection.close()
        self._lock.release()

    def _insert(self, sealed: Sequence[SealedTrace]) -> None:
        if not sealed:
            return
        execute = self._connection.execute
        first = 1 + execute("SELECT coalesce(max(id), 0) FROM revisions").fetchone()[0]
        number = execute("SELECT coalesce(max(id), 0) FROM evaluations").fetchone()[0]
        numbered = list(enumerate(sealed, first))
        many = self._connection.executemany
        many(_REVISION, (self._revision_row(key, trace) for key, trace in numbered))
        many(_TRACE, ((trace.trace_id, key) for key, trace in numbered))
        many(
            _FINDING,
            (row for key, t in numbered for row in _finding_rows(key, t.verdict.findings)),
        )
        many(_EMITTER, _emitter_rows(sealed))
        many(_SUBJECTS, (row for key, trace in numbered for row in _subject_rows(key, trace)))
        many(
            _EVALUATION,
            (
                (number + offset, *row)
                for offset, row in enumerate(
                    (_evaluation_row(key, e) for key, t in numbered for e in t.evaluations), 1
                )
            ),
        )

    def _revision_row(self, key: int, trace: SealedTrace) -> tuple[Any, ...]:
        return (
            key,
            trace.trace_id,
            trace.revision,
            trace.reason.value,
            trace.verdict.verdict.value,
            trace.service,
            trace.route,
            trace.name,
            int(trace.rooted),
            trace.spans,
            trace.duplicates,
            _signed(trace.start_ns),
            _signed(trace.end_ns),
            trace.first_received_ns,
            trace.last_received_ns,
            trace.sealed_ns,
            self._compress(trace.request),
            b"".join([part for member in trace.members for part in member]),
        )


def _signed(time_ns: int | None) -> int | None:
    """Bound a time that an emitter stated to what a column holds; the span itself is kept whole."""
    return None if time_ns is None else min(time_ns, (1 << 63) - 1)


def _finding_rows(key: int, findings: Iterable[Finding]) -> Iterator[tuple[Any, ...]]:
    """Make one row of the findings that are alike; a trace is one subject, whatever it lacks."""
    grouped: dict[tuple[Any, ...], list[str | None]] = defaultdict(list)
    for f in findings:
        grouped[f.code, f.population, f.required, f.service, f.route].append(f.span_id)
    for (code, population, required, service, route), span_ids in grouped.items():
        count = 1 if population is Population.TRACES else len(span_ids)
        named = " ".join(span_id for span_id in span_ids if span_id is not None)
        yield key, code, population.value, int(required), service, route, count, named


def _subject_rows(key: int, trace: SealedTrace) -> Iterator[tuple[Any, ...]]:
    for subjects in trace.verdict.subjects:
        counts = subjects.counts
        yield (key, subjects.service, subjects.route, *(counts.get(p, 0) for p in Population))


def _emitter_rows(sealed: Iterable[SealedTrace]) -> Iterator[tuple[Any, ...]]:
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    for trace in sealed:
        for emitter in trace.emitters:
            seen[emitter] += (trace.first_received_ns, trace.last_received_ns)
    for (service, instance), times_ns in seen.items():
        yield service, instance, min(times_ns), max(times_ns)


def _evaluation_row(key: int, evaluation: Evaluation) -> tuple[Any, ...]:
    passed = evaluation.passed
    return (
        key,
        evaluation.name,
        evaluation.version,
        evaluation.target,
        evaluation.service,
        evaluation.route,
        None if passed is None else int(passed),
        evaluation.score,
        evaluation.label,
        evaluation.reason,
        msgspec.json.encode(evaluation.evidence).decode() if evaluation.evidence else None,
        int(evaluation.arrived),
        len(evaluation.span_ids),
        " ".join(evaluation.span_ids),
    )


def _undecodable_row(found: Undecodable) -> tuple[Any, ...]:
    return (
        found.position,
        found.ordinal,
        found.received_ns,
        found.signal.value,
        found.trace_id,
        found.reason,
        found.body,
    )
