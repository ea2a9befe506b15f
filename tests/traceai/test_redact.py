"""Redaction removes what is found, leaves the rest untouched, and is done once."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.evaluators.detect import detect
from traceai.redact import redact, redact_json

FRAGMENTS = st.sampled_from(
    [
        *("alice@example.com", "+1 (212) 234-4453", "4111 1111 1111 1111", "123-45-6789"),
        *("account 12345678", "account", "password: 'hunter2!Ab'", "203.0.113.9", "iban DE"),
        *("<EMAIL_ADDRESS>", "<PHONE_NUMBER", "secret: ", "phone ", "Bearer ", "555-0123", "0121 "),
        *("é", "日本", " ", "\n", "\\n", ":", "-", ".", "<", ">", "0", "42", "\ud800", '"', "'"),
    ]
)
TEXTS = st.lists(FRAGMENTS | st.text(max_size=6), max_size=12).map("".join)
KEYS = st.sampled_from(["content", "id", "account_number", "password", "phone", "created", "x"])
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text).text
    assert once == redact(once).text


@given(TEXTS)
def test_nothing_is_found_in_what_was_redacted(text: str) -> None:
    assert detect(redact(text).text) == ()


@given(VALUES)
def test_redacting_a_value_twice_changes_nothing(value: Any) -> None:
    before = copy.deepcopy(value)
    once = redact_json(value).value
    twice = redact_json(once)
    assert before == value
    assert (once, {}) == (twice.value, dict(twice.counts))


def test_a_clean_text_comes_back_as_the_same_object() -> None:
    text = "Nothing personal here, only 42 words about the weather in 2026."
    result = redact(text)
    assert result.text is text
    assert dict(result.counts) == {}


def test_findings_become_their_kinds_and_are_counted() -> None:
    result = redact("Mail alice@example.com or bob@example.com, account 000123456789.")
    assert result.text == "Mail <EMAIL_ADDRESS> or <EMAIL_ADDRESS>, account <US_BANK_NUMBER>."
    assert result.counts == {"EMAIL_ADDRESS": 2, "US_BANK_NUMBER": 1}


def test_a_tokenizer_decides_what_stands_in_the_place() -> None:
    seen = []

    def tokenize(kind: str, value: str, /) -> str:
        seen.append((kind, value))
        return f"<{kind}:k1:ABCDEFGH23456723>"

    result = redact("Mail alice@example.com", tokenizer=tokenize)
    assert result.text == "Mail <EMAIL_ADDRESS:k1:ABCDEFGH23456723>"
    assert seen == [("EMAIL_ADDRESS", "alice@example.com")]
    assert result.text == redact(result.text).text


def test_a_tokenizer_that_returns_no_token_is_refused() -> None:
    with pytest.raises(ValueError, match="not a token"):
        redact("alice@example.com", tokenizer=lambda _kind, value: value)


@pytest.mark.parametrize(
    "text",
    [
        "temperature 0.10000000149",
        "at 1712345678901 ms",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "1.2.3.4 version",
        "build 20261124123456",
        "2026-11-24T21:26:00.123456789Z",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        (
            '{"id":"chatcmpl-9xYbQ2kLmN4pRsTuVwXyZ1a2b3c4d",'
            '"created":1712345678,"top_p":0.10000000149}'
        ),
    ],
)
def test_evidence_is_not_corrupted(text: str) -> None:
    assert text == redact(text).text


def test_only_strings_of_a_value_change() -> None:
    value = {
        "id": "4111111111111111",
        "created": 4111111111111111,
        "timestamp": "4111111111111111",
        "ok": True,
        "alice@example.com": None,
        "messages": [{"role": "user", "content": "I am alice@example.com"}],
        "account_number": "12345678",
        "password": "hunter2!Ab",
    }
    result = redact_json(value)
    assert (
        value
        | {
            "messages": [{"role": "user", "content": "I am <EMAIL_ADDRESS>"}],
            "account_number": "<US_BANK_NUMBER>",
            "password": "<GENERIC_SECRET>",
        }
        == result.value
    )
    assert result.counts == {"EMAIL_ADDRESS": 1, "US_BANK_NUMBER": 1, "GENERIC_SECRET": 1}


def test_a_secret_is_removed_even_where_an_id_belongs() -> None:
    secret = "glpat-" + "Ab3dEf6hIj9kLm2nOp5q"
    assert redact_json({"id": secret}).value == {"id": "<GITLAB_TOKEN>"}


def test_a_clean_value_comes_back_as_the_same_object() -> None:
    value = [{"role": "user", "content": "hello"}]
    assert redact_json(value).value is value


def test_json_inside_of_a_string_stays_json() -> None:
    arguments = json.dumps({"note": "line\nalice@example.com\t4111 1111 1111 1111", "n": 1})
    redacted = redact_json({"arguments": arguments}).value["arguments"]
    assert json.loads(redacted) == {"note": "line\n<EMAIL_ADDRESS>\t<CREDIT_CARD>", "n": 1}


def test_what_is_too_deep_to_look_at_is_left_out() -> None:
    value: Any = "alice@example.com"
    for _ in range(100):
        value = [value]
    result = redact_json(value)
    assert "alice" not in json.dumps(result.value)
    assert result.counts == {"TOO_DEEP": 1}
