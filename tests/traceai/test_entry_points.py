"""What `opentelemetry-instrument` finds and calls, by the package's own entry points."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider

import traceai
from traceai.entry_points import LangChainInstrumentor, OpenAIInstrumentor
from traceai.instrumentation import _process

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
GROUP = "opentelemetry_instrumentor"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    yield
    traceai.uninstrument()


def test_the_package_names_one_door_a_library() -> None:
    named = tomllib.loads(PROJECT.read_text())["project"]["entry-points"][GROUP]
    assert {name: EntryPoint(name, value, GROUP).load() for name, value in named.items()} == {
        "traceai_openai": OpenAIInstrumentor,
        "traceai_langchain": LangChainInstrumentor,
    }


@pytest.mark.parametrize(
    ("door", "library"), [(OpenAIInstrumentor, "openai"), (LangChainInstrumentor, "langchain")]
)
def test_a_door_opens_to_its_library_alone(door: type[OpenAIInstrumentor], library: str) -> None:
    door().instrument()
    assert _process.wanted == {library}
    door().uninstrument()
    assert _process.wanted == frozenset()


def test_doors_add_up_and_close_one_by_one() -> None:
    OpenAIInstrumentor().instrument()
    LangChainInstrumentor().instrument()
    assert _process.wanted == {"langchain", "openai"}
    OpenAIInstrumentor().instrument()
    assert _process.wanted == {"langchain", "openai"}
    OpenAIInstrumentor().uninstrument()
    assert _process.wanted == {"langchain"}


def test_closing_takes_every_patch_away() -> None:
    original = openai.resources.chat.completions.Completions.create
    request = openai.OpenAI.request
    OpenAIInstrumentor().instrument()
    assert (
        openai.resources.chat.completions.Completions.create is not original
        or openai.OpenAI.request is not request
    )
    OpenAIInstrumentor().uninstrument()
    assert openai.resources.chat.completions.Completions.create is original
    assert openai.OpenAI.request is request


def test_the_provider_that_opentelemetry_passes_is_used() -> None:
    provider = TracerProvider()
    OpenAIInstrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    assert _process._config.tracer_provider is provider


def test_closing_what_was_never_opened_does_nothing() -> None:
    OpenAIInstrumentor().uninstrument()
    assert _process.wanted == frozenset()


def test_no_requirement_is_in_the_way_of_the_start_up_line() -> None:
    assert OpenAIInstrumentor().instrumentation_dependencies() == ()
    assert LangChainInstrumentor().instrumentation_dependencies() == ()


def test_looking_for_the_doors_does_not_load_the_sdk() -> None:
    program = "import sys, traceai.entry_points; print('opentelemetry.sdk' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
