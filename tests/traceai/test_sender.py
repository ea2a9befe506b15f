"""A collector that does not answer is left in peace, longer each time."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from traceai.config import Batching
from traceai.sender import Delivery, Ports, Sender, Wake, pause_s
from traceai.tally import Counts, FlushResult

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(0, 0), (1, 1), (2, 2), (5, 16), (6, 30), (1_025, 30), (1_000_000, 30)],
)
def test_the_pause_doubles_up_to_half_a_minute(failures: int, pause: float) -> None:
    assert pause_s(failures) == pause


class Line:
    """A sender whose collector never answers, and who asked before each of its attempts."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.ports = Ports(inbox=SimpleQueue(), wake=SimpleQueue(), connecting=threading.Lock())
        self.attempts: SimpleQueue[str] = SimpleQueue()
        self.asked = ""
        self.sender = Sender(
            self.ports, self.counts, lambda: self._deliver, Batching(max_batch_size=1, delay_s=0.01)
        )

    def put(self) -> None:
        self.counts.put.add()
        self.ports.inbox.put(ReadableSpan("span"))

    def _deliver(self, _: Sequence[ReadableSpan]) -> Delivery:
        self.attempts.put(self.asked)
        return Delivery.RETRY


def test_traffic_does_not_cut_the_pause_short_and_somebody_who_asks_does() -> None:
    line = Line()
    line.put()
    line.sender.start()
    assert line.attempts.get() == ""
    # By now the pause is so long that it cannot end by itself here.
    for attempt in range(6):
        line.asked = str(attempt)
        line.ports.wake.put(Wake.ASKED)
        assert line.attempts.get() == str(attempt)
    line.asked = "traffic"
    for _ in range(3):
        line.put()
        line.ports.wake.put(Wake.TRAFFIC)
    while not line.ports.wake.empty():
        time.sleep(0.01)
    line.asked = "asked"
    line.sender.stopped = True
    line.ports.wake.put(Wake.ASKED)
    line.sender.join()
    assert line.attempts.empty()
    assert line.counts.result() == FlushResult(sent=0, spooled=4, dropped=0)


def test_what_a_stopped_sender_has_kept_goes_out_first() -> None:
    line = Line()
    line.put()
    line.sender.start()
    line.attempts.get()
    line.sender.stopped = True
    line.ports.wake.put(Wake.ASKED)
    line.ports.inbox.put(ReadableSpan("newer"))
    sent: SimpleQueue[list[str]] = SimpleQueue()

    def deliver(spans: Sequence[ReadableSpan]) -> Delivery:
        sent.put([span.name for span in spans])
        return Delivery.SENT

    batching = Batching(max_batch_size=2, delay_s=0.01)
    heir = Sender(line.ports, line.counts, lambda: deliver, batching, former=line.sender)
    heir.start()
    assert sent.get() == ["span", "newer"]
    heir.stopped = True
    heir.join()
