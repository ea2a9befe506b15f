"""The background thread: take finished spans from a queue, send them, keep what must wait.

A batch that the collector could not take is kept and tried again, with a growing pause; spans that
come meanwhile wait behind it, within bounds of number and of bytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from queue import Empty
from typing import TYPE_CHECKING, Final, TypeAlias

from opentelemetry import context as otel

from traceai.errors import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from queue import SimpleQueue

    from opentelemetry.sdk.trace import ReadableSpan

    from traceai.config import Batching
    from traceai.tally import Counts

_log = logging.getLogger("traceai")

_SUPPRESS: Final = otel._SUPPRESS_INSTRUMENTATION_KEY  # noqa: SLF001 - the API package publishes no other name for it
_MAX_BATCH_BYTES: Final = 4 << 20
_MAX_WAITING_BYTES: Final = 128 << 20
_SPAN_BYTES: Final = 512
_MAX_PAUSE_S: Final = 30.0


class Delivery(Enum):
    """What became of a batch: SPLIT asks for smaller ones, one of its spans cannot be sent."""

    SENT = auto()
    RETRY = auto()
    SPLIT = auto()
    REFUSED = auto()


Deliver: TypeAlias = "Callable[[Sequence[ReadableSpan]], Delivery]"


class Wake(Enum):
    """Why the thread is woken: a batch is full, or somebody asks for what waits or for an end."""

    TRAFFIC = auto()
    ASKED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a sender shares with the exporter, and with the sender after it.

    Attributes:
        inbox: finished spans.
        wake: reasons to look at them before the pause is over.
        connecting: held while modules are loaded.
    """

    inbox: SimpleQueue[ReadableSpan]
    wake: SimpleQueue[Wake]
    connecting: threading.Lock


class Sender(threading.Thread):
    """The background thread: drain the inbox, send, keep what must be tried again.

    Args:
        ports: what is shared with the exporter.
        counts: told the fate of every span.
        connect: makes the way out; replace it to have it made anew.
        batching: bounds of the queue and of a batch; may be replaced.
        former: a sender that was stopped: what it has kept goes out first, once it has ended.
    """

    def __init__(
        self,
        ports: Ports,
        counts: Counts,
        connect: Callable[[], Deliver],
        batching: Batching,
        *,
        former: Sender | None = None,
    ) -> None:
        super().__init__(name="traceai-exporter", daemon=True)
        self.connect = connect
        self.batching = batching
        self.stopped = False
        self._ports = ports
        self._counts = counts
        self._former = former
        self._way_out: tuple[Callable[[], Deliver], Deliver] | None = None
        self._waiting: deque[tuple[ReadableSpan, int]] = deque()
        self._waiting_bytes = 0
        self._failures = 0
        self._limit = batching.max_batch_size
        self._told = False
        self._known_dropped = counts.dropped

    def run(self) -> None:
        """Send until stopped."""
        # Nobody may trace the requests that carry traces.
        otel.attach(otel.set_value(_SUPPRESS, value=True))
        if self._former is not None:
            # Two senders at once would break order and counts.
            self._waiting, self._waiting_bytes = self._former.hand_over()
            self._former = None
        # Loading the exporter now, and not at the end: code that is compiled while a process exits
        # would turn its death by SIGINT into an ordinary exit.
        with guard:
            self._connected()
        while not self.stopped:
            self._sleep()
            self._drain()
            self._send()

    def hand_over(self) -> tuple[deque[tuple[ReadableSpan, int]], int]:
        """Wait until this sender has ended, and return what it has kept, with its weight."""
        self.join()
        return self._waiting, self._waiting_bytes

    def _sleep(self) -> None:
        """Pause; after a failure traffic does not cut it short, only somebody who asks does."""
        end = time.monotonic() + max(pause_s(self._failures), self.batching.delay_s)
        with suppress(Empty):
            while self._ports.wake.get(timeout=max(0.0, end - time.monotonic())) is Wake.TRAFFIC:
                if not self._failures:
                    break
            while True:
                self._ports.wake.get_nowait()

    def _drain(self) -> None:
        """Take what has come; beyond the bounds, drop the newest."""
        for _ in range(self._ports.inbox.qsize()):
            span = self._ports.inbox.get_nowait()
            weight = _weight(span)
            if (
                len(self._waiting) >= self.batching.max_queue_size
                or self._waiting_bytes + weight > _MAX_WAITING_BYTES
            ):
                self._counts.settle(1, sent=False)
                continue
            self._waiting.append((span, weight))
            self._waiting_bytes += weight
        if self._counts.dropped > self._known_dropped:
            self._tell("its queue is full. Is the collector up?")

    def _send(self) -> None:
        """Send batch after batch until nothing waits, or one must be tried again later."""
        while self._waiting and not self.stopped:
            batch = self._batch()
            match self._attempt(batch):
                case Delivery.RETRY:
                    self._failures += 1
                    return
                case Delivery.SPLIT if len(batch) > 1:
                    self._limit = len(batch) // 2
                case Delivery.SENT:
                    self._settle(len(batch), sent=True)
                    self._limit = min(self._limit * 2, self.batching.max_batch_size)
                    self._told = False
                case _:
                    self._settle(len(batch), sent=False)
                    self._tell("they were refused. Look at the collector's log.")

    def _batch(self) -> list[ReadableSpan]:
        """Return the spans at the head, within the bounds."""
        batch: list[ReadableSpan] = []
        size = 0
        for span, weight in self._waiting:
            size += weight
            if len(batch) == self._limit or (batch and size > _MAX_BATCH_BYTES):
                break
            batch.append(span)
        return batch

    def _attempt(self, batch: list[ReadableSpan]) -> Delivery:
        deliver: Deliver | None = None
        with guard:
            deliver = self._connected()
            return deliver(batch)
        return Delivery.REFUSED if deliver else Delivery.RETRY

    def _connected(self) -> Deliver:
        """Return the way out, made anew where what makes it was replaced."""
        connect = self.connect
        if self._way_out is None or self._way_out[0] is not connect:
            with self._ports.connecting:
                self._way_out = connect, connect()
        return self._way_out[1]

    def _settle(self, spans: int, *, sent: bool) -> None:
        """Forget the spans at the head: their fate is known."""
        self._failures = 0
        for _ in range(spans):
            self._waiting_bytes -= self._waiting.popleft()[1]
        self._counts.settle(spans, sent=sent)

    def _tell(self, why: str) -> None:
        """Log a loss, once until spans go out again."""
        self._known_dropped = self._counts.dropped
        if not self._told:
            _log.warning("traceai has dropped %d spans so far: %s", self._known_dropped, why)
            self._told = True


def pause_s(failures: int) -> float:
    """Return how long to leave a collector in peace after so many failures in a row."""
    return min(_MAX_PAUSE_S, 2.0 ** (min(failures, 16) - 1)) if failures else 0.0


def _weight(span: ReadableSpan) -> int:
    """Return about how many bytes a span takes: its texts, and a lump sum for the rest."""
    texts = (value for value in (span.attributes or {}).values() if isinstance(value, str))
    return _SPAN_BYTES + sum(map(len, texts))
