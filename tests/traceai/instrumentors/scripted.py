"""A chat model whose answers are known, tools, agents, and a reader of the spans they make."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry import trace

from traceai.attributes import Content
from traceai.instrumentors.langchain import LangChainInstrumentation
from traceai.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from traceai.semconv import ContentState

QUESTION: Any = {"messages": [{"role": "user", "content": "What is 1 + 2?"}]}
THREAD: Any = {"configurable": {"thread_id": "thread-1"}}
Tree = list[Any]


def app_span(name: str) -> Any:
    """Open a span as an application would, on whatever provider the test has made current."""
    return APP[0].start_as_current_span(name)


APP: list[trace.Tracer] = [trace.NoOpTracer()]


class ScriptedModel(BaseChatModel):
    """Answer from a list, over and over, with an application's HTTP span beneath each request.

    `pause` is awaited in each asynchronous one.
    """

    answers: list[Any]
    model_name: str = "scripted-1"
    pause: Any = None
    asked: list[int] = []  # noqa: RUF012 - pydantic copies defaults

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        named = [{"type": "function", "function": {"name": tool.name}} for tool in tools]
        return self.bind(tools=named)

    def _answer(self) -> AIMessage:
        self.asked.append(1)
        answer = self.answers[(len(self.asked) - 1) % len(self.answers)]
        if isinstance(answer, BaseException):
            raise answer
        return AIMessage(
            answer.content,
            tool_calls=answer.tool_calls,
            usage_metadata={"input_tokens": 7, "output_tokens": 5, "total_tokens": 12},
            response_metadata={
                "model_name": "scripted-1-0601",
                "id": "resp-1",
                "finish_reason": "tool_calls" if answer.tool_calls else "stop",
            },
        )

    async def _pause(self) -> None:
        if self.pause is not None:
            await self.pause()

    def _generate(self, *_: Any, **__: Any) -> Any:
        with app_span("http"):
            return ChatResult(generations=[ChatGeneration(message=self._answer())])

    async def _agenerate(self, *_: Any, **__: Any) -> Any:
        with app_span("http"):
            await self._pause()
            return ChatResult(generations=[ChatGeneration(message=self._answer())])

    def _stream(self, *_: Any, **__: Any) -> Iterator[Any]:
        with app_span("http"):
            answer = self._answer()
        calls: Any = [
            {"name": c["name"], "args": json.dumps(c["args"]), "id": c["id"], "index": n}
            for n, c in enumerate(answer.tool_calls)
        ]
        words = answer.text.split()
        yield _chunk(content=words[0] if words else "", tool_call_chunks=calls)
        for word in words[1:]:
            yield _chunk(content=" " + word)
        metadata = answer.response_metadata
        yield _chunk(content="", usage_metadata=answer.usage_metadata, response_metadata=metadata)

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        for chunk in self._stream():
            await self._pause()
            yield chunk


class Standstill:
    """Where code stands still for ever, and where a test can wait until it does."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


def _chunk(**said: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(**said))


class Shelf(BaseRetriever):
    """Two documents, found with an application's database span beneath."""

    def _get_relevant_documents(self, *_: Any, **__: Any) -> list[Document]:
        with app_span("db"):
            return [
                Document(page_content="Sums", id="d1", metadata={"score": 0.9}),
                Document(page_content="Products", id="d2"),
            ]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    with app_span("work"):
        return a + b


@tool("add")
async def add_async(a: int, b: int) -> int:
    """Add two numbers."""
    with app_span("work"):
        await asyncio.sleep(0)
        return a + b


def ask_for(name: str, *arguments: dict[str, Any]) -> AIMessage:
    """Return an answer that asks for one tool, once for each of `arguments`."""
    calls: Any = [
        {"name": name, "args": given, "id": f"call-{number}"}
        for number, given in enumerate(arguments, 1)
    ]
    return AIMessage("", tool_calls=calls)


def planner(*, tools: Any = None, model: Any = None, name: str | None = "planner") -> Any:
    """Return an agent that asks for two sums at once, then answers."""
    answers = [ask_for("add", {"a": 1, "b": 2}, {"a": 1, "b": 3}), AIMessage("It is three.")]
    return create_agent(
        model or ScriptedModel(answers=answers),
        tools or [add],
        name=name,
        checkpointer=InMemorySaver(),
    )


PLANNER_TREE: Tree = [
    "invoke_agent planner",
    [
        ["chat scripted-1", [["http", []]]],
        ["execute_tool add", [["work", []]]],
        ["execute_tool add", [["work", []]]],
        ["chat scripted-1", [["http", []]]],
    ],
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """LangChain under instrumentation, and the spans that came of it."""

    instrumentation: LangChainInstrumentation
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> list[ReadableSpan]:
        """Return the finished spans in the order of their start."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def trees(self) -> list[Tree]:
        """Return `[name, [children]]` of each root."""
        return self._beneath(None)

    @property
    def outcomes(self) -> list[tuple[str, Any]]:
        """Return name and outcome of our spans, in the order of their start."""
        ours = [span for span in self.spans if "traceai.outcome" in (span.attributes or {})]
        return [(span.name, (span.attributes or {})["traceai.outcome"]) for span in ours]

    def attributes(self, name: str) -> list[dict[str, Any]]:
        """Return the attributes of the spans of a name."""
        return [dict(span.attributes or {}) for span in self.spans if span.name == name]

    def _beneath(self, parent: int | None) -> list[Tree]:
        children = [s for s in self.spans if (s.parent.span_id if s.parent else None) == parent]
        return [[s.name, self._beneath(s.context.span_id)] for s in children if s.context]


def trace_langchain(
    provider: TracerProvider, exporter: InMemorySpanExporter, state: ContentState
) -> Traced:
    """Instrument LangChain with a recorder of `provider`."""
    content = Content(state=state, digest=lambda text: f"digest of {len(text)}")
    APP[0] = provider.get_tracer("app")
    instrumentation = LangChainInstrumentation(Recorder(provider.get_tracer("traceai"), content))
    instrumentation.apply()
    return Traced(instrumentation=instrumentation, exporter=exporter)
