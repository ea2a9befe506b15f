from __future__ import annotations

from typing import Any

from collector_processor.model import Frame, Signal, StoredFrame
from collector_processor.processor.raw import Envelope, build_request
from collector_processor.processor.unpack import read_bodies, unpack


def stored(body: bytes) -> StoredFrame:
    frame = Frame(signal=Signal.TRACES, received_ns=1, body=body)
    return StoredFrame(position=5, next_position=6, frame=frame)


def test_a_frame_that_is_no_request_is_kept_whole() -> None:
    unpacked = unpack(stored(b"\xff\xff"))
    [whole] = unpacked.undecodable
    assert (whole.position, whole.ordinal, whole.body, unpacked.pieces) == (5, -1, b"\xff\xff", ())


def test_a_broken_span_is_kept_alone_and_the_others_go_on(otlp: Any) -> None:
    envelope = Envelope(b"", "", b"", "")
    good = otlp.span("a").SerializeToString()
    frame = stored(build_request([(envelope, b"\x0a\xff"), (envelope, good)]))
    unpacked = unpack(frame)
    assert [(found.ordinal, found.body) for found in unpacked.undecodable] == [(0, b"\x0a\xff")]
    assert [(piece.ordinal, piece.body) for _, piece in unpacked.pieces] == [(1, good)]
    assert read_bodies(frame)[1] == good
