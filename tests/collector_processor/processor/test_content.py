"""What was said, in every dialect, as text for the evaluators."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.processor.content import (
    TARGETS,
    has_content,
    is_readable,
    read_content,
)
from collector_processor.processor.decode import decode_request
from collector_processor.processor.tree import plant

if TYPE_CHECKING:
    from collector_processor.processor.tree import Node


class Planter:
    """Plants one span."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def __call__(self, **attributes: Any) -> Node:
        span = self._otlp.span("call", attributes=attributes)
        [node] = plant(decode_request(self._otlp.request(span), self._otlp.NOW_NS)).nodes
        return node


@pytest.fixture(scope="session")
def planted(otlp: Any) -> Planter:
    return Planter(otlp)


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
PARTS = [
    {
        "role": "assistant",
        "finish_reason": "stop",
        "parts": [
            {"type": "text", "content": "yes"},
            {"type": "tool_call", "id": "call-1", "name": "pay", "arguments": {"sum": 3.5}},
            {"type": "blob", "mime_type": "image/png", "content": "iVBORw0KGgo="},
        ],
    }
]
READ = "yes\npay\n3.5"


@pytest.mark.parametrize(
    ("attributes", "target", "expected"),
    [
        ({**CHAT, "gen_ai.output.messages": json.dumps(PARTS)}, "output", READ),
        ({**CHAT, "gen_ai.output.messages": PARTS}, "output", READ),
        ({**CHAT, "gen_ai.output.messages": "plain words"}, "output", "plain words"),
        ({**CHAT, "gen_ai.output.messages": '"quoted"'}, "output", "quoted"),
        ({**CHAT, "gen_ai.output.messages": '[{"content": "cut off he'}, "output",
         '[{"content": "cut off he'),
        ({**CHAT, "gen_ai.system_instructions": "be kind", "gen_ai.input.messages": "hello"},
         "input", "be kind\nhello"),
        ({"gen_ai.operation.name": "execute_tool",
          "gen_ai.tool.call.arguments": '{"to": "a@b.example", "deep": [1, {"flag": true}]}'},
         "arguments", "a@b.example\n1"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.result": "done"},
         "result", "done"),
        ({"gen_ai.operation.name": "retrieval",
          "gen_ai.retrieval.documents": '[{"id": "7", "content": "a page", "score": 0.5}]'},
         "documents", "a page\n0.5"),
        ({"llm.model_name": "m", "openinference.span.kind": "LLM",
          "llm.output_messages.0.message.role": "assistant",
          "llm.output_messages.0.message.content": "first",
          "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call-1",
          "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "pay",
          "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"sum": 3}',
          "llm.output_messages.1.message.role": "assistant",
          "llm.output_messages.1.message.content": "second"},
         "output", "first\n3\npay\nsecond"),
        ({"gen_ai.system": "OpenAI", "llm.request.type": "chat",
          "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "asked",
          "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "again"},
         "input", "asked\nagain"),
    ],
)  # fmt: skip
def test_what_was_said_is_read_without_its_structure(
    planted: Planter, attributes: dict[str, Any], target: str, expected: str
) -> None:
    node = planted(**attributes)
    assert has_content(node, target)
    assert read_content(node, target) == expected


def test_flattened_messages_are_read_in_the_order_of_their_numbers(planted: Planter) -> None:
    messages = {f"llm.input_messages.{n}.message.content": f"m{n}" for n in (10, 2, 0, 11, 1, 9)}
    kind = {"openinference.span.kind": "LLM", "llm.input_messages.0.message.role": "user"}
    node = planted(**kind, **messages)
    assert read_content(node, "input") == "m0\nm1\nm2\nm9\nm10\nm11"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "attributes",
    [
        CHAT,
        {**CHAT, "gen_ai.output.messages": "", "gen_ai.input.messages": []},
        {**CHAT, "gen_ai.tool.call.arguments": {}},
    ],
)
def test_what_was_not_captured_is_not_there(
    planted: Planter, attributes: dict[str, Any], target: str
) -> None:
    node = planted(**attributes)
    assert not has_content(node, target)
    assert read_content(node, target) == ""


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, list | dict) and bool(value))
)
def test_every_text_is_read_in_order_whatever_is_around_it(planted: Planter, said: Any) -> None:
    node = planted(**CHAT, **{"gen_ai.output.messages": json.dumps(said)})
    assert read_content(node, "output") == "\n".join(texts(said))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [] if isinstance(value, bool) or value is None else [str(value)]


