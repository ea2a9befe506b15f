"""Replace personal data and secrets in content by the names of what they were.

The application waits while this runs: a text with nothing in it costs one pass of one automaton
and comes back as the same object. Redacting what was redacted changes nothing.

No key exempts its value: `id` and `date` are a user's words as well as the protocol's. That an
id, a time or a version is no telephone number is for the detectors to tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from traceai.evaluators.detect import detect_field, is_token

if TYPE_CHECKING:
    from traceai.evaluators.shape import Detection

_DEPTH_LIMIT: Final = 64
_SEARCHES: Final = 8
_TOO_DEEP: Final = "TOO_DEEP"
_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


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


def redact(
    text: str,
    *,
    key: str | None = None,
    tokenizer: Tokenizer = name_kind,
    kinds: frozenset[str] | None = None,
) -> Redacted:
    """Replace what is personal or secret in a text.

    Args:
        text: what may hold it.
        key: the name of the field that holds the text, which may say what the value is.
        tokenizer: says what stands in the place of a value.
        kinds: look for these only, such as `SECRET_KINDS`; None looks for all.

    Raises:
        ValueError: the tokenizer returned something that is not a token.
    """
    work = _Work(tokenizer, kinds)
    redacted = work.redact(key, text)
    return Redacted(redacted, work.counts) if work.counts else Redacted(text)


def redact_json(
    value: Any, *, tokenizer: Tokenizer = name_kind, kinds: frozenset[str] | None = None
) -> RedactedValue:
    """Replace what is personal or secret in the strings of a JSON-like value.

    The keys of mappings are strings like the others; one that becomes equal to another is numbered,
    so that no value is lost. Numbers and booleans stay as they are. A value in which nothing is
    found comes back as the same object. What lies deeper than 64 levels is left out, as
    `<TOO_DEEP>`, since it was not looked at.

    Raises:
        ValueError: the tokenizer returned something that is not a token.
    """
    work = _Work(tokenizer, kinds)
    walked = work.walk(None, value, 0)
    return RedactedValue(walked, work.counts) if work.counts else RedactedValue(value)


class _Work:
    """Redact the parts of one value, counting what was replaced."""

    def __init__(self, tokenizer: Tokenizer, kinds: frozenset[str] | None) -> None:
        self.counts: Counter[str] = Counter()
        self._tokenizer = tokenizer
        self._kinds = kinds

    def walk(self, key: str | None, value: Any, depth: int) -> Any:
        """Redact one value beneath a key."""
        if isinstance(value, str):
            return self.redact(key, value)
        if not isinstance(value, (Mapping, list, tuple)):
            return value
        if depth > _DEPTH_LIMIT:
            self.counts[_TOO_DEEP] += 1
            return f"<{_TOO_DEEP}>"
        if isinstance(value, Mapping):
            return self._walk_mapping(value, depth)
        return [self.walk(key, item, depth + 1) for item in value]

    def _walk_mapping(self, value: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        """Redact keys and values; the key as it is left gives its value the context."""
        walked: dict[Any, Any] = {}
        taken: Counter[str] = Counter()
        for name, item in value.items():
            key = redacted = self.redact(None, name) if isinstance(name, str) else name
            while key in walked:
                taken[redacted] += 1
                key = f"{redacted}#{taken[redacted] + 1}"
            walked[key] = self.walk(str(key), item, depth + 1)
        return walked

    def redact(self, key: str | None, text: str) -> str:
        """Replace detections, and what is one on its own once its neighbour is replaced.

        A search treats what it has found as the edge of what follows, so that a second one rarely
        finds more; the limit keeps the cost of any text proportional to its length.
        """
        for _ in range(_SEARCHES):
            found = detect_field(key, text, self._kinds)
            if not found:
                break
            text = self._replace(text, found)
        return text

    def _replace(self, text: str, found: tuple[Detection, ...]) -> str:
        """Write tokens in the places of detections."""
        parts: list[str] = []
        last = 0
        for detection in found:
            token = self._tokenizer(detection.kind, text[detection.start : detection.end])
            if not is_token(token):
                raise ValueError(f"not a token of the form <KIND> or <KIND:key id:token>: {token}")
            parts += (text[last : detection.start], token)
            last = detection.end
            self.counts[detection.kind] += 1
        return "".join((*parts, text[last:]))
