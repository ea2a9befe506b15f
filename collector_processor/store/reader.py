"""Read the evidence store: traces with their revisions, totals, findings, results to export."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import msgspec
import zstandard

from collector_processor.errors import StoreError
from collector_processor.model import (
    Evaluation,
    Finding,
    Member,
    Population,
    Prior,
    SealedTrace,
    SealReason,
    StoredEvaluation,
    Subjects,
    TraceVerdict,
    Verdict,
)
from collector_processor.store import sqlite, summaries
from collector_processor.store.summaries import TraceSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from collector_processor.store.summaries import EvaluationGroup, FindingGroup, Totals

_SPAN_ID_BYTES = 8
_MEMBER_BYTES = _SPAN_ID_BYTES + 32
# Below the number of parameters that any supported database takes in one statement.
_IDS_A_QUERY = 500

_REVISIONS = (
    "SELECT id, trace_id, revision, reason, verdict, service, route, name, rooted, spans,"
    " duplicates, start_ns, end_ns, first_received_ns, last_received_ns, sealed_ns, request,"
    " members FROM revisions WHERE trace_id = ? ORDER BY revision"
)
_PRIORS = "SELECT trace_id, revision, rooted, members FROM revisions"
_EVALUATIONS = (
    "SELECT name, version, target, passed, score, label, reason, evidence, arrived, span_ids,"
    " service, route FROM evaluations WHERE revision_id = ? ORDER BY id"
)


class Reader:
    """Read a store while another process writes to it.

    Args:
        path: the SQLite file.

    Raises:
        StoreError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = sqlite.connect_reader(path)
        self._decompress = zstandard.ZstdDecompressor().decompress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the store throughout, however much is recorded meanwhile."""
        with sqlite.explain(self._path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def mark(self) -> int:
        """Return the journal position that a restart has to read from."""
        return int(self._meta("mark"))

    def priors(self, trace_ids: Sequence[bytes]) -> dict[bytes, Prior]:
        """Return, of the traces that are stored, what is needed to tell late from duplicate."""
        found: dict[bytes, list[tuple[int, bool, bytes]]] = {}
        for at in range(0, len(trace_ids), _IDS_A_QUERY):
            chosen = [trace_id.hex() for trace_id in trace_ids[at : at + _IDS_A_QUERY]]
            places = ", ".join("?" * len(chosen))
            query = f"{_PRIORS} WHERE trace_id IN ({places}) ORDER BY revision"
            for trace_id, revision, rooted, members in self._query(query, *chosen):
                rows = found.setdefault(bytes.fromhex(trace_id), [])
                rows.append((revision, bool(rooted), members))
        return {trace_id: _prior(rows) for trace_id, rows in found.items()}

    def revisions(self, trace_id: str) -> tuple[SealedTrace, ...]:
        """Return every revision of a trace, the newest last; empty when it is not stored."""
        return tuple(self._sealed(row) for row in self._query(_REVISIONS, trace_id))

    def newest(self, limit: int = -1) -> Iterator[TraceSummary]:
        """Yield the newest revision of every trace, the one sealed last first."""
        query = (
            "SELECT r.trace_id, r.revision, r.verdict, r.service, r.route, r.name, r.spans,"
            " r.start_ns, r.sealed_ns FROM traces t JOIN revisions r ON r.id = t.revision_id"
            " ORDER BY r.id DESC"
        )
        rows = self._query(query) if limit < 0 else self._query(f"{query} LIMIT ?", limit)
        for row in rows:
            yield TraceSummary(
                trace_id=row[0],
                revision=row[1],
                verdict=Verdict(row[2]),
                service=row[3],
                route=row[4],
                name=row[5],
                spans=row[6],
                start_ns=row[7],
                sealed_ns=row[8],
            )

    def totals(self) -> Totals:
        """Return what the store holds."""
        with self.snapshot():
            return summaries.totals(self._query)

    def finding_groups(self) -> tuple[FindingGroup, ...]:
        """Return the findings of the newest revisions, by service, route and code."""
        with self.snapshot():
            return summaries.finding_groups(self._query)

    def evaluation_groups(self) -> tuple[EvaluationGroup, ...]:
        """Return how each evaluator judged, by service, route and target."""
        with self.snapshot():
            return summaries.evaluation_groups(self._query)

    def emitters(self) -> int:
        """Return how many process instances have sent spans."""
        count: int = self._query("SELECT count(*) FROM emitters")[0][0]
        return count

    def newest_evaluation(self) -> int:
        """Return the number of the newest result, 0 when there is none."""
        return int(self._query("SELECT coalesce(max(id), 0) FROM evaluations")[0][0])

    def evaluations_after(self, number: int, limit: int) -> list[StoredEvaluation]:
        """Return the collector's own results numbered above `number`, at most `limit` numbers."""
        rows = self._query(
            "SELECT e.id, r.trace_id, r.sealed_ns, e.name, e.version, e.target, e.passed, e.score,"
            " e.label, e.reason, e.evidence, e.arrived, e.span_ids, e.service, e.route FROM"
            " evaluations e JOIN revisions r ON r.id = e.revision_id"
            " WHERE e.id > ? AND e.arrived = 0 ORDER BY e.id LIMIT ?",
            number,
            limit,
        )
        return [
            StoredEvaluation(
                number=row[0],
                trace_id=row[1],
                span_id=span_id,
                service=evaluation.service,
                route=evaluation.route,
                sealed_ns=row[2],
                evaluation=evaluation,
            )
            for row in rows
            for evaluation in (_evaluation(row[3:]),)
            for span_id in evaluation.span_ids
        ]

    def _query(self, statement: str, *parameters: Any) -> list[Any]:
        with sqlite.explain(self._path):
            return self._connection.execute(statement, parameters).fetchall()

    def _meta(self, key: str) -> str:
        rows = self._query("SELECT value FROM meta WHERE key = ?", key)
        return rows[0][0] if rows else "0"

    def _sealed(self, row: Sequence[Any]) -> SealedTrace:
        key = row[0]
        return SealedTrace(
            trace_id=row[1],
            revision=row[2],
            reason=SealReason(row[3]),
            verdict=TraceVerdict(
                verdict=Verdict(row[4]), findings=self._findings(key), subjects=self._subjects(key)
            ),
            evaluations=tuple(_evaluation(found) for found in self._query(_EVALUATIONS, key)),
            request=self._opened(row[1], row[16]),
            members=_members(row[17]),
            rooted=bool(row[8]),
            spans=row[9],
            duplicates=row[10],
            emitters=(),
            service=row[5],
            route=row[6],
            name=row[7],
            start_ns=row[11],
            end_ns=row[12],
            first_received_ns=row[13],
            last_received_ns=row[14],
            sealed_ns=row[15],
        )

    def _opened(self, trace_id: str, blob: bytes) -> bytes:
        try:
            return self._decompress(blob)
        except zstandard.ZstdError as error:
            raise StoreError(
                f"The store {self._path}: the spans of trace {trace_id} are damaged: {error}.",
                remedy="Restore a backup; keep the damaged file.",
            ) from error

    def _findings(self, key: int) -> tuple[Finding, ...]:
        query = (
            "SELECT code, population, required, service, route, span_ids FROM findings"
            " WHERE revision_id = ?"
        )
        return tuple(
            Finding(
                code=row[0],
                population=Population(row[1]),
                span_id=span_id,
                required=bool(row[2]),
                service=row[3],
                route=row[4],
            )
            for row in self._query(query, key)
            for span_id in (row[5].split() or [None])
        )

    def _subjects(self, key: int) -> tuple[Subjects, ...]:
        query = (
            f"SELECT service, route, {', '.join(Population)} FROM subjects WHERE revision_id = ?"  # noqa: S608
        )
        return tuple(
            Subjects(
                service=row[0],
                route=row[1],
                counts={p: n for p, n in zip(Population, row[2:], strict=True) if n},
            )
            for row in self._query(query, key)
        )


def _prior(rows: Sequence[tuple[int, bool, bytes]]) -> Prior:
    members = [member for _, _, kept in rows for member in _members(kept)]
    return Prior(
        revision=rows[-1][0],
        rooted=any(rooted for _, rooted, _ in rows),
        span_ids=frozenset(member.span_id for member in members),
        digests=frozenset(member.digest for member in members),
    )


def _members(kept: bytes) -> tuple[Member, ...]:
    return tuple(
        Member(kept[at : at + _SPAN_ID_BYTES], kept[at + _SPAN_ID_BYTES : at + _MEMBER_BYTES])
        for at in range(0, len(kept), _MEMBER_BYTES)
    )


def _evaluation(row: Sequence[Any]) -> Evaluation:
    return Evaluation(
        name=row[0],
        version=row[1],
        target=row[2],
        passed=None if row[3] is None else bool(row[3]),
        score=row[4],
        label=row[5],
        reason=row[6],
        evidence=msgspec.json.decode(row[7]) if row[7] else None,
        arrived=bool(row[8]),
        span_ids=tuple(row[9].split()),
        service=row[10],
        route=row[11],
    )
