"""Send finished spans in the background: a bounded queue in, batches out, every span counted.

A span that was *put* is *waiting*, then *sent* (the collector has acknowledged it) or *dropped*
(the queue was full, the collector refused it, or it could not be encoded). At any time
put = waiting + sent + dropped. A collector that does not answer costs nothing while there is room:
its batch is kept and tried again.

Spans may end anywhere, also inside a garbage collection or a signal handler that interrupts this
very code. So `put` takes no lock: it uses what is atomic and re-entrant in CPython alone.
"""

from __future__ import annotations

import itertools
import operator
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel
from opentelemetry.context import Context

from traceai.context import detach
from traceai.errors import guard
from traceai.sender import Mark, Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from traceai.config import Batching
    from traceai.sender import Deliver, Inbox

_MAX_HOLD_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushResult:
    """What became of every span of this process, since it started.

    Attributes:
        sent: acknowledged by the collector.
        spooled: still waiting.
        dropped: lost, and never to come: the queue was full or the collector refused them.
    """

    sent: int
    spooled: int
    dropped: int


class Tally:
    """Count without a lock, exactly: `add` is one atomic step."""

    __slots__ = ("_left",)
    _MOST: Final = 2**62

    def __init__(self) -> None:
        self._left = itertools.repeat(None, self._MOST)

    def add(self) -> None:
        """Count one."""
        next(self._left)

    @property
    def total(self) -> int:
        """How many were counted."""
        return self._MOST - operator.length_hint(self._left)


class Exporter:
    """Take finished spans and send them in batches from one daemon thread.

    Args:
        connect: makes the way out, in the background thread, when it is first needed; it may be
            replaced, and what is waiting then goes the new way.
        batching: bounds of the queue and of a batch.
    """

    def __init__(self, connect: Callable[[], Deliver], batching: Batching) -> None:
        self.connect = connect
        self.batching = batching
        self.start_over()

    def start_over(self) -> None:
        """Forget everything: a forked child starts empty, its parent sends what is waiting."""
        self._inbox: Inbox = SimpleQueue()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._starting = threading.Lock()
        self.connecting = threading.Lock()
        self._worker: Sender | None = None
        self._put = Tally()
        self._refused = Tally()
        self._sent = 0
        self._dropped = 0

    def hold(self) -> None:
        """Wait, before a fork, while modules are loaded: a child would inherit their locks."""
        self.connecting.acquire(timeout=_MAX_HOLD_S)

    def resume(self) -> None:
        """Go on, in the parent."""
        with suppress(RuntimeError):
            self.connecting.release()

    def put(self, span: ReadableSpan) -> None:
        """Take a span; when the queue is full, count it as dropped. Never blocks, never raises."""
        self._put.add()
        waiting = self._inbox.qsize()
        if waiting >= self.batching.max_queue_size:
            self._refused.add()
            return
        self._inbox.put(span)
        if self._worker is None:
            self._start()
        if waiting + 1 == self.batching.max_batch_size:
            self._wake.put(None)

    def counts(self) -> FlushResult:
        """Return what became of the spans so far."""
        sent, dropped = self._sent, self._dropped + self._refused.total
        waiting = max(0, self._put.total - sent - dropped)
        return FlushResult(sent=sent, spooled=waiting, dropped=dropped)

    def flush(self, timeout_s: float) -> FlushResult:
        """Wait until what was put before is sent or dropped, at most `timeout_s` seconds."""
        if self._worker is not None:
            mark = Mark()
            self._inbox.put(mark)
            self._wake.put(None)
            mark.wait(timeout_s)
        return self.counts()

    def close(self, timeout_s: float) -> FlushResult:
        """Flush and stop the thread; what waits still goes out when a later put starts it anew."""
        result = self.flush(timeout_s)
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stopped = True
            self._wake.put(None)
        return result

    def reconnect(self, connect: Callable[[], Deliver], batching: Batching) -> None:
        """Send from now on through what `connect` makes, what is waiting included."""
        self.connect, self.batching = connect, batching
        if self._worker is not None:
            self._worker.deliver = None

    def settle(self, spans: int, *, sent: bool) -> None:
        """Count spans whose fate is known; only the background thread does."""
        if sent:
            self._sent += spans
        else:
            self._dropped += spans

    def _start(self) -> None:
        # A span that ends while the thread starts, on this very thread, must not wait for itself.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._worker is None:
                worker = Sender(self, self._inbox, self._wake)
                # The thread outlives the call that it is started from: it inherits nothing of it.
                token = otel.attach(Context())
                with guard:
                    worker.start()
                    self._worker = worker
                detach(token)
        finally:
            self._starting.release()
