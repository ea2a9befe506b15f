"""Read and write the protobuf wire format without a schema: field headers only, values untouched.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector_processor.errors import MalformedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT = 0
FIXED64 = 1
LENGTH = 2
FIXED32 = 5
_GROUP_START = 3
_GROUP_END = 4
_CONTINUES = 0x80

_WIDTH = {FIXED64: 8, FIXED32: 4}


def varint(number: int) -> bytes:
    """Encode a number from 0 to 2**64 - 1."""
    if number < _CONTINUES:
        return bytes((number,))
    encoded = bytearray()
    while number >= _CONTINUES:
        encoded.append(number & 0x7F | _CONTINUES)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def tag(number: int, wire_type: int) -> bytes:
    """Encode the header of a field."""
    return varint(number << 3 | wire_type)


def messages(buffer: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field of the message in `buffer[start:end]`, in the order of the wire.

    Yields:
        The field's number, where its header begins, where its value begins, and where it ends. The
        number is 0 for a field that is neither a message nor text nor bytes.

    Raises:
        MalformedRequestError: a field runs over the end.
    """
    position = start
    while position < end:
        begin = position
        key, position = _read_varint(buffer, position, end)
        if key & 7 == LENGTH:
            length, value = _read_varint(buffer, position, end)
            position = value + length
            number = key >> 3
        else:
            value = position
            position = _skip(buffer, position, end, key)
            number = 0
        if position > end:
            raise _overrun(begin)
        yield number, begin, value, position


def _read_varint(buffer: bytes, position: int, end: int) -> tuple[int, int]:
    number = shift = 0
    while position < end:
        byte = buffer[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return number, position
        shift += 7
    raise _overrun(position)


def _skip(buffer: bytes, position: int, end: int, key: int) -> int:
    """Return where the value of a field that is not length-delimited ends."""
    wire_type = key & 7
    if wire_type == VARINT:
        return _read_varint(buffer, position, end)[1]
    if wire_type in _WIDTH:
        return position + _WIDTH[wire_type]
    if wire_type != _GROUP_START:
        raise MalformedRequestError(f"The protobuf message has wire type {wire_type}.")
    return _skip_group(buffer, position, end)


def _skip_group(buffer: bytes, position: int, end: int) -> int:
    depth = 1
    while depth:
        key, position = _read_varint(buffer, position, end)
        if key & 7 == _GROUP_START:
            depth += 1
        elif key & 7 == _GROUP_END:
            depth -= 1
        elif key & 7 == LENGTH:
            length, position = _read_varint(buffer, position, end)
            position += length
        else:
            position = _skip(buffer, position, end, key)
    return position


def _overrun(position: int) -> MalformedRequestError:
    return MalformedRequestError(
        f"The protobuf message breaks off in the field at byte {position}.",
        remedy="Send the message whole.",
    )
