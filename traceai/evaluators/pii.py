"""Judge whether a call carries personal data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from traceai.evaluators.detect import PII_KINDS
from traceai.evaluators.disclosure import PLACES, check_kinds, check_places, judge_disclosure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from traceai.evaluators.result import EvalResult


class PII:
    """Find personal data such as e-mail, phone, card, account and identity numbers.

    All places that are given fail the call by default, because the verdict says "this call
    carried it", and rates are split by place from the evidence. A policy about answers asks for
    `places=("output",)`; then the other places are counted and do not fail.

    Args:
        kinds: look for these only; see `PII.known_kinds`.
        places: of input, context, output and tools, those whose findings fail the call.

    Raises:
        PolicyError: a kind or a place is unknown.
    """

    name = "pii"
    version = "1"
    known_kinds: ClassVar[frozenset[str]] = PII_KINDS

    def __init__(
        self, kinds: Sequence[str] | None = None, *, places: Sequence[str] = PLACES
    ) -> None:
        self.kinds = check_kinds(kinds, PII_KINDS)
        self.places = check_places(places)

    def evaluate(
        self,
        *,
        input: Any = None,  # noqa: A002 - the name the convention gives it
        output: Any = None,
        context: Any = None,
        tools: Any = None,
        **_ignored: Any,
    ) -> EvalResult:
        """Judge strings, messages or any JSON-like values; score 1.0 when clean, else 0.0.

        None means not given; when no judged place is given the verdict is `not_evaluated`.
        """
        given = {"input": input, "context": context, "output": output, "tools": tools}
        return judge_disclosure(given, kinds=self.kinds, places=self.places, what="personal data")
