"""Gather spans into traces and say when each trace is to be sealed. Pure: time is an argument.

Memory holds an index and, up to a bound, the bytes: the journal is the copy that counts. What was
let go of is read again, by its place, when its trace is sealed. Seal rules of DESIGN section 6:

    root ended, every parent present    after `settle_s` of quiet
    a parent missing                    after `quiet_s` of quiet
    no root                             `deadline_s` after its first span, the limit of them all

A trace that was sealed before is opened again by what is new in it. From the second time on it
waits twice as long as the time before, up to the deadline: one that trickles in for an hour makes
some revisions, not one a span. Above a bound of what is indexed the oldest trace is sealed early.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from collector_processor.model import Prior, SealReason, Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector_processor.processor.raw import Envelope

_SECOND = 1_000_000_000
# Half a second doubled so often is years: longer than any deadline.
_DOUBLINGS = 30
NOT_STORED = Prior(revision=0, rooted=False, span_ids=frozenset(), digests=frozenset())


class Piece(NamedTuple):
    """A span, or a log record that belongs to a trace, and where in the journal it is.

    A tuple rather than a dataclass: one is made for every span.

    Attributes:
        parent_id: empty when it has none, and for a log record.
        body: its bytes; None when memory let go of them.
        position: of its frame.
        ordinal: which of the frame's records it is, from 0.
    """

    signal: Signal
    span_id: bytes
    parent_id: bytes
    remote: bool
    digest: bytes
    envelope: Envelope
    body: bytes | None
    received_ns: int
    position: int
    ordinal: int

    @property
    def is_span(self) -> bool:
        """Whether it is a span; else it is a log record."""
        return self.signal is Signal.TRACES


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A trace that is to be sealed now.

    Attributes:
        spans: new ones, in order of arrival.
        records: new log records, in order of arrival.
        prior: what the store holds of the trace already; revision 0 for nothing.
        duplicates: spans that came again, with the same content, and were dropped.
    """

    trace_id: bytes
    reason: SealReason
    spans: tuple[Piece, ...]
    records: tuple[Piece, ...]
    prior: Prior
    rooted: bool
    duplicates: int
    first_received_ns: int
    last_received_ns: int


@dataclass(slots=True)
class _Open:
    """The index of one open trace."""

    prior: Prior
    first_position: int
    opened_ns: int
    heard_ns: int
    spans: list[Piece] = field(default_factory=list)
    records: list[Piece] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)
    missing: set[bytes] = field(default_factory=set)
    rooted: bool = False
    local_root: bool = False
    duplicates: int = 0
    scheduled_ns: int | None = None


