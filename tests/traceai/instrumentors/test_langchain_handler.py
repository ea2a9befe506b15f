"""What the spans of LangChain runs say, and how they end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tools import ToolException, tool
from langgraph.types import Command, interrupt
from opentelemetry import context as otel
from opentelemetry.trace import StatusCode
from scripted import QUESTION, THREAD, ScriptedModel, Shelf, Traced, ask_for, planner

from traceai.semconv import ContentState

SLOW_S = 30.0
MODEL = "chat scripted-1"
CONTENT = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions")


def answering(*texts: str, **options: Any) -> ScriptedModel:
    return ScriptedModel(answers=[AIMessage(text) for text in texts], **options)


def failing() -> ScriptedModel:
    return ScriptedModel(answers=[ValueError("the card 4111 1111 1111 1111")])


def test_a_model_run_says_what_was_asked_and_answered(traced: Traced) -> None:
    model = answering("It is three.").bind(temperature=0.5, stop=["."], tools=[{"name": "add"}])
    model.invoke("How many?", {"metadata": {"ls_provider": "openai", "thread_id": "t-1"}})
    said: Any = traced.attributes(MODEL)[0]
    content = {key: json.loads(said.pop(key)) for key in CONTENT}
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scriptedmodel",
        "gen_ai.request.model": "scripted-1",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": (".",),
        "gen_ai.response.id": "resp-1",
        "gen_ai.response.model": "scripted-1-0601",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.conversation.id": "t-1",
        "traceai.content.state": "full",
        "traceai.outcome": "completed",
    }
    parts = [{"type": "text", "content": "It is three."}]
    assert content == {
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "How many?"}]}
        ],
        "gen_ai.output.messages": [{"role": "assistant", "parts": parts, "finish_reason": "stop"}],
        "gen_ai.tool.definitions": [{"type": "function", "name": "add"}],
    }


def test_a_streamed_answer_says_the_same_and_when_it_began(traced: Traced) -> None:
    assert [chunk.text for chunk in answering("It is three.").stream("How many?")]
    said = traced.attributes(MODEL)[0]
    assert said["gen_ai.request.stream"] is True
    assert 0 <= said["gen_ai.response.time_to_first_chunk"] < SLOW_S
    assert said["gen_ai.usage.output_tokens"] == 5
    assert said["gen_ai.response.id"] == "resp-1"
    assert '"content":"It is three."' in said["gen_ai.output.messages"]


def test_a_tool_run_says_its_call_arguments_and_result(traced: Traced) -> None:
    planner().invoke(QUESTION, THREAD)
    said = traced.attributes("execute_tool add")
    assert [
        (
            tool["gen_ai.tool.call.id"],
            tool["gen_ai.tool.call.arguments"],
            tool["gen_ai.tool.call.result"],
            tool["gen_ai.agent.name"],
            tool["gen_ai.conversation.id"],
        )
        for tool in sorted(said, key=lambda tool: tool["gen_ai.tool.call.id"])
    ] == [
        ("call-1", '{"a":1,"b":2}', "3", "planner", "thread-1"),
        ("call-2", '{"a":1,"b":3}', "4", "planner", "thread-1"),
    ]
    agent = traced.attributes("invoke_agent planner")[0]
    assert json.loads(agent["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "It is three."}]}
    ]
    asked = [a["gen_ai.response.finish_reasons"] for a in traced.attributes(MODEL)]
    assert asked == [("tool_call",), ("stop",)]


def test_a_retriever_run_says_what_it_found(traced: Traced) -> None:
    Shelf().invoke("sums")
    said = traced.attributes("retrieval")[0]
    assert said["gen_ai.retrieval.query.text"] == "sums"
    assert json.loads(said["gen_ai.retrieval.documents"]) == [
        {"id": "d1", "score": 0.9, "content": "Sums", "metadata": {"score": 0.9}},
        {"id": "d2", "content": "Products"},
    ]


def test_a_named_prompt_is_named_on_the_call_that_follows(traced: Traced) -> None:
    prompt = ChatPromptTemplate.from_messages([("user", "{q}")])
    prompt.metadata = {"lc_hub_repo": "sums", "lc_hub_commit_hash": "ab12"}
    (prompt | answering("It is three.")).invoke({"q": "How many?"})
    answering("x").invoke("y", {"metadata": {"prompt_name": "direct", "prompt_version": 3}})
    assert [
        (said["gen_ai.prompt.name"], said["gen_ai.prompt.version"])
        for said in traced.attributes(MODEL)
    ] == [("sums", "ab12"), ("direct", "3")]


def test_a_prompt_that_merely_ran_before_is_not_the_prompt_of_a_call(traced: Traced) -> None:
    prompt = ChatPromptTemplate.from_messages([("user", "{q}")])
    prompt.metadata = {"prompt_name": "sums"}

    def both(value: dict[str, str]) -> Any:
        prompt.invoke(value)
        return answering("It is three.").invoke("another question")

    (RunnablePassthrough() | RunnableLambda(both)).invoke({"q": "How many?"})
    assert "gen_ai.prompt.name" not in traced.attributes(MODEL)[0]


def test_no_key_of_the_metadata_becomes_an_attribute(traced: Traced) -> None:
    spoofed = {"user.id": "x", "gen_ai.request.model": "x", "traceai.policy.id": "x", "route": "x"}
    answering("It is three.").invoke("How many?", {"metadata": spoofed})
    assert "x" not in traced.attributes(MODEL)[0].values()


def test_an_answer_from_the_cache_says_so(traced: Traced) -> None:
    model = answering("It is three.", cache=InMemoryCache())
    model.invoke("How many?")
    model.invoke("How many?")
    assert [a.get("traceai.cache.status") for a in traced.attributes(MODEL)] == [None, "hit"]


def test_text_completions_are_spans_sync_async_and_streamed(traced: Traced) -> None:
    model = FakeListLLM(responses=["It is three."])
    model.invoke("How many?")
    asyncio.run(model.ainvoke("How many?"))
    assert traced.outcomes == [("text_completion", "completed")] * 2


@pytest.mark.parametrize("traced", [ContentState.NONE], indirect=True)
def test_nothing_that_was_said_leaves_where_content_is_off(traced: Traced) -> None:
    planner().invoke(QUESTION, THREAD)
    with pytest.raises(ValueError, match="card"):
        failing().invoke("How many?")
    ours = [span for span in traced.spans if span.name not in ("http", "work")]
    everything = json.dumps([dict(span.attributes or {}) for span in ours])
    told = [span.status.description for span in ours]
    assert [word for word in ("three", "1 + 2", "4111", '"a"') if word in everything] == []
    assert set(told) == {None}


def test_nothing_is_recorded_where_silence_was_asked_for(traced: Traced) -> None:
    token = otel.attach(otel.set_value("suppress_instrumentation", value=True))
    planner().invoke(QUESTION, THREAD)
    Shelf().invoke("sums")
    assert list(answering("It is three.").stream("How many?"))
    otel.detach(token)
    assert traced.outcomes == []


def test_an_error_arrives_unchanged_and_ends_every_span_it_passes(traced: Traced) -> None:
    with pytest.raises(ValueError, match="card") as caught:
        planner(model=failing()).invoke(QUESTION, THREAD)
    assert traced.outcomes == [("invoke_agent planner", "error"), (MODEL, "error")]
    assert caught.value.args == ("the card 4111 1111 1111 1111",)
    assert {a["error.type"] for a in traced.attributes(MODEL)} == {"ValueError"}
    assert [s.status.status_code for s in traced.spans if s.name == MODEL] == [StatusCode.ERROR]


def test_a_fallback_is_two_siblings(traced: Traced) -> None:
    chain = failing().with_fallbacks([answering("It is three.")])
    chain.invoke("How many?")
    asyncio.run(chain.ainvoke("How many?"))
    assert list(chain.stream("How many?"))
    tried = [("invoke_workflow", "completed"), (MODEL, "error"), (MODEL, "completed")]
    assert traced.outcomes == tried * 3


@tool
def refuse(a: int) -> int:
    """Refuse to work."""
    raise ToolException(f"no {a}")


def test_a_tool_error_is_an_error_even_when_the_model_is_told(traced: Traced) -> None:
    model = ScriptedModel(answers=[ask_for("refuse", {"a": 1}), AIMessage("No.")])
    told = refuse.model_copy(update={"handle_tool_error": True})
    planner(model=model, tools=[told]).invoke(QUESTION, THREAD)
    with pytest.raises(ToolException):
        planner(model=model, tools=[refuse]).invoke(QUESTION, THREAD)
    tools = traced.attributes("execute_tool refuse")
    raised = "langchain_core.tools.base.ToolException"
    assert [said["error.type"] for said in tools] == ["tool_error", raised]
    assert [said["traceai.outcome"] for said in tools] == ["error", "error"]


@tool
def confirm(a: int) -> str:
    """Ask a human."""
    return f"{interrupt('may I?')} {a}"


def test_an_interrupt_is_no_error_and_the_run_goes_on_after_it(traced: Traced) -> None:
    model = ScriptedModel(answers=[ask_for("confirm", {"a": 1}), AIMessage("Done.")])
    agent = planner(model=model, tools=[confirm])
    agent.invoke(QUESTION, THREAD)
    before = traced.outcomes
    agent.invoke(Command(resume="yes"), THREAD)
    assert before == [
        ("invoke_agent planner", "completed"),
        (MODEL, "completed"),
        ("execute_tool confirm", "cancelled"),
    ]
    assert traced.outcomes[3:] == [
        ("invoke_agent planner", "completed"),
        ("execute_tool confirm", "completed"),
        (MODEL, "completed"),
    ]
    assert {span.status.status_code for span in traced.spans} == {StatusCode.UNSET}
