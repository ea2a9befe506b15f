"""Judge whether a call carries personal data."""

from __future__ import annotations

from typing import ClassVar

from traceai.evaluators.detect import PII_KINDS
from traceai.evaluators.disclosure import Disclosure


class PII(Disclosure):
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

    name: ClassVar[str] = "pii"
    version: ClassVar[str] = "1"
    known_kinds: ClassVar[frozenset[str]] = PII_KINDS
    what: ClassVar[str] = "personal data"
