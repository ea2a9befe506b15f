"""Describe one thing to look for: its pattern, and what decides whether a match is one.

Patterns are RE2: linear time on any input, no look-around. What a look-around would say is
said by `embedded`, which sees the bytes on both sides of a match.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGIT = frozenset(b"0123456789")
_ESCAPED = frozenset(b"nrtbf")
_BACKSLASH = ord("\\")
_BEFORE_BYTES = 64
_AFTER_BYTES = 24
# Numbers beside a number make a row of a table; the month of an expiry date is none of it.
_ROW_BEFORE = re.compile(rb"\d[ \t]{1,8}[-+]?$")
_ROW_AFTER = re.compile(rb"[ \t]{1,8}[-+]?\d(?!\d?/)")
_ROW_BYTES = 10
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UUID_BYTES = 36
# Where a number may begin: at the edge of a word, or behind a written-out escape such as `\n`.
NUMBER_START: Final = r"(?:\b|\\[nrtbf])"
_TOKEN = re.compile(rb"(?:<|^)[A-Z0-9_]*(?::[a-z0-9]{0,16}:[A-Z2-7]{0,16})?>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Hold where something was found, never what it was.

    Attributes:
        kind: Presidio's entity name, or the kind of secret.
        start: offset of its first character.
        end: offset after its last character.
        confidence: 0 to 1; 0.5 and above is meant to be acted upon.
        validated: a check digit, a numbering plan or a signature grammar agreed.
    """

    kind: str
    start: int
    end: int
    confidence: float
    validated: bool


class Judged(NamedTuple):
    """Hold what a shape's judge decided; `length` keeps only the first so many bytes."""

    confidence: float
    validated: bool = False
    length: int | None = None


class Candidate(NamedTuple):
    """Hold one match: the bytes of the whole text and the span of the value in it.

    What stands before `edge` was found to be a value of its own: no part of this one.
    """

    data: bytes
    start: int
    end: int
    edge: int = 0

    @property
    def value(self) -> str:
        """Decode the value."""
        return self.data[self.start : self.end].decode("utf-8", "replace")

    @property
    def before(self) -> str:
        """Decode up to 64 bytes that stand before the value, in lower case.

        What redaction wrote is left out: `<CREDIT_CARD>` is not the word for a card.
        """
        first = max(0, self.start - _BEFORE_BYTES)
        before = self.data[first : self.start]
        if b">" in before:
            before = _TOKEN.sub(b"", before)
        return before.decode("utf-8", "ignore").lower()

    @property
    def after(self) -> str:
        """Decode up to 24 bytes that stand after the value, in lower case."""
        return self.data[self.end : self.end + _AFTER_BYTES].decode("utf-8", "ignore").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Describe one thing to look for.

    Attributes:
        kind: what a match is called.
        pattern: RE2; group 1, when there is one, is the value.
        judge: decide on a candidate; None refuses it.
        gate: a cheaper pattern that matches whenever `pattern` does.
        whole: a refused match holds no other: the pattern takes all that belongs together.
        most_judged: how many candidates of a text are judged, where that is costly. The rest of a
            text in which some were accepted is accepted by its shape: a list of them is a list.
    """

    kind: str
    pattern: str
    judge: Callable[[Candidate], Judged | None]
    gate: str | None = None
    whole: bool = False
    most_judged: int | None = None


def is_escape(data: bytes, index: int) -> bool:
    r"""Say whether the byte at `index` ends a written-out escape such as `\n`."""
    return index > 0 and data[index] in _ESCAPED and data[index - 1] == _BACKSLASH


def beginnings(candidate: Candidate, separators: str) -> Iterator[str]:
    """Yield a value and its beginnings that end at a separator, longest first.

    The whole is left out where a word goes on behind it.
    """
    value = candidate.value
    if not _goes_on(candidate):
        yield value
    for end in range(len(value) - 1, 0, -1):
        if value[end] in separators:
            yield value[:end]


def in_word(candidate: Candidate) -> bool:
    """Say whether a value is a part of a longer word."""
    return _comes_from(candidate) or (
        candidate.end < len(candidate.data) and candidate.data[candidate.end] in _WORD
    )


def embedded(candidate: Candidate) -> bool:
    """Say whether a number is a part of a longer number, word, version, uuid or identifier."""
    return embedded_before(candidate) or _goes_on(candidate)


def embedded_before(candidate: Candidate) -> bool:
    """Say whether what stands before a number makes it a part of something longer."""
    if _comes_from(candidate) or _in_uuid(candidate):
        return True
    data, start, _, edge = candidate
    return start - 1 > edge and data[start] in _DIGIT and _joins(data[start - 2], data[start - 1])


def in_row_before(candidate: Candidate) -> bool:
    """Say whether a number stands before a number, only blanks between them."""
    data, start, _, edge = candidate
    return _ROW_BEFORE.search(data, max(edge, start - _ROW_BYTES), start) is not None


def in_row_after(candidate: Candidate) -> bool:
    """Say whether a number follows a number, only blanks between them."""
    return _ROW_AFTER.match(candidate.data, candidate.end) is not None


def _comes_from(candidate: Candidate) -> bool:
    """Say whether a word runs into a value."""
    data, start, _, edge = candidate
    return start > edge and data[start - 1] in _WORD and not is_escape(data, start - 1)


def _in_uuid(candidate: Candidate) -> bool:
    """Say whether a value begins inside of a uuid."""
    data, start, _, _ = candidate
    first = max(0, start - _UUID_BYTES)
    if data.find(b"-", first, start + _UUID_BYTES) < 0:
        return False
    uuids = _UUID.finditer(data, first, start + _UUID_BYTES)
    return any(uuid.start() <= start < uuid.end() for uuid in uuids)


def _goes_on(candidate: Candidate) -> bool:
    """Say whether a word or number goes on behind a value."""
    data, _, end, _ = candidate
    if end < len(data) and data[end] in _WORD:
        return True
    return end + 1 < len(data) and data[end] in b".-" and data[end + 1] in _DIGIT


def _joins(far: int, near: int) -> bool:
    """Say whether what stands before a digit makes it a part: `0.`, `a716-`, `RKL-`."""
    return (near == ord("-") and far in _WORD) or (near == ord(".") and far in _DIGIT)
