"""What LangChain says of a run that starts, and the record it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.errors import GraphInterrupt, ParentCommand
from langgraph.types import Command

from traceai.instrumentors import langchain_calls as calls
from traceai.semconv import Operation


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, None),
        ({"thread_id": ""}, None),
        ({"thread_id": 7}, "7"),
        ({"session_id": "s"}, "s"),
        ({"conversation_id": "c", "thread_id": "t"}, "t"),
    ],
)
def test_a_conversation_is_the_thread(metadata: Any, expected: str | None) -> None:
    assert calls.conversation_of(metadata) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, None),
        ({"prompt_version": "2"}, None),
        ({"prompt_name": "p"}, ("p", None)),
        ({"prompt_name": "p", "prompt_version": 2}, ("p", "2")),
        ({"lc_hub_repo": "p", "lc_hub_owner": "me", "lc_hub_commit_hash": "ab"}, ("me/p", "ab")),
        ({"prompt_name": ["not", "a", "name"]}, None),
    ],
)
def test_a_prompt_has_a_name_or_is_none(metadata: Any, expected: Any) -> None:
    assert calls.prompt_of(metadata) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (None, 0),
        ([], 0),
        (["mine", "seq:step:2"], 2),
        (["seq:step:", "seq:step:x"], 0),
        ([7], 0),
    ],
)
def test_a_step_of_a_sequence_has_a_number(tags: Any, expected: int) -> None:
    assert calls.step_of(tags) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("planner", "planner"),
        ("LangGraph", None),
        ("RunnableSequence", None),
        ("RunnableParallel<a,b>", None),
        ("ChatPromptTemplate", None),
        ("", None),
        (None, None),
    ],
)
def test_the_name_of_a_class_is_no_name(name: Any, expected: str | None) -> None:
    assert calls.given_name(name) == expected


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("openai", "openai"),
        ("azure", "azure.ai.openai"),
        ("google_vertexai", "gcp.vertex_ai"),
        ("mistralai", "mistral_ai"),
        ("amazon_bedrock", "aws.bedrock"),
        ("xai", "x_ai"),
        ("some-new-one", "some-new-one"),
        (None, None),
    ],
)
def test_a_provider_has_the_name_of_the_conventions(said: Any, provider: str | None) -> None:
    found = calls.inference(Operation.CHAT, {"ls_provider": said, "ls_model_name": "m"}, {})
    assert (found.provider, found.request_model) == (provider, "m")


def test_parameters_are_those_of_the_request_and_no_others() -> None:
    params = {
        "model": "m",
        "max_completion_tokens": 10,
        "temperature": 0,
        "top_p": None,
        "n": 2,
        "stop": "end",
        "reasoning_effort": "low",
        "api_key": "secret",
        "user.id": "x",
    }
    found = calls.inference(Operation.CHAT, {}, params)
    assert (found.request_model, found.parameters) == (
        "m",
        {
            "gen_ai.request.max_tokens": 10,
            "gen_ai.request.temperature": 0,
            "gen_ai.request.reasoning.level": "low",
            "gen_ai.request.stop_sequences": ["end"],
            "gen_ai.request.choice.count": 2,
        },
    )


def test_a_tool_definition_has_one_shape() -> None:
    schema = {"type": "object"}
    function = {"name": "add", "description": "Add.", "parameters": schema}
    expected = {"type": "function", **function}
    assert calls.tool_definitions(
        {
            "tools": [
                {"type": "function", "function": function},
                {"name": "add", "description": "Add.", "input_schema": schema},
                {"type": "web_search"},
            ]
        }
    ) == [expected, expected, {"type": "web_search", "name": "web_search"}]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (GraphInterrupt(), True),
        (ParentCommand(Command(goto="x")), True),
        (ValueError(), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_control_flow_is_told_from_errors(error: BaseException, *, expected: bool) -> None:
    assert calls.bubbles_up(error) is expected
