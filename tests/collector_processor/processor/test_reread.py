"""Bytes that memory let go of, read again from a real journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Frame, Signal
from collector_processor.processor import reread
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.reread import Reread
from collector_processor.processor.unpack import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector_processor.model import StoredFrame
    from collector_processor.processor.assembler import Gathered


class Counting(SegmentJournal):
    """A journal that counts how often it is read."""

    reads = 0

    def read(self, position: int) -> Iterator[StoredFrame]:
        self.reads += 1
        return super().read(position)


@pytest.fixture
def journal(tmp_path: Path, otlp: Any) -> Iterator[Counting]:
    made = Counting(tmp_path / "journal")
    for number in range(6):
        body = otlp.request(
            *(otlp.span(f"{n}-{number}", trace=f"t{n}", parent="root") for n in range(3))
        )
        made.submit(Frame(signal=Signal.TRACES, received_ns=number, body=body)).result()
    yield made
    made.close()


def gathered(journal: Counting, *, memory_bytes: int) -> list[Gathered]:
    assembler = Assembler(settle_s=1, quiet_s=1, deadline_s=1, memory_bytes=memory_bytes)
    for stored in journal.read(0):
        for trace_id, piece in unpack(stored).pieces:
            assembler.add(trace_id, piece)
    journal.reads = 0
    return assembler.due(10_000_000_000)


@pytest.mark.parametrize("memory_bytes", [1, 500, 1 << 20])
def test_every_piece_has_its_bytes_again(journal: Counting, memory_bytes: int) -> None:
    expected = gathered(journal, memory_bytes=1 << 20)
    subject = Reread(journal)
    found = [subject.with_bodies(each) for each in gathered(journal, memory_bytes=memory_bytes)]
    assert found == expected


@pytest.mark.parametrize(("kept", "reads"), [(1 << 20, 6), (1, 18)])
def test_a_frame_is_read_once_for_the_traces_in_it_up_to_a_bound(
    journal: Counting, monkeypatch: pytest.MonkeyPatch, kept: int, reads: int
) -> None:
    monkeypatch.setattr(reread, "_KEPT_BYTES", kept)
    subject = Reread(journal)
    for each in gathered(journal, memory_bytes=1):
        subject.with_bodies(each)
    assert journal.reads == reads


def test_what_the_journal_has_lost_has_no_bytes(journal: Counting) -> None:
    [first, *_] = gathered(journal, memory_bytes=1)
    lost = first.spans[0]._replace(position=first.spans[0].position + 1, body=None)
    whole = Reread(journal).with_bodies(
        type(first)(**{**_fields(first), "spans": (lost, *first.spans[1:])})
    )
    assert [piece.body is None for piece in whole.spans] == [True] + [False] * 5


def _fields(trace: Gathered) -> dict[str, Any]:
    return {name: getattr(trace, name) for name in trace.__slots__}
