"""How a frame is laid out in a segment file, and how the next whole one is found. No I/O.

A frame is 32 bytes of header and the body, all numbers little-endian:

    magic 4 | crc32 4 | length 4 | signal 1 | zero 3 | position 8 | received_ns 8 | body

The checksum covers everything behind it. The position is the frame's own, so that bytes which were
copied from elsewhere, or left over from before, are never taken for a frame.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.model import Frame, Signal, StoredFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER_BYTES = 32
MAX_BODY_BYTES = 1 << 30

_MAGIC = b"fRm\x01"
_CHECKED_FROM = 8
_CHUNK = 1 << 20
_HEADER = struct.Struct("<4sIIB3xQQ")
_CHECKED = struct.Struct("<IB3xQQ")
_CODES = {Signal.TRACES: 1, Signal.LOGS: 2}
_SIGNALS = {code: signal for signal, code in _CODES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The bytes at hand end too early: the frame is this long, as far as its header says."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A stretch of the journal that holds no readable frame.

    Attributes:
        position: where it begins.
        next_position: where reading goes on.
    """

    position: int
    next_position: int


def size_of(frame: Frame) -> int:
    """Return how many bytes a frame takes in the journal."""
    return HEADER_BYTES + len(frame.body)


def encode_header(frame: Frame, position: int) -> bytes:
    """Return what goes before the body of a frame at `position`."""
    checked = _CHECKED.pack(len(frame.body), _CODES[frame.signal], position, frame.received_ns)
    crc = zlib.crc32(frame.body, zlib.crc32(checked))
    return _MAGIC + crc.to_bytes(4, "little") + checked


def decode(buffer: bytes, offset: int, position: int) -> StoredFrame | Need | None:
    """Read the frame that should be at `position`, from `offset` on; None when none is there."""
    view = memoryview(buffer)
    if len(view) - offset < HEADER_BYTES:
        return Need(size=HEADER_BYTES)
    magic, crc, length, code, stated, received_ns = _HEADER.unpack_from(view, offset)
    if magic != _MAGIC or stated != position or code not in _SIGNALS or length > MAX_BODY_BYTES:
        return None
    size = HEADER_BYTES + length
    if len(view) - offset < size:
        return Need(size=size)
    if zlib.crc32(view[offset + _CHECKED_FROM : offset + size]) != crc:
        return None
    body = bytes(view[offset + HEADER_BYTES : offset + size])
    frame = Frame(signal=_SIGNALS[code], received_ns=received_ns, body=body)
    return StoredFrame(position=position, next_position=position + size, frame=frame)


def scan(
    read: Callable[[int, int], bytes], position: int, end: int
) -> Iterator[StoredFrame | Damage]:
    """Yield what lies between two positions, in order: frames, and the stretches that hold none.

    Args:
        read: returns at most so many bytes (second) from a position (first) on.
        position: where a frame begins.
        end: where the last frame ends.
    """
    buffer, offset = b"", 0
    while position < end:
        found = decode(buffer, offset, position)
        if isinstance(found, Need) and found.size <= end - position:
            buffer, offset = read(position, min(max(found.size, _CHUNK), end - position)), 0
            if len(buffer) >= found.size:
                continue
        if isinstance(found, StoredFrame):
            offset += found.next_position - position
            position = found.next_position
            yield found
            continue
        resumed = _find_next(read(position, end - position), position) or end
        yield Damage(position=position, next_position=resumed)
        position, buffer, offset = resumed, b"", 0


def _find_next(rest: bytes, position: int) -> int | None:
    """Return the position of the first whole frame behind the damage that `rest` begins with."""
    offset = rest.find(_MAGIC, 1)
    while offset >= 0:
        if isinstance(decode(rest, offset, position + offset), StoredFrame):
            return position + offset
        offset = rest.find(_MAGIC, offset + 1)
    return None
