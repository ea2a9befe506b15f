"""Replace personal data and secrets in content by the names of what they were.

The application waits while this runs: a text with nothing in it costs one pass of one automaton
and comes back as the same object. Redacting what was redacted changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from traceai.evaluators.detect import SECRET_KINDS, detect, detect_field, is_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from traceai.evaluators.shape import Finding

_DEPTH_LIMIT: Final = 64
_TOO_DEEP: Final = "TOO_DEEP"
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
# Values under these keys are ids, times and enumerations of the protocol. Only what has the
# grammar of a secret is replaced there: a number that looks like an account is an id.
_STRUCTURAL_KEYS: Final = frozenset(
    (
        *("id", "call_id", "tool_call_id", "response_id", "run_id", "request_id", "message_id"),
        *("trace_id", "span_id", "parent_span_id", "conversation_id", "previous_response_id"),
        *("item_id", "session_id", "thread_id", "checkpoint_id", "parent_run_id"),
        *("created", "created_at", "updated_at", "timestamp", "time", "start_time", "end_time"),
        *("completed_at", "expires_at", "date", "model", "role", "type", "object", "version"),
        *("finish_reason", "stop_reason", "system_fingerprint", "service_tier", "status", "index"),
    )
)


class Tokenizer(Protocol):
    """Say what stands in the place of a value: `<KIND>` or `<KIND:key id:token>`.

    The token is 16 characters of base32, so that redaction knows its own work again.
    """

    def __call__(self, kind: str, value: str, /) -> str:
        """Return the replacement of one value."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """Hold a text after redaction and how many values of each kind were replaced."""

    text: str
    counts: Mapping[str, int] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class RedactedValue:
    """Hold a JSON-like value after redaction and how many values of each kind were replaced."""

    value: Any
    counts: Mapping[str, int] = field(default_factory=lambda: _NOTHING)


def name_kind(kind: str, _value: str, /) -> str:
    """Write the kind alone: the replacement when there is no key to make tokens with."""
    return f"<{kind}>"


def redact(text: str, *, tokenizer: Tokenizer = name_kind) -> Redacted:
    """Replace what is personal or secret in a text.

    Raises:
        ValueError: the tokenizer returned something that is not a token.
    """
    found = detect(text)
    if not found:
        return Redacted(text)
    counts: Counter[str] = Counter()
    return Redacted(_replace(text, found, detect, tokenizer, counts), counts)


def redact_json(value: Any, *, tokenizer: Tokenizer = name_kind) -> RedactedValue:
    """Replace what is personal or secret in the strings of a JSON-like value.

    Numbers, booleans and keys stay as they are, and so do ids and times under keys that name
    them. A value in which nothing is found comes back as the same object. What lies deeper than
    64 levels is left out, as `<TOO_DEEP>`, since it was not looked at.
    """
    counts: Counter[str] = Counter()
    walked = _walk(value, None, tokenizer, counts, 0)
    return RedactedValue(walked, counts) if counts else RedactedValue(value)


def _walk(
    value: Any, key: str | None, tokenizer: Tokenizer, counts: Counter[str], depth: int
) -> Any:
    """Redact one value beneath a key."""
    if isinstance(value, str):
        return _redact_field(key, value, tokenizer, counts)
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth > _DEPTH_LIMIT:
        counts[_TOO_DEEP] += 1
        return f"<{_TOO_DEEP}>"
    if isinstance(value, Mapping):
        return {
            name: _walk(item, str(name), tokenizer, counts, depth + 1)
            for name, item in value.items()
        }
    return [_walk(item, key, tokenizer, counts, depth + 1) for item in value]


def _redact_field(key: str | None, text: str, tokenizer: Tokenizer, counts: Counter[str]) -> str:
    """Redact one string, with its key for context."""

    def search(text: str) -> tuple[Finding, ...]:
        if key in _STRUCTURAL_KEYS:
            return detect(text, SECRET_KINDS)
        return detect_field(key, text)

    found = search(text)
    return _replace(text, found, search, tokenizer, counts) if found else text


def _replace(
    text: str,
    found: tuple[Finding, ...],
    search: Callable[[str], tuple[Finding, ...]],
    tokenizer: Tokenizer,
    counts: Counter[str],
) -> str:
    """Replace findings until none is left: what stood beside one may be one on its own.

    It ends because findings never touch tokens, so that each round leaves less to find.
    """
    while found:
        parts: list[str] = []
        last = 0
        for finding in found:
            token = tokenizer(finding.kind, text[finding.start : finding.end])
            if not is_token(token):
                raise ValueError(f"not a token of the form <KIND> or <KIND:key id:token>: {token}")
            parts += (text[last : finding.start], token)
            last = finding.end
            counts[finding.kind] += 1
        text = "".join((*parts, text[last:]))
        found = search(text)
    return text
