from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector_processor.journal.frames import (
    HEADER_BYTES,
    Damage,
    encode_header,
    scan,
    size_of,
)
from collector_processor.model import Frame, Signal, StoredFrame

frames = st.builds(
    Frame,
    signal=st.sampled_from(Signal),
    received_ns=st.integers(0, 2**64 - 1),
    body=st.binary(max_size=200),
)


def lay_out(items: list[Frame], position: int) -> bytes:
    laid = b""
    for frame in items:
        laid += encode_header(frame, position + len(laid)) + frame.body
    return laid


def scan_bytes(data: bytes, position: int) -> list[StoredFrame | Damage]:
    def read(at: int, size: int) -> bytes:
        return data[at - position : at - position + size]

    return list(scan(read, position, position + len(data)))


@given(st.lists(frames), st.integers(0, 2**40))
def test_what_was_laid_out_is_scanned(items: list[Frame], position: int) -> None:
    found = scan_bytes(lay_out(items, position), position)
    assert [stored.frame for stored in found if isinstance(stored, StoredFrame)] == items
    assert len(found) == len(items)


@given(st.lists(frames, min_size=1), st.data())
def test_a_changed_byte_costs_its_frame_alone_and_is_named(
    items: list[Frame], data: st.DataObject
) -> None:
    victim = data.draw(st.integers(0, len(items) - 1))
    start = sum(map(size_of, items[:victim]))
    at = start + data.draw(st.integers(0, size_of(items[victim]) - 1))
    damaged = bytearray(lay_out(items, 0))
    damaged[at] ^= data.draw(st.integers(1, 255))
    found = scan_bytes(bytes(damaged), 0)
    assert [x for x in found if isinstance(x, Damage)] == [
        Damage(position=start, next_position=start + size_of(items[victim]))
    ]
    assert [x.frame for x in found if isinstance(x, StoredFrame)] == [
        *items[:victim],
        *items[victim + 1 :],
    ]


def test_bytes_copied_from_another_place_are_no_frame() -> None:
    frame = Frame(signal=Signal.TRACES, received_ns=1, body=b"secret")
    elsewhere = encode_header(frame, 4096) + frame.body
    assert scan_bytes(elsewhere, 0) == [
        Damage(position=0, next_position=HEADER_BYTES + len(frame.body))
    ]


def test_a_frame_longer_than_a_chunk_is_read_whole() -> None:
    items = [
        Frame(signal=Signal.LOGS, received_ns=2, body=bytes(3 << 20)),
        Frame(signal=Signal.LOGS, received_ns=3, body=b"x"),
    ]
    found = scan_bytes(lay_out(items, 0), 0)
    assert [stored.frame for stored in found if isinstance(stored, StoredFrame)] == items
