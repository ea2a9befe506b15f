"""Run a check, and gather what checks say until it can be recorded, those that are alike once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from collector_processor.model import Evaluation
from collector_processor.processor.conceal import conceal_text
from collector_processor.processor.json_text import whole_text
from traceai.evaluators.result import EvalResult
from traceai.evaluators.runner import run_check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from collector_processor.processor.tree import Node
    from traceai.evaluators.registry import Check

_LARGEST = 1 << 63


class Judge(NamedTuple):
    """By what name and version a result is recorded: those that are counted together."""

    name: str
    version: str


def judge_of(check: Check) -> Judge:
    """Return the judge that a check is."""
    return Judge(check.name, check.version)


def run(check: Check, **available: Any) -> EvalResult:
    """Run a check; an answer that cannot be recorded is its error, as a crash is."""
    return run_check(_Recordable(check), **available)


@dataclass(frozen=True, slots=True)
class _Recordable:
    """A check whose answers are plain values that any store takes."""

    check: Check

    @property
    def name(self) -> str:
        return self.check.name

    @property
    def version(self) -> str:
        return self.check.version

    def evaluate(self, **available: Any) -> EvalResult:
        result = self.check.evaluate(**available)
        if not isinstance(result, EvalResult):
            raise TypeError(f"a check returns EvalResult, not {type(result).__name__}")
        return replace(
            result,
            score=None if result.score is None else float(result.score),
            label=None if result.label is None else _text(result.label),
            reason=_text(result.reason or ""),
            evidence=_plain(result.evidence),
        )


def _text(value: Any) -> str:
    """Return what a check wrote as text without secrets, for it may quote what it judged."""
    return conceal_text(whole_text(str(value)))


def _plain(value: Any) -> Any:
    """Return evidence as JSON has it; a number that JSON readers do not take as text."""
    if isinstance(value, Mapping):
        return {_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_LARGEST <= value < _LARGEST:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return _text(value)


class Results:
    """Results of a trace, those that are alike together."""

    def __init__(self, known: Iterable[Evaluation]) -> None:
        self._known = {
            (span_id, found.name, found.version, found.target)
            for found in known
            if not found.arrived
            for span_id in found.span_ids
        }
        self._spans: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        self._results: dict[int, EvalResult] = {}

    def has(self, node: Node, judge: Judge, target: str) -> bool:
        """Say whether an earlier revision has a result for a span with this id."""
        return bool(self._known) and (node.span.span_id, *judge, target) in self._known

    def add(self, node: Node, judge: Judge, target: str, result: EvalResult) -> None:
        """Keep a result; one that is the same object is the same result."""
        self._results[id(result)] = result
        self._spans[*judge, target, *node.place, id(result)].append(node.span.span_id)

    def collect(self) -> tuple[Evaluation, ...]:
        """Return one value for each distinct result."""
        return tuple(
            Evaluation(
                span_ids=tuple(span_ids),
                name=name,
                version=version,
                target=target,
                passed=result.passed,
                score=result.score,
                label=result.label,
                reason=result.reason or None,
                evidence=result.evidence or None,
                service=service,
                route=route,
            )
            for (name, version, target, service, route, key), span_ids in self._spans.items()
            for result in (self._results[key],)
        )
