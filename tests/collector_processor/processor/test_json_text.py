from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.processor.json_text import parse_json, whole_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_a_whole_json_text_is_opened_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


@given(st.recursive(
    st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE00F)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_whatever_is_opened_can_be_written(value: object) -> None:
    opened = parse_json(json.dumps(value))
    assert json.dumps(opened, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("broken", ["", "{", "[" * 100_000, "[1", "nul", "9" * 5000])
def test_what_cannot_be_opened_is_one_kind_of_error(broken: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(broken)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ""), ("a", "a"), ("a\ud800b", "a\ufffdb"), ("\U0001f600", "\U0001f600")],
)
def test_half_a_character_is_replaced(text: str, expected: str) -> None:
    assert whole_text(text) == expected
