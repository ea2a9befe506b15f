"""The guard between us and the application."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from traceai.errors import ConfigurationError, Guard

if TYPE_CHECKING:
    from collections.abc import Callable


def test_an_error_says_what_is_wrong_and_what_to_do() -> None:
    error = ConfigurationError("content= is 'all'.", remedy="It takes none or full.")
    assert str(error) == "content= is 'all'. It takes none or full."
    assert error.remedy == "It takes none or full."


def test_a_failure_is_swallowed_and_counted() -> None:
    guard = Guard()
    for _ in range(2):
        with guard:
            raise RuntimeError
    assert guard.failures == 2


def test_a_failure_is_raised_under_test() -> None:
    guard = Guard()
    guard.reraise = True
    with pytest.raises(RuntimeError), guard:
        raise RuntimeError


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_no_failure_passes(kind: Callable[[], BaseException]) -> None:
    guard = Guard()
    with pytest.raises(BaseException) as caught, guard:  # noqa: PT011 - its type is compared below
        raise kind()
    assert caught.type is kind
    assert guard.failures == 0


def test_the_log_holds_the_type_of_a_failure_and_not_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = Guard()
    with caplog.at_level(logging.INFO, "traceai"), guard:
        raise ValueError("what the user said")
    assert caplog.messages == ["traceai lost a piece of telemetry: ValueError"]


def test_only_the_first_failure_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard()
    with caplog.at_level(logging.WARNING, "traceai"):
        for _ in range(3):
            with guard:
                raise ValueError
    assert len(caplog.records) == 1


def test_nothing_is_printed_where_logging_is_not_set_up() -> None:
    handlers = logging.getLogger("traceai").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
