from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.model import Prior, SealReason, Signal
from collector_processor.processor.assembler import Assembler, Piece
from collector_processor.processor.raw import Envelope

SECOND = 1_000_000_000
NOTHING = Envelope(b"", "", b"", "")


def assembler(**settings: Any) -> Assembler:
    return Assembler(**{"settle_s": 0.5, "quiet_s": 2, "deadline_s": 600} | settings)


def piece(
    name: str,
    parent: str = "",
    *,
    at: float = 0,
    position: int = 0,
    remote: bool = False,
    content: str = "",
    signal: Signal = Signal.TRACES,
) -> Piece:
    return Piece(
        signal=signal,
        span_id=name.encode(),
        parent_id=parent.encode(),
        remote=remote,
        digest=(name + parent + content + signal).encode(),
        envelope=NOTHING,
        body=b"x" * 100,
        received_ns=int(at * SECOND),
        position=position,
        ordinal=0,
    )


def sealed_at(
    given: Assembler, step_s: float = 0.1, until_s: float = 700
) -> dict[float, SealReason]:
    found = {}
    for step in range(int(until_s / step_s)):
        for gathered in given.due(int(round(step * step_s, 3) * SECOND)):
            found[round(step * step_s, 3)] = gathered.reason
    return found


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        # root and every parent: settled
        ([piece("root"), piece("a", "root", at=1)], {1.5: SealReason.SETTLED}),
        # children first, root last
        ([piece("a", "root"), piece("root", at=3)], {3.5: SealReason.SETTLED}),
        # a parent missing: quiet
        ([piece("root"), piece("a", "gone", at=1)], {3.0: SealReason.QUIET}),
        # no root: deadline, counted from the first span
        ([piece("a", "root"), piece("b", "root", at=5)], {600.0: SealReason.DEADLINE}),
        # a remote parent that did not arrive makes a local root, and is waited for
        ([piece("a", "far", remote=True, at=1)], {3.0: SealReason.QUIET}),
        # a span that is its own parent is no root
        ([piece("a", "a")], {600.0: SealReason.DEADLINE}),
    ],
)
def test_a_trace_is_sealed_when_the_rules_say(
    pieces: list[Piece], expected: dict[float, SealReason]
) -> None:
    subject = assembler()
    for found in pieces:
        subject.add(b"t", found)
    assert sealed_at(subject) == expected
    assert len(subject) == 0


def test_a_trace_that_never_falls_quiet_is_sealed_at_the_deadline() -> None:
    subject = assembler(deadline_s=3)
    found = []
    for step in range(40):
        now = step / 10
        subject.add(b"t", piece(f"s{step}", at=now))
        found += [(now, gathered.reason) for gathered in subject.due(int(now * SECOND))]
    assert found[0] == (3.0, SealReason.DEADLINE)


def test_the_same_content_twice_is_a_duplicate_and_other_content_is_kept() -> None:
    subject = assembler()
    assert subject.add(b"t", piece("root"))
    assert not subject.add(b"t", piece("root", at=9))
    assert subject.add(b"t", piece("root", content="other"))
    [gathered] = subject.due(1 * SECOND)
    assert (len(gathered.spans), gathered.duplicates) == (2, 1)