class Assembler:
    """Gather spans into traces.

    Args:
        settle_s: quiet to wait for when a trace looks whole, in seconds.
        quiet_s: quiet to wait for when a parent is missing.
        deadline_s: how old a trace may get, from its first span.
        memory_bytes: how many bytes of spans are held in memory at most.
        max_spans: how many spans are indexed at most, those stored of open traces included. One
            takes 0.5 to 1.5 KB of memory.

    Attributes:
        crowded: how many traces were sealed early, because there were more.
    """

    def __init__(
        self,
        *,
        settle_s: float,
        quiet_s: float,
        deadline_s: float,
        memory_bytes: int = 64 << 20,
        max_spans: int = 2_000_000,
    ) -> None:
        self.crowded = 0
        self._settle_ns = int(settle_s * _SECOND)
        self._quiet_ns = int(quiet_s * _SECOND)
        self._deadline_ns = int(deadline_s * _SECOND)
        self._memory_bytes = memory_bytes
        self._max_spans = max_spans
        self._held_bytes = 0
        self._spans = 0
        # In order of first position, so that the first entry is the low-water mark.
        self._open: OrderedDict[bytes, _Open] = OrderedDict()
        self._due: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        """Count the open traces."""
        return len(self._open)

    def __contains__(self, trace_id: bytes) -> bool:
        """Say whether a trace is open."""
        return trace_id in self._open

    def add(
        self, trace_id: bytes, piece: Piece, prior: Prior = NOT_STORED, at_ns: int | None = None
    ) -> bool:
        """Add a span or a log record; False when it is a duplicate.

        Args:
            trace_id: 16 bytes.
            piece: what arrived, and where it is in the journal.
            prior: what the store holds of the trace; looked at when the trace is not open.
            at_ns: when it came, by the time that `due` is asked by; the piece's own by default. The
                two differ where the clock was set back.
        """
        at_ns = piece.received_ns if at_ns is None else at_ns
        entry = self._open.get(trace_id)
        if entry is None:
            if piece.digest in prior.digests:
                return False
            entry = self._start(trace_id, piece, prior, at_ns)
        elif piece.digest in entry.digests:
            entry.duplicates += 1
            return False
        entry.digests.add(piece.digest)
        self._spans += 1
        entry.heard_ns = max(entry.heard_ns, at_ns)
        if piece.is_span:
            entry.spans.append(piece)
            self._place(entry, piece)
        else:
            entry.records.append(piece)
        self._hold(piece)
        self._schedule(trace_id, entry)
        return True

    def due(self, now_ns: int) -> list[Gathered]:
        """Return the traces that are to be sealed, the longest due first; they are open no more."""
        sealed = list(self._crowded_out())
        while self._due and self._due[0][0] <= now_ns:
            scheduled_ns, trace_id = heapq.heappop(self._due)
            entry = self._open.get(trace_id)
            if entry is None or entry.scheduled_ns != scheduled_ns:
                continue
            entry.scheduled_ns = None
            due_ns, reason = self._when(entry)
            if due_ns > now_ns:
                self._schedule(trace_id, entry)
                continue
            sealed.append(self._take(trace_id, entry, reason))
        return sealed

    def _crowded_out(self) -> Iterator[Gathered]:
        """Seal those that have been open longest, until the index is within its bound."""
        while self._spans > self._max_spans:
            trace_id, entry = next(iter(self._open.items()))
            self.crowded += 1
            yield self._take(trace_id, entry, SealReason.CROWDED)

    def next_due_ns(self) -> int | None:
        """Return when to ask `due` again at the earliest; None when no trace is open."""
        return self._due[0][0] if self._due else None

    def low_water(self, position: int) -> int:
        """Return the first journal position that an open trace needs; `position` if none does."""
        for entry in self._open.values():
            return entry.first_position
        return position

    def _start(self, trace_id: bytes, piece: Piece, prior: Prior, at_ns: int) -> _Open:
        entry = self._open[trace_id] = _Open(
            prior=prior,
            first_position=piece.position,
            opened_ns=at_ns,
            heard_ns=at_ns,
            rooted=prior.rooted,
            ids=set(prior.span_ids),
            digests=set(prior.digests),
        )
        self._spans += len(prior.digests)
        return entry

    def _place(self, entry: _Open, piece: Piece) -> None:
        entry.ids.add(piece.span_id)
        entry.missing.discard(piece.span_id)
        if not piece.parent_id:
            entry.rooted = True
        elif piece.parent_id not in entry.ids:
            entry.missing.add(piece.parent_id)
            entry.local_root = entry.local_root or piece.remote

    def _when(self, entry: _Open) -> tuple[int, SealReason]:
        deadline_ns = entry.opened_ns + self._deadline_ns
        again = min(max(entry.prior.revision - 1, 0), _DOUBLINGS)
        if entry.rooted and not entry.missing:
            due_ns, reason = entry.heard_ns + (self._settle_ns << again), SealReason.SETTLED
        elif entry.rooted or entry.local_root or entry.prior.revision:
            due_ns, reason = entry.heard_ns + (self._quiet_ns << again), SealReason.QUIET
        else:
            return deadline_ns, SealReason.DEADLINE
        return (due_ns, reason) if due_ns <= deadline_ns else (deadline_ns, SealReason.DEADLINE)

    def _schedule(self, trace_id: bytes, entry: _Open) -> None:
        """Ask again no later than due: one heap entry a trace, moved on only when it comes up."""
        due_ns, _ = self._when(entry)
        if entry.scheduled_ns is None or due_ns < entry.scheduled_ns:
            entry.scheduled_ns = due_ns
            heapq.heappush(self._due, (due_ns, trace_id))

    def _take(self, trace_id: bytes, entry: _Open, reason: SealReason) -> Gathered:
        del self._open[trace_id]
        self._spans -= len(entry.digests)
        pieces = (*entry.spans, *entry.records)
        self._held_bytes -= sum(map(_size, pieces))
        return Gathered(
            trace_id=trace_id,
            reason=reason,
            spans=tuple(entry.spans),
            records=tuple(entry.records),
            prior=entry.prior,
            rooted=entry.rooted,
            duplicates=entry.duplicates,
            first_received_ns=min(piece.received_ns for piece in pieces),
            last_received_ns=max(piece.received_ns for piece in pieces),
        )

    def _hold(self, piece: Piece) -> None:
        self._held_bytes += _size(piece)
        if self._held_bytes > self._memory_bytes:
            self._let_go()

    def _let_go(self) -> None:
        """Drop the bytes of the traces that have been open longest, down to half the bound."""
        for entry in self._open.values():
            if self._held_bytes <= self._memory_bytes // 2:
                return
            for pieces in (entry.spans, entry.records):
                self._held_bytes -= sum(_size(piece) for piece in pieces)
                pieces[:] = _without_bodies(pieces)


def _size(piece: Piece) -> int:
    return len(piece.body) if piece.body is not None else 0


def _without_bodies(pieces: list[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield piece if piece.body is None else piece._replace(body=None)
