"""The end of the journal: the one segment that is written, and how it is recovered."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.journal import files
from collector_processor.journal.frames import Damage, encode_header, scan, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from collector_processor.model import Frame

_PREAMBLE_BYTES = len(files.PREAMBLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found at the end of the journal when it was opened.

    Attributes:
        frames: whole frames in the last segment.
        torn_bytes: what was cut off behind them: as a rule a frame that was being written when the
            process died, and so was never acknowledged.
        corrupt: stretches before the last whole frame that hold none: bytes that have changed.
    """

    frames: int
    torn_bytes: int
    corrupt: tuple[Damage, ...]


class Tail:
    """The segment that frames are appended to. Not for two threads at once.

    Args:
        path: the journal's directory.
        start: the first position of a journal that has no segment yet.
        segment_bytes: a segment that has grown to this is followed by another.

    Attributes:
        bases: the position that each segment begins at.
        position: where the next frame goes; everything before it is durable.
    """

    def __init__(self, path: Path, *, start: int, segment_bytes: int) -> None:
        self.bases = files.segments(path)
        self._path = path
        self._segment_bytes = segment_bytes
        self._fd = -1
        if self.bases:
            self.position, self.recovery = self._recover(self.bases[-1])
        else:
            self.position = start
            self.recovery = Recovery(frames=0, torn_bytes=0, corrupt=())
            self.roll()

    def append(self, group: Sequence[Frame]) -> list[int]:
        """Write frames with one call, make them durable with one more, and return their positions.

        Raises:
            OSError: none of them is durable. The next call begins a new segment: after a failed
                sync nobody knows what the old one holds behind the last durable frame.
        """
        if self._fd < 0 or self.position - self.bases[-1] >= self._segment_bytes:
            self.roll()
        positions = []
        parts: list[bytes] = []
        end = self.position
        for frame in group:
            positions.append(end)
            parts += (encode_header(frame, end), frame.body)
            end += size_of(frame)
        try:
            _write_all(self._fd, parts, _PREAMBLE_BYTES + self.position - self.bases[-1])
            os.fdatasync(self._fd)
        except OSError:
            self._abandon()
            raise
        self.position = end
        return positions

    def roll(self) -> None:
        """Begin a new segment at the end."""
        fresh = files.create(self._path, self.position)
        self.close()
        self._fd = fresh
        if self.position not in self.bases[-1:]:
            self.bases = (*self.bases, self.position)

    def drop_before(self, position: int) -> None:
        """Delete the segments that end at or before `position`; the last one is always kept."""
        ends = self.bases[1:]
        gone = tuple(base for base, end in zip(self.bases, ends, strict=False) if end <= position)
        self.bases = self.bases[len(gone) :]
        files.remove(self._path, gone)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _abandon(self) -> None:
        # What was not acknowledged is cut off if that can be done. If not it does no harm: readers
        # stop at the durable end, and the next segment begins there.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, _PREAMBLE_BYTES + self.position - self.bases[-1])
        self.close()

    def _recover(self, base: int) -> tuple[int, Recovery]:
        """Open the last segment, find its last whole frame, and cut off what lies behind it."""
        file = files.segment_path(self._path, base)
        self._fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        size = os.fstat(self._fd).st_size
        if size < _PREAMBLE_BYTES:
            # The process died while it made the file: there is no frame in it.
            self.position = base
            self.roll()
            return base, Recovery(frames=0, torn_bytes=size, corrupt=())
        files.check_preamble(self._fd, file)
        end = last = base + size - _PREAMBLE_BYTES
        frames = 0
        corrupt: list[Damage] = []
        for found in scan(reader(self._fd, base), base, end):
            if not isinstance(found, Damage):
                frames += 1
            elif found.next_position < end:
                corrupt.append(found)
            else:
                last = found.position
        if last < end:
            os.ftruncate(self._fd, _PREAMBLE_BYTES + last - base)
        # Whole frames behind the last acknowledged one may not have been synced before the crash.
        os.fsync(self._fd)
        return last, Recovery(frames=frames, torn_bytes=end - last, corrupt=tuple(corrupt))


def reader(descriptor: int, base: int) -> Callable[[int, int], bytes]:
    """Return what reads so many bytes (second) of a segment from a position (first) on."""
    shift = _PREAMBLE_BYTES - base
    return lambda position, size: os.pread(descriptor, size, position + shift)


def _write_all(descriptor: int, parts: list[bytes], offset: int) -> None:
    """Write every byte, also when the system takes only some of them at a time."""
    written = os.pwritev(descriptor, parts, offset)
    total = sum(map(len, parts))
    if written < total:
        rest = memoryview(b"".join(parts))
        while written < total:
            written += os.pwrite(descriptor, rest[written:], offset + written)
