"""The laws of the engine, whatever the text."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.evaluators import detect as detection
from traceai.evaluators.detect import (
    PII_KINDS,
    SECRET_KINDS,
    detect,
    detect_field,
    gate,
    is_token,
)

if TYPE_CHECKING:
    from traceai.evaluators.shape import Candidate, Judged, Shape

FRAGMENTS = st.sampled_from(
    [
        *("alice@example.com", "+1 (212) 234-4453", "4111 1111 1111 1111", "123-45-6789"),
        *("account 12345678", "password: 'hunter2!Ab'", "203.0.113.9", "<EMAIL_ADDRESS>"),
        *(
            "é",
            "日本",
            " ",
            "\n",
            "\\n",
            ":",
            "-",
            ".",
            "<",
            ">",
            "phone",
            "0",
            "42",
            "\ud800",
            '"',
        ),
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=6), max_size=12).map("".join)


@given(TEXTS)
def test_findings_are_in_order_within_the_text_and_apart(text: str) -> None:
    findings = detect(text)
    assert all(0 <= f.start < f.end <= len(text) for f in findings)
    assert all(low.end <= high.start for low, high in pairwise(findings))


@given(TEXTS)
def test_the_gate_never_misses_what_detection_finds(text: str) -> None:
    named = gate(text.encode("utf-8", "surrogatepass"))
    assert {f.kind for f in detect(text)} <= named


@given(st.binary(max_size=200))
def test_the_gate_takes_any_bytes(data: bytes) -> None:
    assert gate(data) <= PII_KINDS | SECRET_KINDS


@pytest.mark.parametrize("length", range(40, 128))
def test_the_gate_sees_a_value_behind_any_length_byte_of_protobuf(length: int) -> None:
    value = b"4111111111111111".ljust(length)
    assert "CREDIT_CARD" in gate(b"\x0a" + bytes([length]) + value + b"\x4a")


@given(TEXTS)
def test_offsets_count_characters_not_bytes(text: str) -> None:
    lead = "日本é 😀 "
    alone, behind = detect(" " + text), detect(lead + " " + text)
    if text.isascii():
        assert [(f.kind, f.start + len(lead)) for f in alone] == [(f.kind, f.start) for f in behind]


def test_kinds_narrow_the_search() -> None:
    text = "alice@example.com 123-45-6789"
    assert [f.kind for f in detect(text, frozenset({"US_SSN"}))] == ["US_SSN"]


def test_of_overlapping_findings_the_proven_one_stays() -> None:
    text = "account 4111 1111 1111 1111"
    assert [(f.kind, f.validated) for f in detect(text)] == [("CREDIT_CARD", True)]


def test_a_fields_name_says_what_its_value_is() -> None:
    assert detect("12345678") == ()
    (finding,) = detect_field("account_number", "12345678")
    assert (finding.kind, finding.start, finding.end) == ("US_BANK_NUMBER", 0, 8)
    (secret,) = detect_field("password", "hunter2!Ab")
    assert (secret.kind, secret.start, secret.end) == ("GENERIC_SECRET", 0, 10)


def test_a_fields_name_is_not_searched_itself() -> None:
    assert detect_field("alice@example.com", "hello") == ()


HOSTILE = ("1 ", "1-", "1.", "sk-", "4111 ", "1234 ", "0 ", "00 ", "0121 ", "+1 ", "212 ", "DE12 ")


@pytest.mark.parametrize("part", HOSTILE)
def test_the_number_of_judgements_is_bounded_by_the_length(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = count_judgements(monkeypatch)
    text = part * (30_000 // len(part))
    detect(text)
    assert len(judged) <= 100 + 40 * len(text) / 1000


def test_a_table_of_numbers_is_judged_a_few_times_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = count_judgements(monkeypatch)
    random = Random(1)
    detect(
        "\n".join(" ".join(str(random.randrange(10_000)) for _ in range(12)) for _ in range(500))
    )
    assert len(judged) <= 3 * 500


def count_judgements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have every judge note that it was asked."""
    judged: list[str] = []

    def noting(shape: Shape) -> Shape:
        def judge(candidate: Candidate) -> Judged | None:
            judged.append(shape.kind)
            return shape.judge(candidate)

        return replace(shape, judge=judge)

    monkeypatch.setattr(detection, "_SHAPES", tuple(map(noting, detection._SHAPES)))
    return judged


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("<EMAIL_ADDRESS>", True),
        ("<JWT:k1:ABCDEFGHIJKLMN23>", True),
        ("<NOT_A_KIND>", False),
        ("<JWT:k1:short>", False),
        ("<JWT> ", False),
    ],
)
def test_a_token_is_known_by_its_form(*, text: str, token: bool) -> None:
    assert token == is_token(text)


def test_what_redaction_left_is_not_found_again() -> None:
    assert (
        detect("password: <GENERIC_SECRET> and account <US_BANK_NUMBER:k1:ABCDEFGH23456723>") == ()
    )


def test_the_gate_names_the_kinds_that_redaction_has_marked() -> None:
    assert gate(b"a <IBAN_CODE> and <GITLAB_TOKEN:k1:ABCDEFGHIJKLMNOP>") >= {
        "IBAN_CODE",
        "GITLAB_TOKEN",
    }


def test_a_long_list_is_not_looked_up_to_its_end() -> None:
    found = detect("\n".join(f"+1 650-253-{number:04}" for number in range(1000)))
    assert len(found) == 1000
    assert [finding.validated for finding in found].count(True) == 200
