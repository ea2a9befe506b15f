"""The OpenTelemetry context in the application's threads: there, only there, and only as long."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context as otel

import traceai
from traceai.context import identity
from traceai.instrumentors.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN: ContextVar[str] = ContextVar("own", default="unset")


@pytest.fixture(autouse=True)
def threads() -> Iterator[Threads]:
    threads = Threads()
    assert threads.apply() == ()
    yield threads
    threads.remove()


def user() -> object:
    return identity().get("user.id")


class Recording(threading.Thread):
    """A thread of the application that overrides `run`."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: object = None

    def run(self) -> None:
        self.seen = user()


def test_a_thread_inherits_the_context_it_was_started_in_and_no_other_variable() -> None:
    seen: list[object] = []
    OWN.set("caller")
    thread = threading.Thread(target=lambda: seen.extend((user(), OWN.get())))
    with traceai.context(user="u-1"):
        thread.start()
    thread.join()
    assert seen == ["u-1", "unset"]


def test_a_subclass_that_overrides_run_inherits_it_too_and_is_left_as_it_was() -> None:
    thread = Recording()
    with traceai.context(user="u-1"):
        thread.start()
    thread.join()
    assert (thread.seen, "run" in vars(thread)) == ("u-1", False)


def test_a_run_that_the_application_has_set_is_the_one_that_runs() -> None:
    seen: list[object] = []
    thread = Recording()
    own: Any = lambda: seen.append(user())  # noqa: E731 - set on the instance, as applications do
    vars(thread)["run"] = own
    with traceai.context(user="u-1"):
        thread.start()
    thread.join()
    assert (seen, thread.seen, vars(thread)["run"]) == (["u-1"], None, own)


def test_a_timer_inherits_it() -> None:
    seen: list[object] = []
    with traceai.context(user="u-1"):
        timer = threading.Timer(0, lambda: seen.append(user()))
        timer.start()
    timer.join()
    assert seen == ["u-1"]


def test_starting_a_thread_twice_is_the_error_it_always_was() -> None:
    thread = Recording()
    with traceai.context(user="u-1"):
        thread.start()
        with pytest.raises(RuntimeError, match="once"):
            thread.start()
    thread.join()


def test_a_task_has_the_context_of_its_own_submitter() -> None:
    seen: list[object] = []
    with ThreadPoolExecutor(max_workers=1) as executor:
        for name in ("u-1", "u-2"):
            with traceai.context(user=name):
                seen.append(executor.submit(user).result())
        seen.append(executor.submit(user).result())
        with traceai.context(user="u-3"):
            seen += executor.map(lambda _: user(), range(2))
    assert seen == ["u-1", "u-2", None, "u-3", "u-3"]


def test_a_task_gets_its_arguments_and_its_error_gets_out() -> None:
    def fail(context: str, *, call: str) -> None:
        raise ValueError(context + call)

    with ThreadPoolExecutor() as executor, traceai.context(user="u-1"):
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        with pytest.raises(ValueError, match="ab"):
            executor.submit(fail, "a", call="b").result()


def test_removing_leaves_no_patch(threads: Threads) -> None:
    threads.apply()
    threads.remove()
    threads.remove()
    assert vars(threading.Thread)["start"].__class__.__name__ == "function"
    with ThreadPoolExecutor() as executor, traceai.context(user="u-1"):
        assert executor.submit(user).result() is None
    assert otel.get_current() == {}
