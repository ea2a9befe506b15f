"""The journal on local disk: segments of frames, durable before they are acknowledged.

A position counts bytes of frames from the very first one on, over all segments, and is never used
again. One thread writes (`committer`); any number read, each with a file of its own, and never past
what is durable.
"""

from __future__ import annotations

import logging
import os
import threading
from bisect import bisect_right
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.errors import JournalError, JournalFullError
from collector_processor.journal import files
from collector_processor.journal.committer import Committer
from collector_processor.journal.frames import MAX_BODY_BYTES, Damage, scan, size_of
from collector_processor.journal.tail import Recovery, Tail, reader

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from collector_processor.model import Frame, StoredFrame

__all__ = ["Damage", "JournalCounts", "Recovery", "SegmentJournal"]

_log = logging.getLogger("traceai.collector")

_LEAST_SEGMENTS = 8


@dataclass(slots=True, kw_only=True)
class JournalCounts:
    """What was done since the journal was opened."""

    frames: int = 0
    groups: int = 0
    failed: int = 0


class SegmentJournal:
    """Durable, ordered frames in a directory. It keeps the promises of `model.Journal`.

    Args:
        path: the directory, made when it is missing, readable by its owner alone.
        segment_bytes: about how large a file grows; what is released is deleted by whole files.
        max_bytes: how much may be kept; at this bound `append` raises JournalFullError.
        waiting_bytes: how much may wait to be written.
        start: the first position of a journal that has no segment: not below any position that a
            reader remembers, so that a journal that was deleted is never mistaken for the old one.

    Attributes:
        recovery: what was found at the end of the last segment.
        counts: what was done since.

    Raises:
        AlreadyRunningError: another process has the journal open.
        JournalError: the directory cannot be used, or holds another version's journal.
    """

    def __init__(
        self,
        path: Path,
        *,
        segment_bytes: int = 64 << 20,
        max_bytes: int = 4 << 30,
        waiting_bytes: int = 64 << 20,
        start: int = 0,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._damages: dict[int, Damage] = {}
        self._grown = threading.Condition()
        self._writing = threading.Lock()
        segment_bytes = min(segment_bytes, max_bytes // _LEAST_SEGMENTS)
        try:
            with ExitStack() as undo:
                self._claim = files.claim(path)
                undo.callback(os.close, self._claim)
                self._tail = Tail(path, start=start, segment_bytes=segment_bytes)
                undo.pop_all()
        except OSError as error:
            raise files.explain(error, path) from error
        self.counts = JournalCounts()
        self.recovery: Recovery = self._tail.recovery
        self._report_recovery()
        self._committer = Committer(self._commit, waiting_bytes=waiting_bytes)

    @property
    def first_position(self) -> int:
        """Where the oldest frame that is kept begins."""
        return self._tail.bases[0]

    @property
    def end_position(self) -> int:
        """Where the next frame will go; everything before it is durable."""
        return self._tail.position

    @property
    def kept_bytes(self) -> int:
        """How much is kept."""
        return self.end_position - self.first_position

    @property
    def accepts(self) -> bool:
        """Whether a frame that comes now would be taken."""
        return self._committer.running and self.kept_bytes < self._max_bytes

    @property
    def damages(self) -> tuple[Damage, ...]:
        """The damaged stretches that were met since the journal was opened."""
        return tuple(self._damages.values())

    def append(self, frame: Frame) -> asyncio.Future[int]:
        """Return, to an event loop, the frame's position once it is durable.

        Raises:
            JournalFullError: a bound is reached.
            JournalError: the frame could not be made durable; it may be sent again.
        """
        self._admit(frame)
        return self._committer.append(frame)

    def submit(self, frame: Frame) -> concurrent.futures.Future[int]:
        """Return, to a plain thread, what `append` returns to an event loop."""
        self._admit(frame)
        return self._committer.submit(frame)

    def read(self, position: int) -> Iterator[StoredFrame]:
        """Yield the durable frames from `position` on, until there are no more at present.

        What was released is left out. A damaged stretch is logged, kept in `damages`, and reading
        goes on behind it.

        Raises:
            JournalError: the journal ends before `position`: it is not the one that gave it out.
        """
        while (end := self._tail.position) > position:
            bases = self._tail.bases
            index = bisect_right(bases, position) - 1
            if index < 0:
                position = bases[0]
                continue
            limit = min(end, bases[index + 1]) if index + 1 < len(bases) else end
            yield from self._read_segment(bases[index], position, limit)
            position = limit
        if position > end:
            raise JournalError(
                f"The journal {self._path} ends at {end}, but is asked for position {position}.",
                remedy="It was deleted or replaced: restore it, or move it and the store away.",
            )

    def wait(self, position: int, timeout_s: float) -> bool:
        """Block until a frame at or after `position` is durable; False when the time is up."""
        with self._grown:
            return self._grown.wait_for(lambda: self._tail.position > position, timeout_s)

    def release(self, position: int) -> None:
        """Delete the frames before `position`, by whole segments; nobody will read them again.

        When that is everything, the last segment too is deleted and a new one begun, so that an
        idle collector holds no content of what it has long passed on.

        Raises:
            JournalError: the files cannot be deleted.
        """
        try:
            with self._writing:
                self._tail.drop_before(position)
                if position >= self._tail.position > self._tail.bases[-1]:
                    self._tail.roll()
                    self._tail.drop_before(position)
        except OSError as error:
            raise files.explain(error, self._path) from error

    def close(self) -> None:
        """Commit what waits, and let go of the directory."""
        self._committer.close()
        self._tail.close()
        os.close(self._claim)

    def _admit(self, frame: Frame) -> None:
        size = size_of(frame)
        if len(frame.body) > MAX_BODY_BYTES:
            raise JournalError(f"A frame of {size} bytes is too large.", remedy="Split it.")
        kept = self.kept_bytes + self._committer.waiting_bytes
        if kept + size > self._max_bytes:
            raise JournalFullError(
                f"The journal keeps {kept} bytes, of {self._max_bytes} at most.",
                remedy="See why it is not passed on (the store, a backend), or raise "
                "journal.max_mib; senders are told to try again.",
            )

    def _commit(self, group: Sequence[Frame]) -> list[int]:
        try:
            with self._writing:
                positions = self._tail.append(group)
        except OSError as error:
            self.counts.failed += len(group)
            raise files.explain(error, self._path) from error
        self.counts.frames += len(group)
        self.counts.groups += 1
        with self._grown:
            self._grown.notify_all()
        return positions

    def _read_segment(self, base: int, position: int, limit: int) -> Iterator[StoredFrame]:
        try:
            descriptor = os.open(files.segment_path(self._path, base), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if base in self._tail.bases:
                self._report(Damage(position=position, next_position=limit))
            return
        try:
            for found in scan(reader(descriptor, base), position, limit):
                if isinstance(found, Damage):
                    self._report(found)
                else:
                    yield found
        finally:
            os.close(descriptor)

    def _report(self, damage: Damage) -> None:
        if self._damages.setdefault(damage.position, damage) is damage:
            _log.error(
                "the journal %s is damaged: positions %d to %d hold no readable frame; what was "
                "acknowledged there is lost",
                self._path,
                damage.position,
                damage.next_position,
            )

    def _report_recovery(self) -> None:
        for damage in self.recovery.corrupt:
            self._report(damage)
        if self.recovery.torn_bytes:
            _log.warning(
                "the journal %s ended in %d bytes of an unfinished frame: cut off",
                self._path,
                self.recovery.torn_bytes,
            )
