"""Turn a journal frame into pieces for the assembler; what cannot be read is kept. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from collector_processor.model import Signal, Undecodable
from collector_processor.processor.arrivals import read_record_header
from collector_processor.processor.assembler import Piece
from collector_processor.processor.raw import read_header, split_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector_processor.model import StoredFrame
    from collector_processor.processor.raw import Envelope

WHOLE_FRAME = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What a frame holds.

    Attributes:
        pieces: spans, and log records that belong to a trace, each with its trace id.
        ignored: log records that are no evidence of a trace.
        undecodable: what cannot be read.
    """

    pieces: tuple[tuple[bytes, Piece], ...]
    ignored: int
    undecodable: tuple[Undecodable, ...]


def unpack(stored: StoredFrame) -> Unpacked:
    """Read the headers of all that a frame holds."""
    pieces: list[tuple[bytes, Piece]] = []
    undecodable: list[Undecodable] = []
    ignored = 0
    read = _span if stored.frame.signal is Signal.TRACES else _record
    try:
        for ordinal, envelope, body in _bodies(stored):
            try:
                found = read(stored, ordinal, envelope, body)
            except DecodeError as error:
                undecodable.append(keep(stored, ordinal, body, str(error)))
                continue
            if found is None:
                ignored += 1
            else:
                pieces.append(found)
    except DecodeError as error:
        undecodable.append(keep(stored, WHOLE_FRAME, stored.frame.body, str(error)))
    return Unpacked(pieces=tuple(pieces), ignored=ignored, undecodable=tuple(undecodable))


def read_bodies(stored: StoredFrame) -> dict[int, bytes]:
    """Return, by ordinal, the bytes of what a frame holds: for what memory has let go of."""
    return {ordinal: body for ordinal, _, body in _bodies(stored)}


def _bodies(stored: StoredFrame) -> Iterator[tuple[int, Envelope, bytes]]:
    ordinal = 0
    for envelope, bodies in split_request(stored.frame.body):
        for body in bodies:
            yield ordinal, envelope, body
            ordinal += 1


def _span(
    stored: StoredFrame, ordinal: int, envelope: Envelope, body: bytes
) -> tuple[bytes, Piece]:
    trace_id, span_id, parent_id, remote, digest = read_header(body)
    return trace_id, Piece(
        Signal.TRACES,
        span_id,
        parent_id,
        remote,
        digest,
        envelope,
        body,
        stored.frame.received_ns,
        stored.position,
        ordinal,
    )


def _record(
    stored: StoredFrame, ordinal: int, envelope: Envelope, body: bytes
) -> tuple[bytes, Piece] | None:
    header = read_record_header(body)
    if header is None:
        return None
    return header.trace_id, Piece(
        signal=Signal.LOGS,
        span_id=header.span_id,
        parent_id=b"",
        remote=False,
        digest=hashlib.sha256(body).digest(),
        envelope=envelope,
        body=body,
        received_ns=stored.frame.received_ns,
        position=stored.position,
        ordinal=ordinal,
    )


def keep(stored: StoredFrame, ordinal: int, body: bytes, reason: str) -> Undecodable:
    """Keep bytes that cannot be read, with their place."""
    return Undecodable(
        position=stored.position,
        ordinal=ordinal,
        received_ns=stored.frame.received_ns,
        signal=stored.frame.signal,
        trace_id=None,
        reason=reason,
        body=body,
    )
