"""What can go wrong in the library, and the one place that swallows it.

TraceAIError
 ├── ConfigurationError     a wrong value given to `instrument()` or found in the environment
 └── PolicyError            a policy, prompt or inventory that cannot mean anything

Errors of ours are raised at set-up only. Once calls flow, `guard` stands between us and the
application: a failure of telemetry is counted and logged, never raised (except under test).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from types import TracebackType

_log = logging.getLogger("traceai")
# Without a handler Python prints warnings itself; what is said here is for whoever set logging up.
_log.addHandler(logging.NullHandler())


class TraceAIError(Exception):
    """An error of ours: what happened, why, and what to do next.

    Args:
        message: what is wrong, naming the value.
        remedy: what the reader can do about it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".rstrip())
        self.remedy = remedy


class ConfigurationError(TraceAIError):
    """A value of the set-up is wrong: nothing was patched."""


class PolicyError(TraceAIError):
    """A policy, prompt or inventory is wrong: nothing was judged with it."""


class Guard:
    """Keep a failure of telemetry from reaching the application: `with guard: …`.

    Attributes:
        reraise: raise what was caught; set by the test suite, so that no failure hides.
        failures: how many were swallowed since start.
    """

    __slots__ = ("failures", "reraise")

    def __init__(self) -> None:
        self.reraise = False
        self.failures = 0

    def __enter__(self) -> None:
        """Enter; nothing is allocated, so one object serves every thread."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Swallow an `Exception`; let a `BaseException`, such as a cancellation, pass."""
        if not isinstance(error, Exception):
            return False
        self.failures += 1
        level: Literal[30, 10] = logging.WARNING if self.failures == 1 else logging.DEBUG
        # The text of the error may hold content of the application: its type is enough.
        _log.log(level, "traceai lost a piece of telemetry: %s", type(error).__name__)
        _log.debug("where it happened", exc_info=error)
        return not self.reraise


guard = Guard()
