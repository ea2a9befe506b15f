"""Every string of a value is found, with its path, and what holds none to read is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.evaluators.texts import Text, Unread, read_texts


def test_messages_are_read_in_order_with_paths() -> None:
    messages = [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {"content": "ho", "n": 3, "ok": True, "none": None},
    ]
    assert [
        Text("[0].role", None, "role"),
        Text("[0].role", "role", "user"),
        Text("[0].parts", None, "parts"),
        Text("[0].parts[0].type", None, "type"),
        Text("[0].parts[0].type", "type", "text"),
        Text("[0].parts[0].content", None, "content"),
        Text("[0].parts[0].content", "content", "hi"),
        Text("[1].content", None, "content"),
        Text("[1].content", "content", "ho"),
        *(Text(f"[1].{name}", None, name) for name in ("n", "ok", "none")),
    ] == read_texts(messages).texts


def test_a_plain_string_has_no_path() -> None:
    assert [Text("", None, "hello")] == read_texts("hello").texts


def test_a_client_librarys_message_is_read_through_model_dump() -> None:
    class Message:
        def model_dump(self) -> str:
            return "hi"

    assert [Text("", None, "hi")] == read_texts(Message()).texts


def test_a_value_that_holds_itself_ends_and_says_so() -> None:
    loop: list[object] = ["x"]
    loop.append(loop)
    reading = read_texts(loop)
    assert 60 < len(reading.texts) < 70
    assert [left.what for left in reading.unread] == ["too deep"]


@pytest.mark.parametrize(
    ("value", "unread"),
    [
        ([{"role": "user", "parts": [{"type": "blob"}]}], [Unread("[0].parts[0]", "blob")]),
        ([{"content": [{"type": "image", "source": {}}]}], [Unread("[0].content[0]", "image")]),
        ([{"type": "input_image", "image_url": "https://x"}], [Unread("[0]", "input_image")]),
        ({"content": {"type": "audio", "data": "UklGRg=="}}, [Unread(".content", "audio")]),
        ({"raw": b"abc"}, [Unread(".raw", "bytes")]),
        ([object()], [Unread("[0]", "object")]),
        ([{"type": "file", "name": "a.txt"}], []),
        ({"type": ["image"], "at": datetime(2026, 1, 1, tzinfo=UTC), "n": 1.5}, []),
        (range(200), [Unread("", "range")]),
    ],
)
def test_what_cannot_be_read_is_named(value: Any, unread: list[Unread]) -> None:
    assert unread == read_texts(value).unread


def test_what_could_not_be_read_is_listed_up_to_a_hundred() -> None:
    assert len(read_texts([b"x"] * 500).unread) == 100


@pytest.mark.parametrize("value", [None, [], {}, [[]], [None]])
def test_a_value_without_any_value_in_it_is_empty(value: Any) -> None:
    assert read_texts(value).empty


@pytest.mark.parametrize("value", ["", 0, False, [""], {"a": 1}, b"", [b"x"]])
def test_a_value_with_anything_in_it_is_not_empty(value: Any) -> None:
    assert not read_texts(value).empty


@given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
def test_no_string_is_skipped(value: object) -> None:
    def leaves(item: object) -> list[str]:
        if isinstance(item, list):
            return [leaf for inner in item for leaf in leaves(inner)]
        return [str(item)]

    assert leaves(value) == [text.text for text in read_texts(value).texts]
