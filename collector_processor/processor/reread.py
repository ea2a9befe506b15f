"""Read again from the journal what memory has let go of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from collector_processor.processor.unpack import read_bodies

if TYPE_CHECKING:
    from collector_processor.model import Journal
    from collector_processor.processor.assembler import Gathered, Piece

# What is kept, until forgotten, of frames that were read again.
_KEPT_BYTES = 16 << 20


class Reread:
    """The frames that were read again; traces that are due together were received together."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._bodies: dict[int, dict[int, bytes]] = {}
        self._size = 0

    def forget(self) -> None:
        """Let go of the frames: a batch is recorded."""
        self._bodies.clear()
        self._size = 0

    def with_bodies(self, gathered: Gathered) -> Gathered:
        """Return a trace of which every piece has its bytes, but for what the journal has lost.

        Raises:
            JournalError: the journal cannot be read.
        """
        pieces = (*gathered.spans, *gathered.records)
        positions = sorted({piece.position for piece in pieces if piece.body is None})
        if not positions:
            return gathered
        bodies = {position: self._at(position) for position in positions}

        def whole(piece: Piece) -> Piece:
            if piece.body is not None:
                return piece
            return piece._replace(body=bodies[piece.position].get(piece.ordinal))

        return replace(
            gathered,
            spans=tuple(map(whole, gathered.spans)),
            records=tuple(map(whole, gathered.records)),
        )

    def _at(self, position: int) -> dict[int, bytes]:
        """Return the bytes in one frame; none when the journal is damaged there."""
        if position not in self._bodies:
            stored = next(self._journal.read(position), None)
            bodies = read_bodies(stored) if stored and stored.position == position else {}
            size = sum(map(len, bodies.values()))
            if self._size + size > _KEPT_BYTES:
                self.forget()
            self._bodies[position] = bodies
            self._size += size
        return self._bodies[position]
