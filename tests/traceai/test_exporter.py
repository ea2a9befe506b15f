"""Every span is counted: put = waiting + sent + dropped, whatever the collector does."""

from __future__ import annotations

import gc
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from traceai.config import Batching
from traceai.errors import guard
from traceai.exporter import Exporter
from traceai.recorder import suppressed
from traceai.sender import Delivery
from traceai.tally import FlushResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from opentelemetry.sdk.trace import ReadableSpan

QUICK = Batching(delay_s=0.01)


def spans(count: int, *, weight: int = 0) -> list[ReadableSpan]:
    finished = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer("traceai")
    for number in range(count):
        tracer.start_span(str(number), attributes={"text": "x" * weight}).end()
    return list(finished.get_finished_spans())


ONE = spans(1)[0]


class Outlet:
    """A way out that answers as it is told, then SENT."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers = list(answers)
        self.batches: list[list[str]] = []
        self.delivered: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()

    def __call__(self, batch: Sequence[ReadableSpan]) -> Delivery:
        self.entered.set()
        self.open.wait()
        names = [span.name for span in batch]
        self.batches.append(names)
        answer = self.answers.pop(0) if self.answers else Delivery.SENT
        if answer is Delivery.SENT:
            self.delivered += names
        return answer


def test_what_is_flushed_is_sent_in_order() -> None:
    outlet = Outlet()
    exporter = Exporter(lambda: outlet, QUICK)
    for span in spans(1000):
        exporter.put(span)
    assert exporter.flush(10) == FlushResult(sent=1000, spooled=0, dropped=0)
    assert outlet.delivered == [str(number) for number in range(1000)]
    assert max(map(len, outlet.batches)) <= QUICK.max_batch_size


def test_nothing_put_is_nothing_flushed() -> None:
    exporter = Exporter(Outlet, QUICK)
    assert exporter.flush(10) == FlushResult(sent=0, spooled=0, dropped=0)


def test_a_batch_is_kept_and_tried_again_until_it_is_sent() -> None:
    outlet = Outlet(Delivery.RETRY, Delivery.RETRY)
    exporter = Exporter(lambda: outlet, QUICK)
    exporter.put(ONE)
    assert exporter.flush(30) == FlushResult(sent=1, spooled=0, dropped=0)
    assert outlet.batches == [["0"]] * 3


def test_what_a_dead_collector_does_not_take_is_said_to_wait() -> None:
    exporter = Exporter(lambda: Outlet(*[Delivery.RETRY] * 1000), QUICK)
    for span in spans(3):
        exporter.put(span)
    assert exporter.flush(0.1) == FlushResult(sent=0, spooled=3, dropped=0)
    exporter.close(0.1)


def test_a_full_queue_drops_the_newest_and_counts_them() -> None:
    outlet = Outlet()
    outlet.open.clear()
    exporter = Exporter(lambda: outlet, Batching(max_queue_size=10, delay_s=0.01))
    exporter.put(ONE)
    outlet.entered.wait()
    for span in spans(25):
        exporter.put(span)
    assert exporter.counts() == FlushResult(sent=0, spooled=11, dropped=15)
    outlet.open.set()
    assert exporter.flush(10) == FlushResult(sent=11, spooled=0, dropped=15)
    assert outlet.delivered == ["0", *map(str, range(10))]


def test_waiting_spans_are_bounded_in_bytes() -> None:
    exporter = Exporter(lambda: Outlet(*[Delivery.RETRY] * 1000), QUICK)
    (heavy,) = spans(1, weight=16 << 20)
    for _ in range(10):
        exporter.put(heavy)
    assert exporter.flush(0.2) == FlushResult(sent=0, spooled=7, dropped=3)
    exporter.close(0.1)


def test_a_batch_is_bounded_in_bytes() -> None:
    outlet = Outlet()
    exporter = Exporter(lambda: outlet, QUICK)
    for span in spans(6, weight=1 << 20):
        exporter.put(span)
    exporter.flush(10)
    assert all(len(batch) <= 3 for batch in outlet.batches)


def test_one_span_that_cannot_be_sent_costs_no_other() -> None:
    class Poisoned(Outlet):
        def __call__(self, batch: Sequence[ReadableSpan]) -> Delivery:
            return Delivery.SPLIT if any(s.name == "13" for s in batch) else super().__call__(batch)

    outlet = Poisoned()
    exporter = Exporter(lambda: outlet, QUICK)
    for span in spans(50):
        exporter.put(span)
    assert exporter.flush(10) == FlushResult(sent=49, spooled=0, dropped=1)
    assert set(map(str, range(50))) - set(outlet.delivered) == {"13"}


def test_a_refused_batch_is_dropped_and_logged_once_a_burst(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outlet = Outlet(*[Delivery.REFUSED] * 3)
    exporter = Exporter(lambda: outlet, Batching(max_batch_size=1, delay_s=0.01))
    with caplog.at_level(logging.WARNING, "traceai"):
        for span in spans(4):
            exporter.put(span)
        assert exporter.flush(10) == FlushResult(sent=1, spooled=0, dropped=3)
    assert [record.getMessage() for record in caplog.records] == [
        "traceai has dropped 1 spans so far: they were refused. Look at the collector's log."
    ]


def test_a_queue_that_was_full_is_told(caplog: pytest.LogCaptureFixture) -> None:
    outlet = Outlet()
    outlet.open.clear()
    exporter = Exporter(lambda: outlet, Batching(max_queue_size=1, delay_s=0.01))
    exporter.put(ONE)
    outlet.entered.wait()
    for _ in range(3):
        exporter.put(ONE)
    outlet.open.set()
    with caplog.at_level(logging.WARNING, "traceai"):
        exporter.flush(10)
        exporter.put(ONE)
        exporter.flush(10)
    assert caplog.messages == [
        "traceai has dropped 2 spans so far: its queue is full. Is the collector up?"
    ]


def test_a_failure_of_ours_drops_the_batch_and_the_next_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    outlet = Outlet()

    def deliver(batch: Sequence[ReadableSpan]) -> Delivery:
        if batch[0].name == "0":
            raise RuntimeError
        return outlet(batch)

    exporter = Exporter(lambda: deliver, Batching(max_batch_size=1, delay_s=0.01))
    for span in spans(2):
        exporter.put(span)
    assert exporter.flush(10) == FlushResult(sent=1, spooled=0, dropped=1)


def test_a_way_out_that_cannot_be_made_yet_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    outlet, failures = Outlet(), [OSError()]

    def connect() -> Outlet:
        if failures:
            raise failures.pop()
        return outlet

    exporter = Exporter(connect, QUICK)
    exporter.put(ONE)
    assert exporter.flush(30) == FlushResult(sent=1, spooled=0, dropped=0)


def test_what_waits_goes_the_new_way_after_a_reconnection() -> None:
    old, new = Outlet(*[Delivery.RETRY] * 1000), Outlet()
    exporter = Exporter(lambda: old, QUICK)
    exporter.put(ONE)
    exporter.flush(0.1)
    exporter.reconnect(lambda: new, QUICK)
    assert exporter.flush(30) == FlushResult(sent=1, spooled=0, dropped=0)
    assert new.delivered == ["0"]


def test_an_exporter_that_was_closed_starts_again() -> None:
    outlet = Outlet(Delivery.RETRY)
    exporter = Exporter(lambda: outlet, QUICK)
    exporter.put(ONE)
    exporter.close(10)
    exporter.put(ONE)
    assert exporter.flush(30) == FlushResult(sent=2, spooled=0, dropped=0)


def test_asking_again_and_again_leaves_the_queue_to_spans() -> None:
    outlet = Outlet()
    exporter = Exporter(lambda: lambda _: Delivery.RETRY, Batching(max_queue_size=50, delay_s=0.01))
    exporter.put(ONE)
    for _ in range(60):
        exporter.flush(0.001)
    for _ in range(49):
        exporter.put(ONE)
    assert exporter.flush(0.1) == FlushResult(sent=0, spooled=50, dropped=0)
    exporter.reconnect(lambda: outlet, QUICK)
    assert exporter.flush(30) == FlushResult(sent=50, spooled=0, dropped=0)


def test_two_threads_never_send_at_once() -> None:
    outlet = Outlet(Delivery.RETRY)
    inside, most = 0, 0

    def deliver(batch: Sequence[ReadableSpan]) -> Delivery:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        answer = outlet(batch)
        inside -= 1
        return answer

    exporter = Exporter(lambda: deliver, QUICK)
    outlet.open.clear()
    first, second = spans(2)
    exporter.put(first)
    outlet.entered.wait()
    exporter.close(0)
    outlet.entered.clear()
    exporter.put(second)
    # A second sender would come in now, while the first is held up.
    assert not outlet.entered.wait(0.2)
    outlet.open.set()
    assert exporter.flush(30) == FlushResult(sent=2, spooled=0, dropped=0)
    assert (outlet.delivered, most) == (["0", "1"], 1)


def test_starting_over_forgets_what_waits() -> None:
    outlet = Outlet()
    exporter = Exporter(lambda: outlet, Batching(delay_s=60))
    exporter.put(ONE)
    exporter.start_over()
    assert exporter.counts() == FlushResult(sent=0, spooled=0, dropped=0)
    exporter.put(ONE)
    assert exporter.flush(10) == FlushResult(sent=1, spooled=0, dropped=0)


def test_requests_that_carry_traces_are_not_traced() -> None:
    asked: list[bool] = []
    key = otel.create_key("application")

    def deliver(_: Sequence[ReadableSpan]) -> Delivery:
        asked.extend([suppressed(), otel.get_value(key) is None])
        return Delivery.SENT

    exporter = Exporter(lambda: deliver, QUICK)
    token = otel.attach(otel.set_value(key, "its own"))
    exporter.put(ONE)
    otel.detach(token)
    exporter.flush(10)
    assert asked == [True, True]


def test_many_threads_put_and_every_span_is_counted() -> None:
    outlet = Outlet()
    exporter = Exporter(lambda: outlet, QUICK)

    def put(_: int) -> None:
        for _ in range(200):
            exporter.put(ONE)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(8)))
    assert exporter.flush(10) == FlushResult(sent=1600, spooled=0, dropped=0)


def test_a_span_that_ends_inside_a_garbage_collection_cannot_hang() -> None:
    outlet = Outlet()
    exporter = Exporter(lambda: outlet, QUICK)
    ended = 0

    class Stream:
        """An abandoned stream: its span ends when it is collected."""

        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            nonlocal ended
            ended += 1
            exporter.put(ONE)

    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(200):
            Stream()
            exporter.put(ONE)
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    assert exporter.flush(10) == FlushResult(sent=200 + ended, spooled=0, dropped=0)
    assert ended == 200


@settings(max_examples=25, deadline=None)
@given(
    answers=st.lists(
        st.sampled_from([Delivery.SENT, Delivery.SPLIT, Delivery.REFUSED]), max_size=8
    ),
    total=st.integers(0, 40),
    batch=st.integers(1, 10),
)
def test_no_span_is_lost_without_being_counted(
    answers: list[Delivery], total: int, batch: int
) -> None:
    outlet = Outlet(*answers)
    exporter = Exporter(lambda: outlet, Batching(max_batch_size=batch, delay_s=0.001))
    for span in spans(total):
        exporter.put(span)
    result = exporter.flush(10)
    exporter.close(1)
    assert result.sent + result.dropped == total
    assert result.spooled == 0
    assert len(outlet.delivered) == result.sent
