"""What happens when the process ends or forks: waiting spans go out, a child starts afresh.

A normal exit, an uncaught exception and SIGINT run `atexit`; a child of `multiprocessing` runs
only that module's own finalizers; SIGTERM runs nothing at all, so it is handled where nobody else
handles it. `kill -9` and `os._exit` cannot be seen from here.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from multiprocessing import util as multiprocessing
from typing import TYPE_CHECKING

from traceai.errors import guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Lifecycle:
    """Watch over the end and the forks of this process.

    Args:
        finish: sends what waits, within a bound; called at the end, possibly more than once.
        hold: makes a fork safe; called before it.
        resume: goes on after it, in the parent.
        start_over: makes a forked child forget what is its parent's.
    """

    def __init__(
        self,
        *,
        finish: Callable[[], object],
        hold: Callable[[], object],
        resume: Callable[[], object],
        start_over: Callable[[], object],
    ) -> None:
        self._finish = finish
        self._hold = hold
        self._resume = resume
        self._start_over = start_over
        self._watching = False

    def watch(self) -> None:
        """Begin; doing it again only looks at SIGTERM anew."""
        if not self._watching:
            self._watching = True
            atexit.register(self._end)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(
                    before=_guarded(self._hold),
                    after_in_parent=_guarded(self._resume),
                    after_in_child=_guarded(self._start_over),
                )
            # A child clears the finalizers that it inherits, and then runs this.
            multiprocessing.register_after_fork(self, Lifecycle._finalize)
            self._finalize()
        self._take_sigterm()

    def unwatch(self) -> None:
        """Give SIGTERM back; the other hooks stay, and find nothing to do."""
        if _in_main_thread() and signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _end(self) -> None:
        with guard:
            self._finish()

    def _finalize(self) -> None:
        # Below zero: after the application's own finalizers, which may still make calls.
        multiprocessing.Finalize(None, self._end, exitpriority=-1)

    def _take_sigterm(self) -> None:
        if _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the interface of handlers
        self._end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _guarded(hook: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        with guard:
            hook()

    return run


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
