"""A block of content of any dialect is one part, and no payload of it is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.instrumentors import parts

PNG = {"type": "blob", "modality": "image", "content": "3 bytes", "mime_type": "image/png"}
PDF = {
    "type": "blob",
    "modality": "document",
    "content": "3 bytes",
    "mime_type": "application/pdf",
}
URL = "https://example.com/a.png"
LINK = {"type": "uri", "modality": "image", "uri": URL}


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("hi", parts.text_part("hi")),
        ({"type": "text", "text": "hi"}, parts.text_part("hi")),
        ({"text": "hi"}, parts.text_part("hi")),
        ({"type": "text-plain", "text": "hi"}, parts.text_part("hi")),
        ({"type": "refusal", "refusal": "No."}, {"type": "refusal", "content": "No."}),
        ({"type": "reasoning", "reasoning": "so"}, {"type": "reasoning", "content": "so"}),
        # OpenAI's
        ({"type": "image_url", "image_url": {"url": URL}}, LINK),
        ({"type": "input_image", "image_url": URL}, LINK),
        ({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}, PNG),
        (
            {"type": "input_audio", "input_audio": {"data": "AAA=", "format": "wav"}},
            {
                "type": "blob",
                "modality": "audio",
                "content": "2 bytes",
                "mime_type": "audio/wav",
            },
        ),
        (
            {"type": "file", "file": {"file_id": "f-1"}},
            {"type": "file", "modality": "document", "file_id": "f-1"},
        ),
        ({"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}, PDF),
        # LangChain's
        ({"type": "image", "id": "lc_1", "base64": "AAAA", "mime_type": "image/png"}, PNG),
        ({"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"}, PNG),
        ({"type": "image", "url": URL}, LINK),
        (
            {"type": "file", "source_type": "id", "id": "f-1"},
            {"type": "file", "modality": "document", "file_id": "f-1"},
        ),
        ({"type": "media", "data": b"abc", "mime_type": "application/pdf"}, PDF),
        # Anthropic's
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
            },
            PDF,
        ),
        ({"type": "document", "source": {"type": "text", "data": "hi"}}, parts.text_part("hi")),
        ({"type": "image", "source": {"type": "url", "url": URL}}, LINK),
        # nobody's
        ({"type": "new_kind", "payload": "A" * 1000}, {"type": "new_kind"}),
        ({"type": ["new"]}, {"type": "unknown"}),
        (7, {"type": "unknown"}),
    ],
)
def test_a_block_of_any_dialect_is_a_part(block: Any, expected: Any) -> None:
    assert parts.content_part(block) == expected
    if isinstance(block, dict):
        assert parts.content_part(SimpleNamespace(**block)) == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("found", "found"),
        (None, None),
        ({"a": 1}, {"a": 1}),
        ([{"a": 1}, 2], [{"a": 1}, 2]),
        (["a", {"type": "text", "text": "b"}], [parts.text_part("a"), parts.text_part("b")]),
        ({"type": "computer_screenshot", "image_url": "AAAA"}, {"type": "computer_screenshot"}),
    ],
)
def test_a_tool_answers_with_a_value_or_with_blocks(result: Any, expected: Any) -> None:
    assert parts.response(result) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [('{"a": 1}', {"a": 1}), ("not JSON", "not JSON"), ({"a": 1}, {"a": 1}), (None, None)],
)
def test_the_arguments_of_a_tool_are_a_value_where_they_can_be(given: Any, expected: Any) -> None:
    assert parts.arguments(given) == expected


def test_arguments_nested_too_deep_to_parse_stay_the_text_they_are() -> None:
    deep = "[" * 100_000
    assert parts.arguments(deep) == deep


def test_a_method_is_no_field() -> None:
    assert [parts.read(value, "index") for value in ("text", [1], (1,))] == [None] * 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
FIELDS = ("text", "url", "data", "source", "image_url", "file", "file_id", "summary", "format")


@given(st.sampled_from(sorted(parts._KINDS)), st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_fields_of_any_type_make_a_part(kind: str, fields: dict[str, Any]) -> None:
    assert isinstance(parts.content_part({**fields, "type": kind})["type"], str)
