"""The shapes of personal data: e-mail, card, social security, IP, IBAN and account numbers.

Kinds carry Presidio's entity names, so that its users' reports keep their words.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from stdnum import iban, luhn
from stdnum.exceptions import ValidationError
from stdnum.us import ssn

from traceai.evaluators.phone import PHONE_SHAPES, is_date
from traceai.evaluators.shape import (
    NUMBER_START,
    Candidate,
    Judged,
    Shape,
    beginnings,
    embedded,
    in_row_after,
    in_row_before,
    in_word,
)

# Scripts that separate words; without spaces an address would swallow the words before it.
_LETTER = r"\p{Latin}\p{Greek}\p{Cyrillic}"
_FILE_ENDINGS = frozenset(
    ("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "py", "md", "txt", "json")
)
# `git@host:path` names a repository's transport, not a person.
_SERVICE_NAMES = frozenset(("git", "hg", "svn"))
# As cards are printed, one separator throughout; a code or the longest numbers' end may follow.
_CARD_GROUPS = re.compile(
    rb"(\d{4}([ -])(?:\d{4}\2\d{4}\2\d{4}|\d{6}\2\d{4,5}))(?:\2\d{3}(?!\d))?(?!\d)"
)
# All groups that follow belong to the match, so that a table is one candidate a line.
_CARD_ROW = "|".join(
    rf"\d{{4}}{dash}(?:\d{{4}}{dash}\d{{4}}{dash}\d{{4}}|\d{{6}}{dash}\d{{4,5}})(?:{dash}\d+)*"
    for dash in " -"
)
_SPACE = ord(" ")
_CARD_LENGTHS = frozenset((14, 15, 16))
_CARD_STARTS = re.compile(r"4|5[1-5]|2[2-7]|3[47]|3[0689]|6[0245]|35")
_CARD_WORD = re.compile(
    r"card|visa|mastercard|amex|credit|debit|karte|carte|tarjeta|carta|カード|卡"
)
_VERSION_BEFORE = re.compile(
    r"(?:version|ver|\bv|build|release|firmware|section|chapter)[\s:=\\\"']*$"
)
_VERSION_AFTER = re.compile(r"\s*(?:version|release|build)\b")
_SSN_WORD = re.compile(r"ssn|social security|sozialversicherung")
_OTHER_NUMBER = re.compile(
    r"phone|tel|date|time|created|opened|since|updated|year|amount|balance|card|routing|order"
)


def _judge_email(candidate: Candidate) -> Judged | None:
    """Refuse file names and transports; the grammar is the proof of the rest."""
    name, _, domain = candidate.value.replace("%40", "@").rpartition("@")
    if domain.rpartition(".")[2].lower() in _FILE_ENDINGS or name in _SERVICE_NAMES:
        return None
    return Judged(0.95, validated=True)


def _judge_card(candidate: Candidate) -> Judged | None:
    """Accept contiguous digits: an issuer's prefix and length whose check digit holds."""
    if embedded(candidate):
        return None
    return _rate_card(candidate.value, candidate.before)


def _judge_card_groups(candidate: Candidate) -> Judged | None:
    """Accept digits grouped as on a card, unless they stand in a row of numbers.

    A word for card before them allows what follows, such as a date or another card.
    """
    spaced = candidate.data[candidate.start + 4] == _SPACE
    if spaced and in_row_before(candidate):
        return None
    printed = _CARD_GROUPS.match(candidate.data, candidate.start)
    if printed is None:
        return None
    value, before = candidate._replace(end=printed.end()), candidate.before
    if spaced and in_row_after(value) and not _CARD_WORD.search(before):
        return None
    if embedded(value):
        return None
    for end in (printed.end(), printed.end(1)):
        digits = candidate.data[candidate.start : end].replace(printed[2], b"").decode()
        judged = _rate_card(digits, before)
        if judged:
            return judged._replace(length=end - candidate.start)
    return None


def _rate_card(digits: str, before: str) -> Judged | None:
    """Rate digits of a card's grouping; a word for card before them may stand for an issuer."""
    issued = len(digits) in _CARD_LENGTHS and _CARD_STARTS.match(digits) is not None
    named = _CARD_WORD.search(before) is not None
    if not (named or issued) or len(set(digits)) == 1 or "imei" in before:
        # Without a word or an issuer, a run of digits is a time or an id far more often.
        return None
    if luhn.is_valid(digits):
        return Judged(0.95, validated=True)
    return Judged(0.5) if named and issued else None


def _judge_ssn(candidate: Candidate) -> Judged | None:
    """Accept an issued area; a number that says it is an SSN may be of none."""
    if embedded(candidate):
        return None
    digits = re.sub(r"\D", "", candidate.value)
    named = _SSN_WORD.search(candidate.before) is not None
    if ssn.is_valid(digits):
        return Judged(0.95 if named else 0.85, validated=True)
    return Judged(0.6 if named else 0.5) if digits.strip("0") else None


