"""What is counted is exact, from any thread, and whoever waits is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from traceai.tally import Counts, FlushResult, Tally


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_tally_is_exact(count: int) -> None:
    tally = Tally()
    for _ in range(count):
        tally.add()
    assert (tally.total, tally.total) == (count, count)


def test_a_tally_is_exact_across_threads() -> None:
    tally = Tally()

    def add(_: int) -> None:
        for _ in range(1000):
            tally.add()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert tally.total == 8000


def test_what_is_put_waits_until_it_is_settled() -> None:
    counts = Counts()
    for _ in range(10):
        counts.put.add()
    counts.refused.add()
    counts.settle(4, sent=True)
    counts.settle(2, sent=False)
    assert counts.result() == FlushResult(sent=4, spooled=3, dropped=3)


def test_whoever_waits_is_told_when_what_was_put_before_is_settled() -> None:
    counts, told = Counts(), threading.Event()
    for _ in range(3):
        counts.put.add()

    def wait() -> None:
        counts.wait(60)
        told.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    counts.settle(1, sent=True)
    assert not told.is_set()
    counts.settle(2, sent=False)
    waiting.join()
    assert told.is_set()


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
def test_without_patience_nobody_waits(timeout_s: float) -> None:
    counts = Counts()
    counts.put.add()
    counts.wait(timeout_s)
    assert counts.result() == FlushResult(sent=0, spooled=1, dropped=0)
