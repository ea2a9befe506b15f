"""Send finished spans in the background: a bounded queue in, batches out, every span counted.

A span that was *put* is *waiting*, then *sent* (the collector has acknowledged it) or *dropped*
(the queue was full, the collector refused it, or it could not be encoded). A collector that does
not answer costs nothing while there is room: its batch is kept and tried again.

Spans may end anywhere, also inside a garbage collection or a signal handler that interrupts this
very code. So `put` takes no lock: it uses what is atomic and re-entrant in CPython alone.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel
from opentelemetry.context import Context

from traceai.context import detach
from traceai.errors import guard
from traceai.sender import Ports, Sender, Wake
from traceai.tally import Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

    from traceai.config import Batching
    from traceai.sender import Deliver
    from traceai.tally import FlushResult

_MAX_HOLD_S: Final = 5.0


class Exporter:
    """Take finished spans and send them in batches from one daemon thread.

    Args:
        connect: makes the way out, in the background thread, when it is first needed; it may be
            replaced, and what is waiting then goes the new way.
        batching: bounds of the queue and of a batch.
    """

    def __init__(self, connect: Callable[[], Deliver], batching: Batching) -> None:
        self._connect = connect
        self._batching = batching
        self.start_over()

    def start_over(self) -> None:
        """Forget everything: a forked child starts empty, its parent sends what is waiting."""
        self._counts = Counts()
        self._ports = Ports(inbox=SimpleQueue(), wake=SimpleQueue(), connecting=threading.Lock())
        self._starting = threading.Lock()
        self._worker: Sender | None = None
        self._former: Sender | None = None

    def hold(self) -> None:
        """Wait, before a fork, while modules are loaded: a child would inherit their locks."""
        self._ports.connecting.acquire(timeout=_MAX_HOLD_S)

    def resume(self) -> None:
        """Go on, in the parent."""
        with suppress(RuntimeError):
            self._ports.connecting.release()

    def put(self, span: ReadableSpan) -> None:
        """Take a span; when the queue is full, count it as dropped. Never blocks, never raises."""
        self._counts.put.add()
        waiting = self._ports.inbox.qsize()
        if waiting >= self._batching.max_queue_size:
            self._counts.refused.add()
            return
        self._ports.inbox.put(span)
        if self._worker is None:
            self._start()
        if waiting + 1 == self._batching.max_batch_size:
            self._ports.wake.put(Wake.TRAFFIC)

    def counts(self) -> FlushResult:
        """Return what became of the spans so far."""
        return self._counts.result()

    def flush(self, timeout_s: float) -> FlushResult:
        """Wait until as many as were put before are sent or dropped, at most `timeout_s` seconds.

        With a queue that overflows meanwhile, what is refused counts among them.
        """
        if self._worker is not None:
            self._ports.wake.put(Wake.ASKED)
            self._counts.wait(timeout_s)
        return self.counts()

    def close(self, timeout_s: float) -> FlushResult:
        """Flush and stop the thread; what waits still goes out when a later put starts it anew."""
        result = self.flush(timeout_s)
        worker, self._worker = self._worker, None
        if worker is not None:
            self._former = worker
            worker.stopped = True
            self._ports.wake.put(Wake.ASKED)
        return result

    def reconnect(self, connect: Callable[[], Deliver], batching: Batching) -> None:
        """Send from now on through what `connect` makes, what is waiting included."""
        self._connect, self._batching = connect, batching
        if (worker := self._worker) is not None:
            worker.connect, worker.batching = connect, batching

    def _start(self) -> None:
        # A span that ends while the thread starts, on this very thread, must not wait for itself.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._worker is None:
                worker = Sender(
                    self._ports, self._counts, self._connect, self._batching, former=self._former
                )
                # The thread outlives the call that it is started from: it inherits nothing of it.
                token = otel.attach(Context())
                with guard:
                    worker.start()
                    self._worker, self._former = worker, None
                detach(token)
        finally:
            self._starting.release()
