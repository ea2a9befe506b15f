"""Libraries are patched when they are there, and what is missing in them is said once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from openai import _base_client as sdk
from opentelemetry.trace import NoOpTracer

from traceai.attributes import Content
from traceai.instrumentors.libraries import Libraries
from traceai.recorder import Recorder
from traceai.semconv import ContentState

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def libraries() -> Iterator[Libraries]:
    content = Content(state=ContentState.NONE, digest=str)
    libraries = Libraries(Recorder(NoOpTracer(), content))
    yield libraries
    libraries.want(())


def test_a_place_that_a_library_lacks_is_named_with_what_it_costs(
    libraries: Libraries, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(sdk.BaseClient, "_calculate_retry_timeout")
    with caplog.at_level(logging.WARNING, "traceai"):
        libraries.want(["openai"])
        libraries.want(["openai"])
    (warning,) = libraries.warnings
    assert "has no openai._base_client.BaseClient._calculate_retry_timeout" in warning
    assert "the reasons of retries will be missing" in warning
    assert [each.getMessage() for each in caplog.records] == [warning]


def test_threads_that_cannot_carry_the_context_are_named(
    libraries: Libraries, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("threading.Thread.start")
    with caplog.at_level(logging.WARNING, "traceai"):
        libraries.want(["openai"])
    said = "threading.Thread.start does not exist: the context in threads will be missing."
    assert [each.getMessage() for each in caplog.records] == [said]
    assert libraries.warnings == (said,)


def test_a_library_that_has_all_its_places_is_not_spoken_of(libraries: Libraries) -> None:
    libraries.want(["openai", "langchain"])
    assert libraries.warnings == ()
