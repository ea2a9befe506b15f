"""Every shape in which LangChain takes a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import StringPromptValue

from traceai.instrumentors.langchain_messages import message_of, messages_of, parts_of


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


CIRCULAR: dict[str, Any] = {}
CIRCULAR["me"] = CIRCULAR
CALL = {"type": "tool_call", "id": "c1", "name": "add", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("hi", said("user", "hi")),
        (("user", "hi"), said("user", "hi")),
        (("human", "hi"), said("user", "hi")),
        ({"role": "system", "content": "hi"}, said("system", "hi")),
        ({"type": "ai", "content": "hi"}, said("assistant", "hi")),
        (HumanMessage("hi"), said("user", "hi")),
        (SystemMessage("hi"), said("system", "hi")),
        (AIMessage("hi"), said("assistant", "hi")),
        (ChatMessage("hi", role="critic"), said("critic", "hi")),
        (FunctionMessage("hi", name="f"), said("tool", "hi")),
        (
            AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}]),
            {"role": "assistant", "parts": [CALL]},
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}],
            },
            {"role": "assistant", "parts": [CALL]},
        ),
        (
            ToolMessage("3", tool_call_id="c1"),
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "3"}],
            },
        ),
        (
            {"role": "tool", "tool_call_id": "c1", "content": "3"},
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": "3"}],
            },
        ),
        (
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": '{"a":1}'}}],
            },
            {"role": "assistant", "parts": [CALL]},
        ),
        ({"role": "assistant", "tool_calls": 7}, {"role": "assistant", "parts": []}),
        (
            ToolMessage([{"type": "image", "base64": "AAAA"}, "ok"], tool_call_id="c1"),
            {
                "role": "tool",
                "parts": [
                    {
                        "type": "tool_call_response",
                        "id": "c1",
                        "response": [
                            {"type": "blob", "modality": "image", "content": "3 bytes"},
                            {"type": "text", "content": "ok"},
                        ],
                    }
                ],
            },
        ),
        ({"a": 1}, said("user", '{"a":1}')),
        ({("a", "b"): 1}, said("user", json.dumps("{('a', 'b'): 1}"))),
        (CIRCULAR, said("user", json.dumps("{'me': {...}}"))),
        (7, said("user", "7")),
    ],
)
def test_a_message_of_any_shape_is_one_of_the_conventions(message: Any, expected: Any) -> None:
    assert message_of(message) == expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("hi", {"type": "text", "content": "hi"}),
        ({"type": "text", "text": "hi"}, {"type": "text", "content": "hi"}),
        ({"type": "reasoning", "reasoning": "so"}, {"type": "reasoning", "content": "so"}),
        ({"type": "thinking", "thinking": "so"}, {"type": "reasoning", "content": "so"}),
        (
            {"type": "reasoning", "summary": [{"text": "a"}, {"text": "b"}]},
            {"type": "reasoning", "content": "a\nb"},
        ),
        ({"type": "new_kind", "x": "A" * 99}, {"type": "new_kind"}),
    ],
)
def test_a_block_of_any_shape_is_a_part(block: Any, expected: Any) -> None:
    assert parts_of([block]) == [expected]


def test_a_tool_call_is_told_once() -> None:
    block: Any = {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}}
    calls: Any = [{"name": "add", "args": {"a": 1}, "id": "c1"}]
    assert message_of(AIMessage([block], tool_calls=calls))["parts"] == [CALL]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("hi", [said("user", "hi")]),
        ({"messages": ["hi", AIMessage("yes")]}, [said("user", "hi"), said("assistant", "yes")]),
        ({"messages": HumanMessage("hi")}, [said("user", "hi")]),
        ([("system", "a"), ("user", "b")], [said("system", "a"), said("user", "b")]),
        (("user", "hi"), [said("user", "hi")]),
        (StringPromptValue(text="hi"), [said("user", "hi")]),
        ({"question": "hi"}, [said("user", '{"question":"hi"}')]),
        (
            {"found": [Document(page_content="d", metadata={"p": 1})]},
            [said("user", '{"found":[{"content":"d","metadata":{"p":1}}]}')],
        ),
    ],
)
def test_the_input_of_a_chain_or_agent_is_a_list_of_messages(value: Any, expected: Any) -> None:
    assert messages_of(value) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(JSON)
def test_whatever_is_said_can_be_told_and_is_left_as_it_was(value: Any) -> None:
    before = repr(value)
    told = messages_of(value)
    assert repr(value) == before
    assert told is None or all(isinstance(message["role"], str) for message in told)
