"""What LangChain says of a run that ends, and the answer it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, Generation
from langgraph.types import Command

from traceai.call import Inference, ToolExecution, Usage
from traceai.instrumentors import langchain_answers as answers
from traceai.semconv import Operation


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        ("stop", "stop"),
        ("tool_calls", "tool_call"),
        ("function_call", "tool_call"),
        ("tool_use", "tool_call"),
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("a_new_one", "a_new_one"),
    ],
)
def test_a_finish_reason_has_the_name_of_the_conventions(native: str, expected: str) -> None:
    call = Inference()
    message = AIMessage("x", response_metadata={"finish_reason": native})
    answers.answer(call, [ChatGeneration(message=message)], {}, content=False)
    assert (call.finish_reasons, call.output_messages) == ([expected], None)


def test_what_the_client_beneath_has_seen_stays() -> None:
    usage = Usage(input_tokens=1, output_tokens=1)
    call = Inference(response_id="r", response_model="m", finish_reasons=["stop"], usage=usage)
    metadata = {"id": "other", "model_name": "other", "finish_reason": "length"}
    answers.answer(
        call, [ChatGeneration(message=AIMessage("x", response_metadata=metadata))], {}, content=True
    )
    assert (call.response_id, call.response_model) == ("r", "m")
    assert (call.finish_reasons, call.usage) == (["stop"], usage)


def test_usage_counts_cached_and_reasoning_tokens() -> None:
    call = Inference()
    counted: Any = {
        "input_tokens": 10,
        "output_tokens": 6,
        "total_tokens": 16,
        "input_token_details": {"cache_read": 4, "cache_creation": 2},
        "output_token_details": {"reasoning": 3},
    }
    message = AIMessage("x", usage_metadata=counted, id="lc_run--made-up")
    answers.answer(call, [ChatGeneration(message=message)], {}, content=False)
    assert call.response_id is None
    assert call.usage == Usage(
        input_tokens=10,
        output_tokens=6,
        cache_read_input_tokens=4,
        cache_write_input_tokens=2,
        reasoning_output_tokens=3,
    )


def test_a_text_completion_is_told_by_its_output() -> None:
    call = Inference(operation=Operation.TEXT_COMPLETION)
    output = {"token_usage": {"prompt_tokens": 3, "completion_tokens": 2}, "model_name": "m"}
    answers.answer(call, [Generation(text="hi")], output, content=True)
    assert (call.response_model, call.usage) == ("m", Usage(input_tokens=3, output_tokens=2))
    assert call.output_messages == [
        {"role": "assistant", "parts": [{"type": "text", "content": "hi"}]}
    ]


MESSAGE = ToolMessage("3", tool_call_id="c1")


@pytest.mark.parametrize(
    ("output", "result", "error"),
    [
        (3, 3, None),
        (None, None, None),
        (MESSAGE, "3", None),
        (Command(update={"messages": [MESSAGE]}), "3", None),
        (ToolMessage("no", tool_call_id="c1", status="error"), "no", "tool_error"),
        (
            ToolMessage([{"type": "image", "base64": "AAAA"}], tool_call_id="c1"),
            [{"type": "blob", "modality": "image", "content": "3 bytes"}],
            None,
        ),
    ],
)
def test_the_result_of_a_tool_is_what_the_model_is_told(
    output: Any, result: Any, error: str | None
) -> None:
    call = ToolExecution(name="add")
    answers.tool_result(call, output, content=True)
    assert (call.result, call.error_type) == (result, error)


def test_documents_are_told_in_order_with_what_is_known_of_them() -> None:
    found = [
        Document(page_content="a", metadata={"relevance_score": 0.0, "id": "x"}),
        Document(page_content="b", id="y"),
    ]
    assert answers.documents(found) == [
        {
            "id": "x",
            "score": 0.0,
            "content": "a",
            "metadata": {"relevance_score": 0.0, "id": "x"},
        },
        {"id": "y", "content": "b"},
    ]
    assert answers.documents("no documents") is None


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (None, None),
        ("three", [{"role": "assistant", "parts": [{"type": "text", "content": "three"}]}]),
        ({"a": 1}, [{"role": "assistant", "parts": [{"type": "text", "content": '{"a":1}'}]}]),
        (
            {"messages": ["one", AIMessage("three")]},
            [{"role": "assistant", "parts": [{"type": "text", "content": "three"}]}],
        ),
    ],
)
def test_an_agent_answers_with_its_last_message(output: Any, expected: Any) -> None:
    assert answers.final_messages(output) == expected
