"""Prove what an LLM application did: OpenTelemetry spans from one line.

    import traceai
    traceai.instrument(service="support", release="2026.11.3")

    with traceai.context(user="u-77", route="support"):
        ...

Names are loaded when they are first used, so that importing this costs next to nothing. `context`
is the exception: its module has the same name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from traceai.context import context

if TYPE_CHECKING:
    from traceai.errors import ConfigurationError
    from traceai.evaluators import EvalResult, evaluator
    from traceai.instrumentation import Instrumentation, flush, instrument, uninstrument
    from traceai.policy import Policy, Prompt
    from traceai.tally import FlushResult

__all__ = (
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

_HOMES = {
    "ConfigurationError": "traceai.errors",
    "EvalResult": "traceai.evaluators",
    "FlushResult": "traceai.tally",
    "Instrumentation": "traceai.instrumentation",
    "Policy": "traceai.policy",
    "Prompt": "traceai.policy",
    "evaluator": "traceai.evaluators",
    "flush": "traceai.instrumentation",
    "instrument": "traceai.instrumentation",
    "uninstrument": "traceai.instrumentation",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, and keep it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'traceai' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names there are, loaded or not."""
    return sorted({*globals(), *__all__})
