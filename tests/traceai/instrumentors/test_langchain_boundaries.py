"""Where spans stand in the tree, and whose context is current where."""

from __future__ import annotations

import asyncio
import pickle
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, CallbackManager
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from opentelemetry import context as otel
from opentelemetry import trace
from scripted import (
    PLANNER_TREE,
    QUESTION,
    THREAD,
    ScriptedModel,
    Shelf,
    Traced,
    Tree,
    add_async,
    app_span,
    ask_for,
    planner,
)

import traceai

if TYPE_CHECKING:
    from collections.abc import Callable

CHAT: Tree = ["chat scripted-1", [["http", []]]]


def lookup() -> Any:
    """Return a chain: two branches side by side, a prompt, a model, the application's own code."""
    model = ScriptedModel(answers=[AIMessage("three of them")])
    branches = RunnableParallel(found=Shelf(), question=RunnablePassthrough())
    prompt = ChatPromptTemplate.from_messages([("user", "{question} {found}")])
    return branches | prompt | model | RunnableLambda(_own_step) | StrOutputParser()


def _own_step(value: Any) -> Any:
    with app_span("step"):
        return value


LOOKUP_TREE: Tree = ["invoke_workflow", [["retrieval", [["db", []]]], CHAT, ["step", []]]]


def invoke(runnable: Any, given: Any) -> None:
    before = otel.get_current()
    runnable.invoke(given, THREAD)
    assert otel.get_current() == before


def stream(runnable: Any, given: Any) -> None:
    before = otel.get_current()
    for _ in runnable.stream(given, THREAD):
        assert otel.get_current() == before
    assert otel.get_current() == before


def ainvoke(runnable: Any, given: Any) -> None:
    async def run() -> None:
        before = otel.get_current()
        await runnable.ainvoke(given, THREAD)
        assert otel.get_current() == before

    asyncio.run(run())


def astream(runnable: Any, given: Any) -> None:
    async def run() -> None:
        before = otel.get_current()
        async for _ in runnable.astream(given, THREAD):
            assert otel.get_current() == before
        assert otel.get_current() == before

    asyncio.run(run())


def astream_events(runnable: Any, given: Any) -> None:
    async def run() -> None:
        async for _ in runnable.astream_events(given, THREAD, version="v2"):
            assert not trace.get_current_span().get_span_context().is_valid

    asyncio.run(run())


def stream_messages(runnable: Any, given: Any) -> None:
    for _ in runnable.stream(given, THREAD, stream_mode="messages"):
        assert not trace.get_current_span().get_span_context().is_valid


WAYS: list[Callable[[Any, Any], None]] = [invoke, stream, ainvoke, astream, astream_events]


@pytest.mark.parametrize("way", WAYS)
def test_a_chain_is_one_tree_however_it_is_run(
    traced: Traced, way: Callable[[Any, Any], None]
) -> None:
    way(lookup(), "How many?")
    assert traced.trees == [LOOKUP_TREE]


@pytest.mark.parametrize("way", [invoke, stream, stream_messages])
def test_an_agent_is_one_tree_however_it_is_run(
    traced: Traced, way: Callable[[Any, Any], None]
) -> None:
    way(planner(), QUESTION)
    assert traced.trees == [PLANNER_TREE]


@pytest.mark.parametrize("way", [ainvoke, astream, astream_events])
def test_an_asynchronous_agent_is_the_same_tree(
    traced: Traced, way: Callable[[Any, Any], None]
) -> None:
    way(planner(tools=[add_async]), QUESTION)
    assert traced.trees == [PLANNER_TREE]


@pytest.mark.parametrize("way", WAYS)
def test_a_model_alone_is_one_span(traced: Traced, way: Callable[[Any, Any], None]) -> None:
    way(ScriptedModel(answers=[AIMessage("It is three.")]), "How many?")
    assert traced.trees == [CHAT]


def test_each_input_of_a_batch_is_a_trace(traced: Traced) -> None:
    lookup().batch(["a", "b", "c"])
    asyncio.run(lookup().abatch(["d", "e"]))
    assert traced.trees == [LOOKUP_TREE] * 5


def test_a_span_of_the_application_around_a_call_is_its_parent(traced: Traced) -> None:
    model = ScriptedModel(answers=[AIMessage("It is three.")])

    def step(value: Any) -> Any:
        with app_span("step"):
            return model.invoke(value)

    with app_span("request"):
        (RunnablePassthrough() | RunnableLambda(step)).invoke("How many?")
    assert traced.trees == [["request", [["invoke_workflow", [["step", [CHAT]]]]]]]


