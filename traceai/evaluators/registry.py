"""Turn a plain function into an evaluator.

A function names the parts of a call that it wants to see (`input`, `output`, `context`, `tools`,
`span`, `expected`, `metadata`, …) and gets those and no other.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from traceai.errors import PolicyError
from traceai.evaluators.result import EvalResult

if TYPE_CHECKING:
    from collections.abc import Callable


@runtime_checkable
class Check(Protocol):
    """Judge a call: what `@evaluator` functions, PII, Secrets and IsCompliant have in common."""

    @property
    def name(self) -> str:
        """Say which check this is, in snake case."""

    @property
    def version(self) -> str:
        """Say which version of it gave the verdict."""

    @property
    def evaluate(self) -> Callable[..., EvalResult]:
        """Judge what is given by keyword and return the verdict."""


class Evaluator:
    """Judge a call with a plain function; still callable as that function.

    Args:
        function: takes any of the parts of a call by keyword.
        name: snake case, unique within a policy.
        version: changes when the meaning of the verdict changes.
        threshold: a float returned by the function passes at or above it.
    """

    def __init__(
        self,
        function: Callable[..., EvalResult | bool | float | None],
        *,
        name: str,
        version: str,
        threshold: float | None = None,
    ) -> None:
        for what, value in (("name", name), ("version", version)):
            if not isinstance(value, str) or not value.strip():
                raise PolicyError(
                    f"an evaluator needs a {what}, not {value!r}.",
                    remedy='Write @evaluator("account_redacted", "1").',
                )
        self.name = name
        self.version = version
        self.threshold = threshold
        self._function = function
        self._parameters = _read_parameters(function)
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the plain function as it was written."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Evaluator(name={self.name!r}, version={self.version!r})"

    def evaluate(self, **available: Any) -> EvalResult:
        """Judge a call with what the function asks for out of `available`.

        A required part that is missing or None gives `not_evaluated`. An exception of the
        function is not caught here: `run_check` turns it into an `error` verdict.
        """
        wanted = self._parameters
        missing = sorted(name for name in wanted.required if available.get(name) is None)
        if missing:
            return EvalResult(passed=None, reason=f"not given: {', '.join(missing)}")
        given = (
            available
            if wanted.takes_all
            else {name: value for name, value in available.items() if name in wanted.names}
        )
        return _read_answer(self._function(**given), self.threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameters:
    """What a function asks for."""

    names: frozenset[str]
    required: frozenset[str]
    takes_all: bool


def _read_parameters(function: Callable[..., Any]) -> _Parameters:
    """Read a function's keyword parameters, or refuse one that cannot be called by keyword."""
    names, required, takes_all = set(), set(), False
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}:
            raise PolicyError(
                f"an evaluator is called by keyword, but {name!r} is positional.",
                remedy="Name the parts it needs, such as (input, output).",
            )
        else:
            names.add(name)
            if parameter.default is parameter.empty:
                required.add(name)
    return _Parameters(names=frozenset(names), required=frozenset(required), takes_all=takes_all)


def _read_answer(answer: object, threshold: float | None) -> EvalResult:
    """Read what a function returned as a verdict."""
    if isinstance(answer, EvalResult):
        return answer
    if answer is None:
        return EvalResult(passed=None, reason="the check gave no verdict")
    if isinstance(answer, bool):
        return EvalResult(passed=answer, score=float(answer))
    if isinstance(answer, (int, float)):
        if threshold is None:
            return EvalResult(passed=None, score=float(answer), reason="a score, no threshold")
        passed = answer >= threshold
        word = "reaches" if passed else "is below"
        return EvalResult(
            passed=passed,
            score=float(answer),
            reason=f"score {answer:g} {word} the threshold {threshold:g}",
        )
    raise TypeError(f"a check returns EvalResult, bool, float or None, not {type(answer).__name__}")


def evaluator(
    name: str, version: str, *, threshold: float | None = None
) -> Callable[[Callable[..., EvalResult | bool | float | None]], Evaluator]:
    """Make an evaluator of the decorated function."""

    def make(function: Callable[..., EvalResult | bool | float | None]) -> Evaluator:
        return Evaluator(function, name=name, version=version, threshold=threshold)

    return make
