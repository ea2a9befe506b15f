"""Redaction removes what is found, leaves the rest untouched, and is done once."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.evaluators.detect import SECRET_KINDS, detect
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
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text).text
    assert once == redact(once).text


@given(TEXTS)
def test_nothing_is_found_in_what_was_redacted(text: str) -> None:
    assert detect(redact(text).text) == ()


NUMBERS = st.lists(
    st.sampled_from(
        [
            *("4111 1111 1111 1111", "4111111111111111", "5555-5555-5555-4444", "212 234 4453"),
            *("card", "phone", "<CREDIT_CARD>", "0121 234 5202", "123-45-6789", "203.0.113.9"),
        ]
    )
    | st.integers(0, 9999).map(str),
    max_size=20,
)


@given(NUMBERS, st.sampled_from([" ", "-", "  ", "\t", "\n", ", "]))
def test_redacting_numbers_twice_changes_nothing(numbers: list[str], separator: str) -> None:
    once = redact(separator.join(numbers)).text
    assert once == redact(once).text


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


HEX = st.integers(0, 2**128 - 1).map("{:032x}".format)
WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=20)
SECONDS = st.integers(10**9, 2 * 10**9)
MOMENTS = st.datetimes(datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2099-12-31"))
IDS_AND_TIMES = st.one_of(
    st.uuids().map(str),
    st.text("0123456789", min_size=32, max_size=32).map(lambda digits: str(UUID(digits))),
    HEX,
    HEX.map(lambda digits: f"00-{digits}-{digits[:16]}-01"),
    st.builds("{}{}".format, st.sampled_from(("call_", "toolu_", "chatcmpl-", "run-")), WORDS),
    MOMENTS.map(datetime.isoformat),
    MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC).isoformat()),
    MOMENTS.map("{:%Y-%m-%d}".format),
    SECONDS.map(str),
    st.builds("{}.{:06}".format, SECONDS, st.integers(0, 999_999)),
    st.builds("{}{:03}".format, SECONDS, st.integers(0, 999)),
    st.builds("{}{:09}".format, SECONDS, st.integers(0, 999_999_999)),
)
NAMING_KEYS = st.sampled_from(
    (
        *("id", "call_id", "tool_call_id", "session_id", "contact_id", "phone_id", "message_id"),
        *("date", "time", "timestamp", "created_at", "expires_at", "model", "version", "status"),
    )
)


@given(NAMING_KEYS, IDS_AND_TIMES)
def test_ids_and_times_stay_under_the_keys_that_name_them(key: str, text: str) -> None:
    assert redact_json({key: text}).value == {key: text}


@pytest.mark.parametrize("key", ["id", "date", "session_id", "role", "type", "status", "name"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("jane.doe@acme.com", "EMAIL_ADDRESS"),
        ("+1 415 555 2671", "PHONE_NUMBER"),
        ("123-45-6789", "US_SSN"),
        ("4111 1111 1111 1111", "CREDIT_CARD"),
        ("glpat-" + "Ab3dEf6hIj9kLm2nOp5q", "GITLAB_TOKEN"),
    ],
)
def test_no_key_hides_what_a_user_wrote_under_it(key: str, text: str, kind: str) -> None:
    message = {"role": "user", "parts": [{key: text, "arguments": {key: text}}]}
    parts = [{key: f"<{kind}>", "arguments": {key: f"<{kind}>"}}]
    assert redact_json([message]).value == [{"role": "user", "parts": parts}]


def test_strings_and_keys_of_a_value_change_and_nothing_else() -> None:
    value = {
        "created": 4111111111111111,
        "version": "1.2.3.4",
        "ok": True,
        "alice@example.com": None,
        "messages": [{"role": "user", "content": "I am alice@example.com"}],
        "account_number": "12345678",
        "password": "hunter2!Ab",
    }
    result = redact_json(value)
    assert result.value == {
        "created": 4111111111111111,
        "version": "1.2.3.4",
        "ok": True,
        "<EMAIL_ADDRESS>": None,
        "messages": [{"role": "user", "content": "I am <EMAIL_ADDRESS>"}],
        "account_number": "<US_BANK_NUMBER>",
        "password": "<GENERIC_SECRET>",
    }
    assert result.counts == {"EMAIL_ADDRESS": 2, "US_BANK_NUMBER": 1, "GENERIC_SECRET": 1}


def test_keys_that_become_equal_are_numbered() -> None:
    value = {"a@x.com": 1, "<EMAIL_ADDRESS>#2": 2, "b@x.com": 3, "c@x.com": 4, 5: 5}
    assert redact_json(value).value == {
        "<EMAIL_ADDRESS>": 1,
        "<EMAIL_ADDRESS>#2": 2,
        "<EMAIL_ADDRESS>#3": 3,
        "<EMAIL_ADDRESS>#4": 4,
        5: 5,
    }


def test_kinds_narrow_what_is_replaced_and_a_key_says_what_the_value_is() -> None:
    text = "hunter2!Ab"
    assert redact(text).text == text
    assert redact(text, key="password", kinds=SECRET_KINDS).text == "<GENERIC_SECRET>"
    assert redact("alice@example.com", kinds=SECRET_KINDS).text == "alice@example.com"
    assert redact_json(["alice@example.com"], kinds=SECRET_KINDS).value == ["alice@example.com"]


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