@pytest.mark.parametrize("depth", [1, 33, 500, 100_000])
def test_no_depth_hides_what_was_said(planted: Planter, depth: int) -> None:
    said = "[" * depth + '"deep"' + "]" * depth
    node = planted(**CHAT, **{"gen_ai.output.messages": said})
    assert "deep" in read_content(node, "output")


TOOL = {"gen_ai.operation.name": "execute_tool"}
STRUCTURE = {"id": "an id", "type": "a type", "role": "a role", "index": "an index"}


@pytest.mark.parametrize(
    ("attributes", "target"),
    [
        ({**TOOL, "gen_ai.tool.call.arguments": json.dumps(STRUCTURE)}, "arguments"),
        ({**TOOL, "gen_ai.tool.call.arguments": STRUCTURE}, "arguments"),
        ({**TOOL, "gen_ai.tool.call.result": json.dumps([STRUCTURE])}, "result"),
        ({**CHAT, "gen_ai.output.messages": json.dumps(
            [{"role": "a role", "parts": [{"type": "tool_call", "arguments": STRUCTURE}]}])},
         "output"),
        ({**CHAT, "gen_ai.input.messages": json.dumps(
            [{"role": "tool", "parts": [{"type": "tool_call_response", "response": STRUCTURE}]}])},
         "input"),
        ({"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": json.dumps(
            [{"id": "7", "content": "a page", "metadata": STRUCTURE}])}, "documents"),
    ],
)  # fmt: skip
def test_keys_of_an_application_are_no_structure(
    planted: Planter, attributes: dict[str, Any], target: str
) -> None:
    text = read_content(planted(**attributes), target)
    assert [value for value in STRUCTURE.values() if value not in text] == []


def test_a_blob_among_arguments_is_text_like_any_other(planted: Planter) -> None:
    given = json.dumps({"type": "blob", "content": "hidden"})
    assert "hidden" in read_content(
        planted(**TOOL, **{"gen_ai.tool.call.arguments": given}), "arguments"
    )


def parts(*given: dict[str, Any]) -> str:
    return json.dumps([{"role": "assistant", "parts": given}])


PICTURE = {"type": "blob", "modality": "image", "content": "AAAA"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("words", True),
        ('"words"', True),
        (parts({"type": "text", "content": "words"}), True),
        (parts(PICTURE, {"type": "text", "content": "words"}), True),
        (parts({"type": "tool_call", "name": "pay"}), True),
        ([{"role": "assistant", "parts": [{"type": "text", "content": "words"}]}], True),
        (b"words", True),
        (parts(PICTURE), False),
        (parts(PICTURE, PICTURE), False),
        (parts({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}), False),
        (parts(), False),
        (parts({"type": "text", "content": ""}), False),
        ([{"role": "assistant", "parts": [PICTURE]}], False),
        ("[]", False),
    ],
)
def test_what_holds_no_text_is_not_readable(planted: Planter, said: Any, *, expected: bool) -> None:
    node = planted(**CHAT, **{"gen_ai.output.messages": said})
    assert has_content(node, "output")
    assert is_readable(node, "output") is expected


def test_flattened_messages_without_a_text_are_not_readable(planted: Planter) -> None:
    role = {"llm.output_messages.0.message.role": "assistant"}
    node = planted(**{"openinference.span.kind": "LLM"}, **role)
    assert has_content(node, "output")
    assert not is_readable(node, "output")


def test_half_a_character_in_what_was_said_is_replaced(planted: Planter) -> None:
    node = planted(**CHAT, **{"gen_ai.output.messages": r'["a\ud800"]'})
    assert read_content(node, "output") == "a\ufffd"
