"""The public names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import traceai

NAMES = (
    "ConfigurationError",
    "EvalResult",
    "FlushResult",
    "Instrumentation",
    "Policy",
    "Prompt",
    "context",
    "evaluator",
    "flush",
    "instrument",
    "uninstrument",
)


def test_the_public_names_are_these() -> None:
    assert traceai.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there_and_says_what_it_is_for(name: str) -> None:
    assert getattr(traceai, name).__doc__
    assert name in dir(traceai)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'instrumnet'"):
        traceai.instrumnet  # noqa: B018 - that is the point


def test_context_is_the_class_whatever_was_imported_first() -> None:
    script = "import traceai.context; import traceai; print(type(traceai.context).__name__)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert result.stdout.strip() == b"type"


def test_importing_loads_neither_the_sdk_nor_a_client() -> None:
    script = "import sys, traceai; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    loaded = set(result.stdout.split())
    heavy = {"opentelemetry.sdk", "requests", "grpc", "openai", "langchain_core", "wrapt", "re2"}
    assert loaded & heavy == set()