def test_an_agent_within_a_tool_is_beneath_the_tool(traced: Traced) -> None:
    @tool
    def ask(question: str) -> str:
        """Ask another agent."""
        said = planner(name="inner").invoke(QUESTION, THREAD)
        return str(said["messages"][-1].text) + question

    model = ScriptedModel(answers=[ask_for("ask", {"question": "?"}), AIMessage("It is.")])
    outer = planner(name="outer", tools=[ask], model=model)
    outer.invoke(QUESTION, THREAD)
    asyncio.run(outer.ainvoke(QUESTION, {"configurable": {"thread_id": "other"}}))
    inner = ["invoke_agent inner", PLANNER_TREE[1]]
    assert traced.trees == [["invoke_agent outer", [CHAT, ["execute_tool ask", [inner]], CHAT]]] * 2


class Counting(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_llm_start(self, *_: Any, **__: Any) -> None:
        self.seen.append("start")

    async def on_llm_end(self, *_: Any, **__: Any) -> None:
        self.seen.append("end")

    async def on_chain_start(self, *_: Any, **__: Any) -> None:
        self.seen.append("chain")


def graph(name: str | None, node: Any) -> Any:
    built = StateGraph(dict)
    built.add_node("node", node)
    built.add_edge(START, "node")
    built.add_edge("node", END)
    return built.compile(name=name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inner", [["invoke_agent outer", [["invoke_agent inner", [["step", []]]]]]]),
        (None, [["invoke_agent outer", [["step", []]]]]),
    ],
)
def test_a_graph_within_a_graph_has_a_span_if_it_has_a_name(
    traced: Traced, name: str | None, expected: list[Tree]
) -> None:
    graph("outer", graph(name, _own_step)).invoke({"x": 1})
    assert traced.trees == expected


def test_identity_given_in_a_node_reaches_the_call_and_wins(traced: Traced) -> None:
    model = ScriptedModel(answers=[AIMessage("It is three.")])

    def node(state: Any) -> Any:
        with traceai.context(user="u-1", session="ours"):
            model.invoke("How many?")
        return state

    graph("outer", node).invoke({"x": 1}, {"metadata": {"thread_id": "theirs", "user.id": "x"}})
    assert [
        (a["user.id"], a["gen_ai.conversation.id"]) for a in traced.attributes("chat scripted-1")
    ] == [("u-1", "ours")]
    assert [
        (a.get("user.id"), a["gen_ai.conversation.id"])
        for a in traced.attributes("invoke_agent outer")
    ] == [(None, "theirs")]


def test_two_runs_from_one_configuration_are_told_apart(traced: Traced) -> None:
    inner, chain = graph("inner", _own_step), RunnablePassthrough() | RunnableLambda(_own_step)

    def node(state: Any, config: RunnableConfig) -> Any:
        inner.invoke(state, config)
        chain.invoke(state, config)
        return inner.invoke(state, config)

    graph("outer", node).invoke({"x": 1})
    agent: Tree = ["invoke_agent inner", [["step", []]]]
    assert traced.trees == [["invoke_agent outer", [agent, ["step", []], agent]]]


@pytest.mark.parametrize("runnable", [graph("outer", _own_step), RunnableLambda(_own_step)])
def test_a_manager_of_the_application_is_joined_and_its_handlers_are_told(
    traced: Traced, runnable: Any
) -> None:
    counting = Counting()
    runnable.invoke({"x": 1}, {"callbacks": CallbackManager(handlers=[counting])})
    assert len(traced.outcomes) == 1
    assert counting.seen == ["chain"]


async def test_handlers_of_the_application_are_told_of_text_completions(traced: Traced) -> None:
    counting = Counting()
    model = FakeListLLM(responses=["It is three."])
    await model.ainvoke("How many?", {"callbacks": [counting]})
    assert counting.seen == ["start", "end"]
    assert traced.outcomes == [("text_completion", "completed")]


def test_the_handler_travels_with_a_configuration_that_is_copied(traced: Traced) -> None:
    handler = CallbackManager.configure().handlers[0]
    assert deepcopy(handler) is handler
    assert type(pickle.loads(pickle.dumps(handler))) is BaseCallbackHandler
    assert traced.outcomes == []
