"""Judge whether a call carries secrets."""

from __future__ import annotations

from typing import ClassVar

from traceai.evaluators.detect import SECRET_KINDS
from traceai.evaluators.disclosure import Disclosure


class Secrets(Disclosure):
    """Find secrets such as provider keys, tokens, private keys and passwords.

    All places that are given fail the call by default, because the verdict says "this call
    carried it", and rates are split by place from the evidence. A policy about answers asks for
    `places=("output",)`; then the other places are counted and do not fail.

    Args:
        kinds: look for these only; see `Secrets.known_kinds`.
        places: of input, context, output and tools, those whose findings fail the call.

    Raises:
        PolicyError: a kind or a place is unknown.
    """

    name: ClassVar[str] = "secrets"
    version: ClassVar[str] = "1"
    known_kinds: ClassVar[frozenset[str]] = SECRET_KINDS
    what: ClassVar[str] = "secrets"
