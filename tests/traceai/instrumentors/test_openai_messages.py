"""How each part of OpenAI's protocols is said in the GenAI conventions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from traceai.instrumentors import openai_messages as messages


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": "c-1", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("given", "role", "parts"),
    [
        ({"role": "system", "content": "Be kind."}, "system", [messages.text_part("Be kind.")]),
        ({"role": "developer", "content": "Hi"}, "developer", [messages.text_part("Hi")]),
        (
            {"role": "assistant", "content": None, "tool_calls": [call("look", '{"a": 1}')]},
            "assistant",
            [{"type": "tool_call", "id": "c-1", "name": "look", "arguments": {"a": 1}}],
        ),
        (
            {"role": "assistant", "tool_calls": [call("look", "not JSON")]},
            "assistant",
            [{"type": "tool_call", "id": "c-1", "name": "look", "arguments": "not JSON"}],
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "c-2", "custom": {"name": "sql", "input": "select 1"}}],
            },
            "assistant",
            [{"type": "tool_call", "id": "c-2", "name": "sql", "arguments": "select 1"}],
        ),
        (
            {"role": "tool", "tool_call_id": "c-1", "content": "found"},
            "tool",
            [{"type": "tool_call_response", "id": "c-1", "response": "found"}],
        ),
        (
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}],
            },
            "user",
            [{"type": "uri", "modality": "image", "uri": "https://x/y"}],
        ),
        (
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAA="}},
                    {"type": "new_kind", "payload": "A" * 1000},
                ],
            },
            "user",
            [
                {
                    "type": "blob",
                    "modality": "audio",
                    "content": "3 bytes",
                    "mime_type": "audio/wav",
                },
                {"type": "file", "modality": "document", "file_id": "file-1"},
                {
                    "type": "blob",
                    "modality": "document",
                    "content": "2 bytes",
                    "mime_type": "application/pdf",
                },
                {"type": "new_kind"},
            ],
        ),
        (
            {"role": "assistant", "content": "So.", "reasoning_content": "Hm.", "refusal": "No."},
            "assistant",
            [
                {"type": "reasoning", "content": "Hm."},
                messages.text_part("So."),
                {"type": "refusal", "content": "No."},
            ],
        ),
    ],
)
def test_a_chat_message_is_translated(given: Any, role: str, parts: list[Any]) -> None:
    assert messages.chat_messages([given]) == [{"role": role, "parts": parts}]
    assert messages.chat_messages([SimpleNamespace(**given)]) == [{"role": role, "parts": parts}]


@pytest.mark.parametrize(
    ("item", "role", "parts"),
    [
        ({"role": "user", "content": "Hi"}, "user", [messages.text_part("Hi")]),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            "user",
            [messages.text_part("Hi")],
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
            "assistant",
            [{"type": "tool_call", "id": "c", "name": "look", "arguments": {}}],
        ),
        (
            {"type": "function_call_output", "call_id": "c", "output": "found"},
            "tool",
            [{"type": "tool_call_response", "id": "c", "response": "found"}],
        ),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            "assistant",
            [{"type": "reasoning", "content": "Hm."}],
        ),
        (
            {"type": "image_generation_call", "id": "i", "status": "completed", "result": {"A": 1}},
            "assistant",
            [
                {
                    "type": "server_tool_call",
                    "id": "i",
                    "name": "image_generation",
                    "server_tool_call": {"type": "image_generation_call", "status": "completed"},
                }
            ],
        ),
        (
            {"type": "item_reference", "id": "r"},
            "assistant",
            [{"type": "item_reference", "id": "r"}],
        ),
    ],
)
def test_an_item_of_a_response_is_translated(item: Any, role: str, parts: list[Any]) -> None:
    assert messages.response_input([item]) == [{"role": role, "parts": parts}]


def test_an_iterator_is_not_consumed() -> None:
    given = iter([{"role": "user", "content": "Hi"}])
    assert messages.chat_messages(given) is None
    assert messages.response_input(given) is None
    assert len(list(given)) == 1
