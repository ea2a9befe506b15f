"""The background thread: take finished spans from a queue, send them, keep what must wait.

A batch that the collector could not take is kept and tried again, with a growing pause; spans that
come meanwhile wait behind it, within bounds of number and of bytes.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from opentelemetry import context as otel

from traceai.errors import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from traceai.exporter import Exporter

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


class Mark:
    """A place in the queue: whoever waits for it knows that all before it is settled."""

    __slots__ = ("_reached",)

    def __init__(self) -> None:
        self._reached: SimpleQueue[None] = SimpleQueue()

    def reach(self) -> None:
        """Say that all before it is settled."""
        self._reached.put(None)

    def wait(self, timeout_s: float) -> None:
        """Wait until it is reached, at most `timeout_s` seconds."""
        try:
            self._reached.get(timeout=max(0.0, timeout_s))
        except Empty:
            return


Inbox: TypeAlias = "SimpleQueue[ReadableSpan | Mark]"


class Sender(threading.Thread):
    """The background thread: drain the inbox, send, keep what must be tried again."""

    def __init__(self, exporter: Exporter, inbox: Inbox, wake: SimpleQueue[None]) -> None:
        super().__init__(name="traceai-exporter", daemon=True)
        self.deliver: Deliver | None = None
        self.stopped = False
        self._exporter = exporter
        self._inbox = inbox
        self._wake = wake
        self._waiting: deque[tuple[ReadableSpan | Mark, int]] = deque()
        self._waiting_bytes = 0
        self._failures = 0
        self._limit = exporter.batching.max_batch_size
        self._told = False

    def run(self) -> None:
        """Send until stopped."""
        # Nobody may trace the requests that carry traces.
        otel.attach(otel.set_value(_SUPPRESS, value=True))
        # Loading the exporter now, and not at the end: code that is compiled while a process exits
        # would turn its death by SIGINT into an ordinary exit.
        with guard:
            self._connect()
        while not self.stopped:
            self._sleep()
            self._drain()
            self._send()
        for item, _ in self._waiting:
            self._inbox.put(item)

    def _sleep(self) -> None:
        pause = min(_MAX_PAUSE_S, 2.0 ** (self._failures - 1)) if self._failures else 0.0
        with suppress(Empty):
            self._wake.get(timeout=max(pause, self._exporter.batching.delay_s))
            while True:
                self._wake.get_nowait()

    def _drain(self) -> None:
        """Take what has come; beyond the bounds, drop the newest."""
        before = self._exporter.counts().dropped
        for _ in range(self._inbox.qsize()):
            item = self._inbox.get_nowait()
            weight = 0 if isinstance(item, Mark) else _weight(item)
            full = (
                len(self._waiting) >= self._exporter.batching.max_queue_size
                or self._waiting_bytes + weight > _MAX_WAITING_BYTES
            )
            if weight and full:
                self._exporter.settle(1, sent=False)
                continue
            self._waiting.append((item, weight))
            self._waiting_bytes += weight
        if self._exporter.counts().dropped > before:
            self._tell("its queue is full. Is the collector up?")

    def _send(self) -> None:
        """Send batch after batch until nothing waits, or one must be tried again later."""
        while self._waiting and not self.stopped:
            batch = self._batch()
            if not batch:
                mark, _ = self._waiting.popleft()
                cast("Mark", mark).reach()
                continue
            match self._attempt(batch):
                case Delivery.RETRY:
                    self._failures += 1
                    return
                case Delivery.SPLIT if len(batch) > 1:
                    self._limit = len(batch) // 2
                case Delivery.SENT:
                    self._settle(len(batch), sent=True)
                    self._limit = min(self._limit * 2, self._exporter.batching.max_batch_size)
                    self._told = False
                case _:
                    self._settle(len(batch), sent=False)
                    self._tell("they were refused. Look at the collector's log.")

    def _batch(self) -> list[ReadableSpan]:
        """Return the spans at the head, within the bounds, up to the next mark."""
        batch: list[ReadableSpan] = []
        size = 0
        for item, weight in self._waiting:
            size += weight
            if isinstance(item, Mark) or len(batch) == self._limit:
                break
            if batch and size > _MAX_BATCH_BYTES:
                break
            batch.append(item)
        return batch

    def _attempt(self, batch: list[ReadableSpan]) -> Delivery:
        with guard:
            return (self.deliver or self._connect())(batch)
        return Delivery.REFUSED if self.deliver else Delivery.RETRY

    def _connect(self) -> Deliver:
        with self._exporter.connecting:
            self.deliver = self._exporter.connect()
        return self.deliver

    def _settle(self, spans: int, *, sent: bool) -> None:
        self._failures = 0
        self._exporter.settle(spans, sent=sent)
        for _ in range(spans):
            self._waiting_bytes -= self._waiting.popleft()[1]

    def _tell(self, why: str) -> None:
        """Log a loss, once until spans go out again."""
        if not self._told:
            dropped = self._exporter.counts().dropped
            _log.warning("traceai has dropped %d spans so far: %s", dropped, why)
            self._told = True


def _weight(span: ReadableSpan) -> int:
    """Return about how many bytes a span takes: its texts, and a lump sum for the rest."""
    texts = (value for value in (span.attributes or {}).values() if isinstance(value, str))
    return _SPAN_BYTES + sum(map(len, texts))
