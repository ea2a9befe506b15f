from __future__ import annotations

import asyncio
import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector_processor.errors import AlreadyRunningError, JournalError, JournalFullError
from collector_processor.journal.segments import Damage, Recovery, SegmentJournal
from collector_processor.model import Frame, Signal

WAIT_S = 10.0


def traces(body: bytes) -> Frame:
    return Frame(signal=Signal.TRACES, received_ns=1, body=body)


def put(journal: SegmentJournal, *frames: Frame) -> list[int]:
    return [future.result(WAIT_S) for future in [journal.submit(frame) for frame in frames]]


def bodies(journal: SegmentJournal, position: int = 0) -> list[bytes]:
    return [stored.frame.body for stored in journal.read(position)]


def files(path: Path) -> list[Path]:
    return sorted(path.glob("*.segment"))


frames = st.builds(
    Frame,
    signal=st.sampled_from(Signal),
    received_ns=st.integers(0, 2**64 - 1),
    body=st.binary(max_size=300),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(frames, max_size=8), max_size=4))
def test_what_was_acknowledged_is_read_after_every_reopening(runs: list[list[Frame]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected: dict[int, Frame] = {}
        for run in runs:
            journal = SegmentJournal(Path(folder), segment_bytes=256)
            expected.update(zip(put(journal, *run), run, strict=True))
            journal.close()
        journal = SegmentJournal(Path(folder), segment_bytes=256)
        stored = list(journal.read(0))
        assert {item.position: item.frame for item in stored} == expected
        assert [item.position for item in stored] == sorted(expected)
        for item in stored:
            after = [other.position for other in journal.read(item.next_position)]
            assert after == [p for p in sorted(expected) if p > item.position]
        journal.close()


def test_the_last_frame_torn_at_every_byte_is_cut_and_reported(tmp_path: Path) -> None:
    last = 32 + 5
    for missing in range(1, last + 1):
        path = tmp_path / str(missing)
        journal = SegmentJournal(path)
        _, torn_at = put(journal, traces(b"first"), traces(b"other"))
        journal.close()
        os.truncate(files(path)[0], files(path)[0].stat().st_size - missing)

        journal = SegmentJournal(path)
        assert journal.recovery == Recovery(frames=1, torn_bytes=last - missing, corrupt=())
        assert put(journal, traces(b"third")) == [torn_at]
        assert bodies(journal) == [b"first", b"third"]
        journal.close()


def test_a_changed_byte_in_the_middle_is_named_and_reading_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = SegmentJournal(tmp_path)
    _, victim, after = put(journal, traces(b"first"), traces(b"other"), traces(b"third"))
    with files(tmp_path)[0].open("r+b") as file:
        file.seek(16 + victim + 32)
        file.write(b"OTHER")
    damage = Damage(position=victim, next_position=after)
    assert bodies(journal) == [b"first", b"third"]
    assert bodies(journal) == [b"first", b"third"]
    assert journal.damages == (damage,)
    (record,) = caplog.records
    assert f"positions {victim} to {after} hold no readable frame" in record.message
    journal.close()

    journal = SegmentJournal(tmp_path)
    assert journal.recovery == Recovery(frames=2, torn_bytes=0, corrupt=(damage,))
    assert put(journal, traces(b"later")) == [after + 37]
    assert bodies(journal) == [b"first", b"third", b"later"]
    journal.close()


@pytest.mark.parametrize("harm", ["deleted", "truncated"])
def test_a_segment_that_is_lost_is_named_and_reading_goes_on_behind_it(
    tmp_path: Path, harm: str
) -> None:
    journal = SegmentJournal(tmp_path, segment_bytes=32)
    first, second, third = (put(journal, traces(body))[0] for body in (b"a", b"b", b"c"))
    if harm == "deleted":
        files(tmp_path)[1].unlink()
    else:
        os.truncate(files(tmp_path)[1], 20)
    assert [stored.position for stored in journal.read(0)] == [first, third]
    assert journal.damages == (Damage(position=second, next_position=third),)
    journal.close()


def test_released_segments_are_deleted_and_positions_go_on(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path, segment_bytes=64)
    positions = [put(journal, traces(b"x" * 40))[0] for _ in range(4)]
    journal.release(positions[2])
    assert journal.first_position == positions[2]
    assert [stored.position for stored in journal.read(0)] == positions[2:]
    journal.release(journal.end_position)
    assert [file.stat().st_size for file in files(tmp_path)] == [16]
    end = journal.end_position
    journal.close()

    journal = SegmentJournal(tmp_path)
    assert journal.end_position == end
    assert put(journal, traces(b"more")) == [end]
    journal.close()


def test_at_its_bound_the_journal_refuses_and_after_a_release_it_takes_again(
    tmp_path: Path,
) -> None:
    journal = SegmentJournal(tmp_path, max_bytes=400)
    put(journal, traces(bytes(150)), traces(bytes(150)))
    with pytest.raises(JournalFullError, match="keeps 364 bytes, of 400 at most"):
        journal.submit(traces(bytes(150)))
    journal.release(journal.end_position)
    put(journal, traces(bytes(150)))
    journal.close()


def test_a_position_behind_the_end_is_an_error_and_not_an_empty_journal(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    with pytest.raises(JournalError, match="ends at 0, but is asked for position 77"):
        list(journal.read(77))
    journal.close()


def test_a_new_journal_begins_where_it_is_told(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path, start=77)
    assert put(journal, traces(b"x")) == [77]
    assert bodies(journal, 77) == [b"x"]
    journal.close()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "deep" / "journal")
    assert stat.S_IMODE((tmp_path / "deep" / "journal").stat().st_mode) == 0o700
    for file in (tmp_path / "deep" / "journal").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    journal.close()


def test_a_second_journal_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    with pytest.raises(AlreadyRunningError, match="Stop it first"):
        SegmentJournal(tmp_path)
    journal.close()
    SegmentJournal(tmp_path).close()


def test_a_path_that_cannot_be_a_directory_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be used: Not a directory"):
        SegmentJournal(tmp_path / "file" / "journal")


def test_another_version_s_segment_is_refused_and_left_alone(tmp_path: Path) -> None:
    strange = tmp_path / f"{0:020}.segment"
    strange.write_bytes(b"traceai journal\x02 and more")
    with pytest.raises(JournalError, match="not a segment of this version"):
        SegmentJournal(tmp_path)
    assert strange.read_bytes() == b"traceai journal\x02 and more"


def test_a_segment_without_its_preamble_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / f"{500:020}.segment").write_bytes(b"trace")
    journal = SegmentJournal(tmp_path)
    assert journal.recovery == Recovery(frames=0, torn_bytes=5, corrupt=())
    assert put(journal, traces(b"x")) == [500]
    journal.close()


def test_waiting_ends_when_a_frame_is_durable(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    assert journal.wait(0, 0) is False
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(journal.wait(0, WAIT_S)))
    waiter.start()
    put(journal, traces(b"x"))
    waiter.join()
    assert woken == [True]
    journal.close()


def test_readers_see_every_frame_once_while_frames_are_appended(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path, segment_bytes=2000)
    total = 300
    seen: dict[str, list[bytes]] = {"assembler": [], "forwarder": []}

    def follow(into: list[bytes]) -> None:
        position = 0
        while len(into) < total and journal.wait(position, WAIT_S):
            for stored in journal.read(position):
                into.append(stored.frame.body)
                position = stored.next_position

    readers = [threading.Thread(target=follow, args=(into,)) for into in seen.values()]
    for reader in readers:
        reader.start()
    sent = [b"%d" % number * 9 for number in range(total)]
    for start in range(0, total, 10):
        put(journal, *map(traces, sent[start : start + 10]))
    for reader in readers:
        reader.join()
    assert seen == {"assembler": sent, "forwarder": sent}
    journal.close()


async def test_many_tasks_share_a_commit_and_a_cancelled_one_harms_nobody(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    futures = [journal.append(traces(b"%d" % number)) for number in range(100)]
    futures[50].cancel()
    positions = await asyncio.gather(*futures, return_exceptions=True)
    kept = [position for position in positions if isinstance(position, int)]
    assert kept == sorted(set(kept))
    assert len(kept) == 99
    assert journal.counts.frames == 100
    assert journal.counts.groups < 100
    journal.close()


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.submit(traces(b"x"))


def test_a_file_that_is_none_of_the_journal_s_is_named(tmp_path: Path) -> None:
    (tmp_path / "foo.segment").write_bytes(b"not ours")
    with pytest.raises(JournalError, match=r"foo\.segment is none of the journal's files"):
        SegmentJournal(tmp_path)
