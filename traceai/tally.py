"""Count what became of every span: put = waiting + sent + dropped, at any time.

Spans may end anywhere, also inside a garbage collection or a signal handler. So what is counted
when a span is put takes no lock: it is one step, atomic and re-entrant in CPython.
"""

from __future__ import annotations

import itertools
import operator
import threading
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushResult:
    """What became of every span of this process, since it started.

    Attributes:
        sent: acknowledged by the collector, a batch at a time. Single spans that it says it has
            rejected are among them: the official exporters do not hand that answer on.
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


class Counts:
    """What became of the spans of one process; whoever waits for them is told.

    Attributes:
        put: every span that was taken, whatever became of it.
        refused: those among them that found the queue full.
    """

    def __init__(self) -> None:
        self.put = Tally()
        self.refused = Tally()
        self._sent = 0
        self._dropped = 0
        self._settled = threading.Condition()

    @property
    def dropped(self) -> int:
        """How many are lost."""
        return self._dropped + self.refused.total

    def settle(self, spans: int, *, sent: bool) -> None:
        """Count spans whose fate is known, and tell whoever waits."""
        with self._settled:
            if sent:
                self._sent += spans
            else:
                self._dropped += spans
            self._settled.notify_all()

    def wait(self, timeout_s: float) -> None:
        """Wait until as many as were put before are sent or dropped, at most `timeout_s`."""
        before = self.put.total
        with self._settled:
            self._settled.wait_for(lambda: self._sent + self.dropped >= before, max(0.0, timeout_s))

    def result(self) -> FlushResult:
        """Return what became of the spans so far."""
        sent, dropped = self._sent, self.dropped
        waiting = max(0, self.put.total - sent - dropped)
        return FlushResult(sent=sent, spooled=waiting, dropped=dropped)
