"""Tell telephone numbers from the other numbers of a text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from traceai.evaluators.shape import (
    NUMBER_START,
    Candidate,
    Judged,
    Shape,
    embedded,
    in_row_after,
    in_row_before,
    in_word,
)

# Numbering plans tried for a number written without its country.
_REGIONS: Final = (
    *("US", "GB", "DE", "FR", "ES", "IT", "NL", "SE", "FI", "PL", "BR", "IN", "SG"),
    *("ZA", "AU", "JP", "KR", "CN", "TR", "MX", "BE", "CH", "AT", "DK", "NO", "IE"),
)
_WHICH: Final = "(?: (?:new|old|current|phone|cell|contact|direct|home|work|office))?"
_WORDS: Final = (
    r"phone|telephone|telefon|telefonum|telefone|telefoon|teléfono|téléphone|telefono|puhelin|"
    r"tel|mobile|mobil|móvil|cell|cellulare|celular|handy|fax|whatsapp|sms|hp|ring|contact|"
    r"call me|call us|call him|call her|call|reach me|reach us|reached at|"
    rf"(?:my|your|his|her|their|our){_WHICH} number|"
    r"電話|电话|手机|手机号|전화|휴대폰|फोन|телефон|هاتف"
)
_STRONG = re.compile(
    r"(?:phone|tel|telefon\w*|teléfono|téléphone|mobile?|móvil|cell|cellulare|celular|handy|fax|"
    rf"whatsapp|puhelin|(?:my|your|his|her|their|our|contact){_WHICH} (?=number)|"
    r"電話番号|電話|电话|手机号|手机|전화번호|전화|फोन|телефон)"
    r"[^a-z0-9]{0,4}(?:number|no|nr|num)?[^a-z0-9]{0,4}(?:is|at|to|now|は|는)?[^a-z0-9]{0,6}$"
)
_OTHER = re.compile(
    r"(?:(?:\b|_)(?:nhs|nip|case|ref\w*|policy|licen[cs]e|tax|file|student|account|order|invoice|"
    r"card|ssn|social|sociale|seguro|passport|routing|zip|nummer|id|number)\b|マイナンバー)"
    r"[^\d]{0,12}$"
)
_DATE = re.compile(
    r"(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ][0-3]?\d(?!\d)"
    r"|[0-3]?\d[-./ ][0-3]?\d[-./ ](?:19|20)\d\d(?!\d)"
)
_SECONDS = re.compile(r"[0-5]\d\.\d+")
_CLOCK = re.compile(r"\d\d:$")
_SEPARATOR = re.compile(r"[ ./()\-]+")
_LONGEST = 15
_ROW_LENGTH = 36
_SHORTEST = 7


def is_date(value: str) -> bool:
    """Say whether a value begins as a date does."""
    return _DATE.match(value) is not None


def _is_seconds(candidate: Candidate) -> bool:
    """Say whether a value is the seconds of a time, such as `21:26:06.775994`."""
    return bool(_SECONDS.fullmatch(candidate.value) and _CLOCK.search(candidate.before))


@lru_cache(maxsize=4096)
def _rate(value: str, *, worldwide: bool) -> tuple[bool, bool]:
    """Say whether a number is valid, and whether it is at least possible, in a numbering plan."""
    import phonenumbers as plan  # noqa: PLC0415 - 70 ms: paid by the first candidate only

    possible = False
    for region in (None,) if value.startswith("+") else _REGIONS[: None if worldwide else 1]:
        try:
            number = plan.parse(value, region)
        except plan.NumberParseException:
            continue
        if plan.is_valid_number(number):
            return True, True
        reason = plan.is_possible_number_with_reason(number)
        possible = possible or reason == plan.ValidationResult.IS_POSSIBLE
    return False, possible


def _prefixes(value: str) -> list[str]:
    """List a value and its beginnings that end at a separator, longest first, six at most."""
    ends = [match.start() for match in _SEPARATOR.finditer(value)]
    cuts = [value, *(value[:end] for end in reversed(ends))]
    return [cut for cut in cuts if _SHORTEST <= sum(map(str.isdigit, cut)) <= _LONGEST][:6]


def _in_row(candidate: Candidate) -> bool:
    """Say whether a number written with spaces stands in a row of numbers."""
    data, start, end, _ = candidate
    if data[start : start + 1] == b"(" or b" " not in data[start:end]:
        return False
    return in_row_before(candidate) or in_row_after(candidate)


def _judge(candidate: Candidate, *, worldwide: bool, fallback: float | None) -> Judged | None:
    """Keep the longest beginning that a numbering plan knows, else rate the whole shape."""
    value, before = candidate.value, candidate.before
    if embedded(candidate) or is_date(value) or _is_seconds(candidate):
        return None
    if (
        value[0] != "+"
        and not _STRONG.search(before)
        and (_OTHER.search(before) or _in_row(candidate))
    ):
        return None
    prefixes = _prefixes(value)
    possible = None
    for prefix in prefixes:
        valid, is_possible = _rate(prefix, worldwide=worldwide)
        if valid:
            return Judged(0.9, length=len(prefix), validated=True)
        possible = possible or (prefix if is_possible else None)
    if possible:
        return Judged(0.7, length=len(possible))
    if fallback is None or not prefixes:
        return None
    return Judged(fallback, length=len(prefixes[0]))


def _judge_international(candidate: Candidate) -> Judged | None:
    return _judge(candidate, worldwide=True, fallback=None)


def _judge_american(candidate: Candidate) -> Judged | None:
    # 555-123-4567 is in no numbering plan, yet nobody writes anything else this way.
    return _judge(candidate, worldwide=False, fallback=0.6)


def _judge_national(candidate: Candidate) -> Judged | None:
    if in_row_before(candidate) or candidate.end - candidate.start > _ROW_LENGTH:
        return None
    found = _judge(candidate, worldwide=True, fallback=None)
    return found if found and found.validated else None


def _judge_named(candidate: Candidate) -> Judged | None:
    """Judge a number that follows a word such as `phone`: the word may vouch for the shape."""
    strong = _STRONG.search(candidate.before) is not None
    separated = _SEPARATOR.search(candidate.value) is not None
    if not (strong or separated) or in_word(candidate):
        return None
    found = _judge(candidate, worldwide=True, fallback=0.5 if strong else None)
    return found if strong or (found and found.validated) else None


_NUMBER = r"[\d().\-/ ]"
# A look into the numbering plans costs a tenth of a millisecond, and the application waits.
_MOST_JUDGED: Final = 200
PHONE_SHAPES: Final = (
    Shape(
        kind="PHONE_NUMBER",
        pattern=rf"\+\(?\d{_NUMBER}{{6,20}}\d",
        judge=_judge_international,
        most_judged=_MOST_JUDGED,
    ),
    Shape(
        kind="PHONE_NUMBER",
        pattern=r"(?:\b1[-. ])?\([2-9]\d{2}\) ?\d{3}[-. ]\d{4}",
        judge=_judge_american,
        most_judged=_MOST_JUDGED,
    ),
    Shape(
        kind="PHONE_NUMBER",
        pattern=rf"{NUMBER_START}((?:1[-. ])?(?:[2-9]\d{{2}}|123)[-. ]\d{{3}}[-. ]\d{{4}})",
        gate=r"\d[-. ]\d{3}[-. ]\d{4}",
        judge=_judge_american,
        most_judged=_MOST_JUDGED,
    ),
    Shape(
        kind="PHONE_NUMBER",
        pattern=r"\(?0\d{1,4}\)?[ ./-]\d{2,8}(?:[ .-]\d{2,5})*",
        judge=_judge_national,
        most_judged=_MOST_JUDGED,
        whole=True,
    ),
    Shape(
        kind="PHONE_NUMBER",
        pattern=rf"(?i)(?:{_WORDS})[^\d+(\n<>]{{0,24}}(\+?\(?\d{_NUMBER}{{5,18}}\d)",
        judge=_judge_named,
        most_judged=_MOST_JUDGED,
    ),
)
