"""What cannot be read of a run costs no span, and reaches nobody: these run as in production."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import scripted
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import StructuredTool
from opentelemetry.trace import NoOpTracer
from scripted import ScriptedModel, Traced

from traceai.errors import guard


class Mute:
    """An object of the application's that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__

    @property
    def content(self) -> str:
        raise RuntimeError

    type = "mute"


CIRCULAR: dict[str, Any] = {}
CIRCULAR["me"] = CIRCULAR
DEEP: list[Any] = []
for _ in range(5_000):
    DEEP = [DEEP]
VALUES: list[Any] = [
    {"rows": {(1, 2): 3}},
    CIRCULAR,
    DEEP,
    Mute(),
    {"mute": Mute()},
    {"messages": [Mute(), 7]},
    {"messages": Mute()},
    {"role": 7, "content": Mute()},
    ToolMessage([{"type": "text"}, {"type": "image"}], tool_call_id="c"),
    float("nan"),
]


@pytest.fixture(autouse=True)
def production(reraise: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del reraise
    monkeypatch.setattr(guard, "reraise", False)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_chain_that_returns_anything_has_its_span(value: Any, traced: Traced) -> None:
    chain = RunnableLambda(lambda _: value)
    assert chain.invoke("x") is value
    assert asyncio.run(chain.ainvoke("x")) is value
    assert traced.outcomes == [("invoke_workflow", "completed")] * 2


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_chain_that_is_given_anything_has_its_span(value: Any, traced: Traced) -> None:
    assert RunnableLambda(lambda given: given is value).invoke(value)
    assert traced.outcomes == [("invoke_workflow", "completed")]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_tool_that_returns_anything_has_its_span(value: Any, traced: Traced) -> None:
    tool = StructuredTool.from_function(lambda: value, name="t", description="Return it.")
    assert tool.invoke({}) is value
    assert traced.outcomes == [("execute_tool t", "completed")]


class Odd(BaseRetriever):
    value: Any

    def _get_relevant_documents(self, *_: Any, **__: Any) -> Any:
        return self.value


@pytest.mark.parametrize(
    "value", [*VALUES, [Document(page_content="x", metadata={"a": Mute()}), 7, Mute()]]
)
def test_a_retriever_that_finds_anything_has_its_span(value: Any, traced: Traced) -> None:
    assert Odd(value=value).invoke("sums") is value
    assert traced.outcomes == [("retrieval", "completed")]


class Strange(BaseChatModel):
    message: Any

    @property
    def _llm_type(self) -> str:
        return "strange"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.message)])


@pytest.mark.parametrize(
    "message",
    [
        AIMessage([{"type": 7}, "x", {"type": "image", "base64": 7}]),
        AIMessage("x", response_metadata={"finish_reason": ["stop"], "id": 7, "model_name": {}}),
        AIMessage("x", response_metadata={"token_usage": "many"}),
        AIMessage("x", response_metadata={"token_usage": {"prompt_tokens": {}, "completion": 1}}),
        AIMessage("x", additional_kwargs={"refusal": 7}, id="7"),
    ],
)
def test_a_model_that_answers_anything_has_its_span(
    message: AIMessage, traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    assert Strange(message=message).invoke("x") == message
    assert traced.outcomes == [("chat", "completed")]
    assert [each for each in caplog.records if each.name.startswith("opentelemetry")] == []


def test_what_cannot_be_written_is_named_by_its_type(traced: Traced) -> None:
    RunnableLambda(lambda _: {"a": 1, "b": Mute()}).invoke("x")
    (said,) = json.loads(traced.attributes("invoke_workflow")[0]["gen_ai.output.messages"])
    assert said["parts"] == [{"type": "text", "content": '{"a":1,"b":"<Mute>"}'}]


def test_a_processor_of_the_application_that_fails_reaches_nobody(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    model = ScriptedModel(answers=[AIMessage("It is three.")])
    chain = RunnableLambda(lambda _: model.invoke("How many?").text)
    tracer: Any = traced.instrumentation.recorder.tracer
    for moment in ("on_start", "on_end"):
        with monkeypatch.context() as patch:
            patch.setattr(tracer.span_processor, moment, fail)
            # The application's own span is its own concern.
            patch.setattr(scripted, "APP", [NoOpTracer()])
            assert chain.invoke("x") == "It is three."
    assert traced.outcomes == []
