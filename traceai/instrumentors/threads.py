"""Carry the OpenTelemetry context, and nothing else, into threads that the application starts.

A thread inherits what was current when it was started; a task of an executor what was current when
it was submitted, attached for that task alone: the worker thread itself inherits nothing, or it
would belong for ever to whoever happened to submit first.
"""

from __future__ import annotations

from concurrent.futures import thread as executors
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel

from traceai.context import detach
from traceai.errors import guard
from traceai.instrumentors.patch import Patch, apply, remove

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from opentelemetry.context import Context

_WORKER: Final = getattr(executors, "_worker", None)


def start(
    wrapped: Callable[..., None],
    thread: threading.Thread,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Start a thread whose `run`, a subclass's too, runs in the context current here."""
    context = otel.get_current()
    if not context or _is_worker(thread):
        return wrapped(*args, **kwargs)
    with guard:
        _carry(thread, context)
    return wrapped(*args, **kwargs)


def submit(
    wrapped: Callable[..., Any],
    executor: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Submit a task that runs in the context current here."""
    del executor
    context = otel.get_current()
    if not context or not args:
        return wrapped(*args, **kwargs)
    return wrapped(_run_in, context, *args, **kwargs)


PATCHES: Final = (
    Patch(
        module="threading",
        name="Thread.start",
        wrapper=start,
        loses="the context in threads",
    ),
    Patch(
        module="concurrent.futures.thread",
        name="ThreadPoolExecutor.submit",
        wrapper=submit,
        loses="the context in executors",
    ),
)


class Threads:
    """The instrumentation of threads: `apply()` once, `remove()` when done."""

    def apply(self) -> tuple[str, ...]:
        """Patch threads and executors; say what could not be patched, a sentence each."""
        return tuple(
            f"{patch.target} does not exist: {patch.loses} will be missing."
            for patch in apply(PATCHES)
        )

    def remove(self) -> None:
        """Undo the patches; threads and tasks that were started keep their context."""
        remove(PATCHES)


def _is_worker(thread: threading.Thread) -> bool:
    return _WORKER is not None and getattr(thread, "_target", None) is _WORKER


def _carry(thread: threading.Thread, context: Context) -> None:
    """Make `thread.run`, whoever has defined it, run in `context`, this once."""
    own = vars(thread).get("run")
    original = thread.run

    def run() -> None:
        if own is None:
            vars(thread).pop("run", None)
        else:
            vars(thread)["run"] = own
        _run_in(context, original)

    vars(thread)["run"] = run


def _run_in(context: Context, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    token = otel.attach(context)
    try:
        return call(*args, **kwargs)
    finally:
        detach(token)
