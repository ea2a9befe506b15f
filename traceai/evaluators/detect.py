"""Find personal data and secrets in a text: one engine for judging and for redaction.

One RE2 `Set` says in a single pass which shapes occur at all; most texts stop there. Only the
shapes that occur are searched for, their matches judged (check digits, numbering plans, words
around them), and overlaps settled in favour of what is proven.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import re2

from traceai.evaluators.credentials import SECRET_SHAPES
from traceai.evaluators.personal import PERSONAL_SHAPES
from traceai.evaluators.shape import Candidate, Detection, Judged, Shape, is_escape

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHAPES: Final = (*PERSONAL_SHAPES, *SECRET_SHAPES)
PII_KINDS: Final = frozenset(shape.kind for shape in PERSONAL_SHAPES)
SECRET_KINDS: Final = frozenset(shape.kind for shape in SECRET_SHAPES)
# Below this budget hostile text drops RE2 to its slow machine.
_MEMORY_BYTES: Final = 64 << 20
# What redaction leaves behind is not looked at again, but it does say that a value was there.
_TOKEN_PATTERN: Final = (
    f"<({'|'.join(sorted(PII_KINDS | SECRET_KINDS))})(?::[a-z0-9]{{1,16}}:[A-Z2-7]{{16}})?>"
)
_TOKEN: Final = re.compile(_TOKEN_PATTERN.encode())
_TOKEN_TEXT: Final = re.compile(_TOKEN_PATTERN)
_PART: Final = re.compile(rb"[ -]")
# How often a text may be searched inside of what was refused: hostile ones are all such matches.
_INSIDE_LEAST: Final = 16
_INSIDE_BYTES: Final = 64
_KEY_LENGTH = 64
_FIELD_LENGTH = 512


def is_token(text: str) -> bool:
    """Say whether a text is what redaction leaves in the place of a value."""
    return _TOKEN.fullmatch(text.encode("utf-8", "replace")) is not None


def _options() -> re2.Options:
    """Make RE2 options: quiet, with room for the automaton."""
    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    return options


@cache
def _set() -> re2.Set:
    """Compile the gate over every shape and, last, over what redaction leaves."""
    gate_set = re2.Set.SearchSet(_options())
    for shape in _SHAPES:
        gate_set.Add(shape.gate or shape.pattern)
    gate_set.Add(_TOKEN_PATTERN)
    gate_set.Compile()
    return gate_set


@cache
def _pattern(index: int) -> tuple[re2._Regexp, int]:
    """Compile one shape and say which group holds its value."""
    compiled = re2.compile(_SHAPES[index].pattern.encode(), _options())
    return compiled, min(compiled.groups, 1)


def gate(data: bytes) -> frozenset[str]:
    """Name the kinds that may occur in raw bytes, such as a whole trace on the wire.

    A superset: a kind that is not named is not there (as UTF-8); one that is named may not be.
    """
    hits = _set().Match(data)
    if not hits:
        return frozenset()
    kinds = {_SHAPES[index].kind for index in hits if index < len(_SHAPES)}
    if len(_SHAPES) in hits:
        kinds.update(kind.decode() for kind in _TOKEN.findall(data))
    return frozenset(kinds)


def find_tokens(text: str, kinds: frozenset[str]) -> tuple[Detection, ...]:
    """Find what redaction has left in a text: each says that a value of its kind was there."""
    return tuple(
        Detection(
            kind=match.group(1),
            start=match.start(),
            end=match.end(),
            confidence=1.0,
            validated=False,
        )
        for match in _TOKEN_TEXT.finditer(text)
        if match.group(1) in kinds
    )


def detect(text: str, kinds: frozenset[str] | None = None) -> tuple[Detection, ...]:
    """Find what is personal or secret in a text.

    Args:
        text: any text; offsets of the findings count its characters.
        kinds: look for these only; None looks for all.

    Returns:
        Findings that do not overlap, in order of their place.
    """
    data = text.encode("utf-8", "surrogatepass")
    hits = _set().Match(data)
    if not hits:
        return ()
    found = [
        finding
        for index in hits
        if index < len(_SHAPES) and (kinds is None or _SHAPES[index].kind in kinds)
        for finding in _search(data, index)
    ]
    if not found:
        return ()
    return _to_characters(_settle(_outside_tokens(found, data)), data, text)


def detect_field(
    key: str | None, text: str, kinds: frozenset[str] | None = None
) -> tuple[Detection, ...]:
    """Find what is personal or secret in a field, whose name may say what the value is."""
    if key is None or len(key) > _KEY_LENGTH or len(text) > _FIELD_LENGTH or '"' in text:
        return detect(text, kinds)
    lead = f'"{key}": "'
    return tuple(
        Detection(
            kind=found.kind,
            start=found.start - len(lead),
            end=min(found.end - len(lead), len(text)),
            confidence=found.confidence,
            validated=found.validated,
        )
        for found in detect(f'{lead}{text}"', kinds)
        if found.start >= len(lead)
    )


def _search(data: bytes, index: int) -> Iterator[Detection]:
    """Yield the accepted matches of one shape, with offsets in bytes.

    The search goes on right after what was accepted, which is an edge for what follows, and inside
    of what was refused, as the text of a refused match may begin the true one: but only as often
    as the length read so far allows, so that the cost stays proportional to the length.
    """
    shape = _SHAPES[index]
    pattern, group = _pattern(index)
    position: int | None = 0
    edge = inside = judged_so_far = accepted = 0
    while position is not None:
        matches, position = pattern.finditer(data, position), None
        for match in matches:
            start, end = match.span(group)
            if start > 0 and is_escape(data, start) and end - start > 1:
                start += 1
            if shape.most_judged is not None and judged_so_far >= shape.most_judged:
                judged = Judged(0.5) if accepted else None
            else:
                judged = shape.judge(Candidate(data, start, end, edge))
                judged_so_far += 1
            after = end
            if judged is not None:
                accepted += 1
                finding = _detection(shape, judged, start, end)
                after = edge = finding.end
                yield finding
            elif not shape.whole and inside <= _INSIDE_LEAST + start // _INSIDE_BYTES:
                inside += 1
                after = start if start > match.start() else _next_part(data, start, end)
            if after != match.end():
                position = after
                break


def _next_part(data: bytes, start: int, end: int) -> int:
    """Return where the second part of a refused match begins, or its end."""
    part = _PART.search(data, start + 1, end)
    return part.end() if part else end


def _detection(shape: Shape, judged: Judged, start: int, end: int) -> Detection:
    """Make the finding of one accepted match."""
    return Detection(
        kind=shape.kind,
        start=start,
        end=end if judged.length is None else start + judged.length,
        confidence=judged.confidence,
        validated=judged.validated,
    )


def _outside_tokens(found: list[Detection], data: bytes) -> list[Detection]:
    """Drop findings that touch what an earlier redaction wrote."""
    tokens = [match.span() for match in _TOKEN.finditer(data)]
    if not tokens:
        return found
    starts = [start for start, _ in tokens]

    def touches(finding: Detection) -> bool:
        before = bisect_left(starts, finding.end)
        return before > 0 and tokens[before - 1][1] > finding.start

    return [finding for finding in found if not touches(finding)]


def _settle(found: list[Detection]) -> list[Detection]:
    """Keep of overlapping findings the proven one, then the surer, then the longer."""
    kept: list[Detection] = []
    for finding in sorted(found, key=lambda f: (f.start, -f.end)):
        if not kept or kept[-1].end <= finding.start:
            kept.append(finding)
        elif _rank(finding) > _rank(kept[-1]):
            kept[-1] = finding
    return kept


def _rank(finding: Detection) -> tuple[bool, float, int]:
    """Order overlapping findings."""
    return finding.validated, finding.confidence, finding.end - finding.start


def _to_characters(found: list[Detection], data: bytes, text: str) -> tuple[Detection, ...]:
    """Turn offsets in bytes into offsets in characters."""
    if len(data) == len(text):
        return tuple(found)
    places = sorted({0, *(f.start for f in found), *(f.end for f in found)})
    character = {0: 0}
    for low, high in pairwise(places):
        length = len(data[low:high].decode("utf-8", "surrogatepass"))
        character[high] = character[low] + length
    return tuple(
        Detection(
            kind=f.kind,
            start=character[f.start],
            end=character[f.end],
            confidence=f.confidence,
            validated=f.validated,
        )
        for f in found
    )