def test_what_is_stored_already_does_not_open_its_trace_again() -> None:
    stored = piece("root")
    prior = Prior(
        revision=1,
        rooted=True,
        span_ids=frozenset({stored.span_id}),
        digests=frozenset({stored.digest}),
    )
    subject = assembler()
    assert not subject.add(b"t", stored, prior)
    assert len(subject) == 0


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (piece("a", "root"), {0.5: SealReason.SETTLED}),
        (piece("a", "gone"), {2.0: SealReason.QUIET}),
        (piece("", signal=Signal.LOGS), {0.5: SealReason.SETTLED}),
    ],
)
def test_what_comes_late_is_sealed_again_soon(
    late: Piece, expected: dict[float, SealReason]
) -> None:
    prior = Prior(revision=1, rooted=True, span_ids=frozenset({b"root"}), digests=frozenset({b"d"}))
    subject = assembler()
    subject.add(b"t", late, prior)
    assert sealed_at(subject) == expected


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (1, {2.0: SealReason.QUIET}),
        (2, {4.0: SealReason.QUIET}),
        (3, {8.0: SealReason.QUIET}),
        (9, {512.0: SealReason.QUIET}),
        (10, {600.0: SealReason.DEADLINE}),
        (10_000, {600.0: SealReason.DEADLINE}),
    ],
)
def test_what_comes_late_again_and_again_waits_longer_each_time(
    revision: int, expected: dict[float, SealReason]
) -> None:
    prior = Prior(
        revision=revision, rooted=True, span_ids=frozenset({b"root"}), digests=frozenset({b"d"})
    )
    subject = assembler()
    subject.add(b"t", piece("a", "gone"), prior)
    assert sealed_at(subject) == expected


def test_above_its_bound_the_oldest_are_sealed_early_and_counted() -> None:
    subject = assembler(max_spans=10)
    for number in range(4):
        for child in range(4):
            subject.add(bytes([number]), piece(f"{number}-{child}", "gone", position=number))
    gathered = subject.due(0)
    assert [(found.trace_id, found.reason, len(found.spans)) for found in gathered] == [
        (b"\x00", SealReason.CROWDED, 4),
        (b"\x01", SealReason.CROWDED, 4),
    ]
    assert (len(subject), subject.crowded) == (2, 2)
    assert {found.reason for found in subject.due(600 * SECOND)} == {SealReason.DEADLINE}
    assert subject.crowded == 2


def test_a_result_before_its_span_waits_for_the_span() -> None:
    subject = assembler()
    subject.add(b"t", piece("", signal=Signal.LOGS))
    subject.add(b"t", piece("root", at=4))
    [gathered] = subject.due(5 * SECOND)
    assert (len(gathered.spans), len(gathered.records)) == (1, 1)


def test_the_low_water_mark_is_where_the_oldest_open_trace_begins() -> None:
    subject = assembler()
    subject.add(b"a", piece("root", position=10))
    subject.add(b"b", piece("x", "gone", position=20))
    assert subject.low_water(99) == 10
    subject.due(1 * SECOND)
    assert subject.low_water(99) == 20
    subject.due(600 * SECOND)
    assert subject.low_water(99) == 99


def test_memory_lets_go_of_the_oldest_bytes_and_keeps_their_place() -> None:
    subject = assembler(memory_bytes=1000)
    for number in range(20):
        subject.add(number.to_bytes(1, "big"), piece("x", "gone", position=number))
    gathered = subject.due(600 * SECOND)
    held = [found.body is not None for trace in gathered for found in trace.spans]
    assert len(held) == 20
    assert sum(held) <= 10
    assert [found.position for trace in gathered for found in trace.spans] == list(range(20))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.integers(0, 3)), max_size=60))
def test_every_distinct_span_is_sealed_exactly_once(arrivals: list[tuple[int, int, int]]) -> None:
    subject = assembler(deadline_s=20)
    sealed: list[tuple[bytes, bytes]] = []
    distinct = set()
    for step, (trace, name, parent) in enumerate(arrivals):
        trace_id = bytes([trace])
        found = piece(f"s{name}", f"s{parent}" if parent else "", at=step, position=step)
        if subject.add(trace_id, found):
            distinct.add((trace_id, found.digest, step))
        for gathered in subject.due(step * SECOND):
            sealed += [(gathered.trace_id, span.digest) for span in gathered.spans]
    for gathered in subject.due(10_000 * SECOND):
        sealed += [(gathered.trace_id, span.digest) for span in gathered.spans]
    assert sorted(sealed) == sorted((trace, digest) for trace, digest, _ in distinct)
    assert len(subject) == 0
