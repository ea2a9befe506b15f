"""Judge model calls: verdicts, evaluators, and a decorator to write your own.

    from traceai.evaluators import IsCompliant

    policy = IsCompliant()
    result = policy.evaluate(input=user_prompt, output=model_output)
    print(result.score, result.reason)

Names are loaded when they are first used: the engine behind them is not free.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from traceai.evaluators.is_compliant import IsCompliant
    from traceai.evaluators.pii import PII
    from traceai.evaluators.provider_approval import ProviderApproval
    from traceai.evaluators.registry import Check, Evaluator, evaluator
    from traceai.evaluators.result import EvalResult
    from traceai.evaluators.secrets import Secrets

__all__ = (
    "PII",
    "Check",
    "EvalResult",
    "Evaluator",
    "IsCompliant",
    "ProviderApproval",
    "Secrets",
    "evaluator",
)

_HOMES = {
    "PII": "pii",
    "Check": "registry",
    "EvalResult": "result",
    "Evaluator": "registry",
    "IsCompliant": "is_compliant",
    "ProviderApproval": "provider_approval",
    "Secrets": "secrets",
    "evaluator": "registry",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use, and keep it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'traceai.evaluators' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"traceai.evaluators.{home}"), name)
    globals()[name] = value
    return value