def _judge_ip(candidate: Candidate) -> Judged | None:
    """Accept an address that can belong to someone: no loopback, mask or version."""
    if in_word(candidate) or (":" not in candidate.value and embedded(candidate)):
        return None
    if candidate.data[candidate.end : candidate.end + 1] == b":" and ":" in candidate.value:
        return None
    if not _can_be_someones(candidate.value):
        return None
    if _VERSION_BEFORE.search(candidate.before) or _VERSION_AFTER.match(candidate.after):
        return None
    return Judged(0.9, validated=True)


def _can_be_someones(value: str) -> bool:
    """Say whether a text is an address, and neither this machine nor a mask."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return not (address.is_loopback or value.startswith(("255.", "0.")) or address.is_unspecified)


def _judge_iban(candidate: Candidate) -> Judged | None:
    """Accept the longest beginning, cut at spaces, whose check digits hold."""
    if in_word(candidate):
        return None
    for value in beginnings(candidate, " "):
        if iban.is_valid(value.replace(" ", "")):
            return Judged(0.95, length=len(value), validated=True)
    return Judged(0.5) if "iban" in candidate.before else None


def _judge_account(candidate: Candidate) -> Judged | None:
    """Accept a number that a word for account introduces, unless another word is nearer."""
    value = candidate.value
    if embedded(candidate) or is_date(value):
        return None
    gap = re.split(r"account|acct|a/c|konto|compte|cuenta|conta|conto|rekening", candidate.before)
    if _OTHER_NUMBER.search(gap[-1]):
        return None
    return Judged(0.6)


def _refuse_unknown_itin(candidate: Candidate) -> Judged | None:
    """Accept a taxpayer number's range where no word says that it is a social security number."""
    if embedded(candidate) or _SSN_WORD.search(candidate.before):
        return None
    try:
        from stdnum.us import itin  # noqa: PLC0415 - rarely met

        itin.validate(candidate.value)
    except ValidationError:
        return None
    return Judged(0.86, validated=True)


PERSONAL_SHAPES: Final = (
    Shape(
        kind="EMAIL_ADDRESS",
        pattern=rf"(?:[\pL\pM]{{1,24}}\.[\pL\pM]{{1,24}}[0-9]{{0,4}}|[{_LETTER}0-9._%+-]{{1,64}})"
        rf"(?:@|%40)(?:[{_LETTER}0-9-]{{1,63}}\.){{1,8}}[{_LETTER}]{{2,24}}",
        gate=r"[^\s](?:@|%40)[^\s@]{1,190}\.\pL\pL",
        judge=_judge_email,
    ),
    Shape(
        kind="CREDIT_CARD",
        pattern=rf"{NUMBER_START}(\d{{12,19}})\b",
        gate=r"\d{12}",
        judge=_judge_card,
        whole=True,
    ),
    Shape(
        kind="CREDIT_CARD",
        pattern=rf"{NUMBER_START}({_CARD_ROW})\b",
        gate=r"\d{4}[ -]\d{4,6}[ -]\d{4}",
        judge=_judge_card_groups,
        whole=True,
    ),
    Shape(kind="US_SSN", pattern=r"\d{3}-\d{2}-\d{4}", judge=_judge_ssn),
    Shape(
        kind="US_SSN",
        pattern=r"(?i)(?:ssn|social security)[^\d\n<>]{0,24}(\d{3}[- .]?\d{2}[- .]?\d{4})",
        judge=_judge_ssn,
    ),
    Shape(kind="US_ITIN", pattern=r"9\d{2}-[5-9]\d-\d{4}", judge=_refuse_unknown_itin),
    Shape(
        kind="IP_ADDRESS",
        pattern=r"\d{1,3}(?:\.\d{1,3}){3,}",
        gate=r"\d(?:\.\d{1,3}){2}\.\d",
        judge=_judge_ip,
        whole=True,
    ),
    Shape(
        kind="IP_ADDRESS",
        pattern=(
            r"(?i)[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}"
            r"|(?:[23][0-9a-f]{3}|f[cde][0-9a-f]{2})(?::[0-9a-f]{1,4}){0,6}::?"
            r"(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?"
        ),
        judge=_judge_ip,
    ),
    Shape(
        kind="IBAN_CODE",
        pattern=r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?",
        judge=_judge_iban,
    ),
    Shape(
        kind="US_BANK_NUMBER",
        pattern=(
            r"(?i)(?:accounts?|acct|a/c|kontonummer|konto|compte|cuenta|conta|conto|rekening)"
            r"(?:[^a-z\d\n<>][^\d\n<>]{0,29})?[^a-z\d\n<>](\d(?:[ -]?\d){5,16})"
        ),
        judge=_judge_account,
    ),
    *PHONE_SHAPES,
)
