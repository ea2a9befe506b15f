"""Say what an evaluator found: a verdict, its reason and its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PASS: Final = "pass"  # noqa: S105 - a verdict, no password
FAIL: Final = "fail"
ERROR: Final = "error"
NOT_APPLICABLE: Final = "not_applicable"
NOT_EVALUATED: Final = "not_evaluated"

_LABEL_OF: Final = {True: PASS, False: FAIL, None: NOT_EVALUATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """Hold one verdict.

    Attributes:
        passed: True, False, or None when it could not be judged. None is never a pass.
        score: a finite number, or None when there is none to give.
        label: pass, fail, error, not_applicable, not_evaluated, or a word of the evaluator's
            own; derived from `passed` when left out.
        reason: one sentence for a reader. It never holds the content that was judged.
        evidence: what the verdict rests on: names, counts, offsets; never a raw value.

    Raises:
        TypeError: `passed` is neither a bool nor None.
        ValueError: `score` is not finite, or `label` contradicts `passed`.
    """

    passed: bool | None
    score: float | None = None
    label: str | None = None
    reason: str = ""
    evidence: Mapping[str, Any] | Sequence[Any] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def __post_init__(self) -> None:
        """Check the invariants and derive the label."""
        if self.passed is not None and not isinstance(self.passed, bool):
            raise TypeError(f"passed must be True, False or None, not {self.passed!r}")
        if self.score is not None and not math.isfinite(self.score):
            raise ValueError(f"score must be finite, not {self.score!r}")
        if self.label is None:
            object.__setattr__(self, "label", _LABEL_OF[self.passed])
        elif self.label in {PASS, FAIL, ERROR, NOT_APPLICABLE, NOT_EVALUATED} - _allowed(
            self.passed
        ):
            raise ValueError(f"label {self.label!r} contradicts passed={self.passed!r}")


def _allowed(passed: bool | None) -> set[str]:  # noqa: FBT001 - the verdict itself
    """Name the standard labels that agree with a verdict."""
    if passed is None:
        return {ERROR, NOT_APPLICABLE, NOT_EVALUATED}
    return {PASS} if passed else {FAIL}
