"""The calls that are measured, as an application writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, OpenAI

from tests.bench.answers import ANSWER, MODEL, PROMPT, TOOLS, answer, answer_later

if TYPE_CHECKING:
    import asyncio

    from langchain_core.messages import BaseMessage

MESSAGES: Any = [
    {"role": "system", "content": "You are the refund desk. Be brief and exact."},
    {"role": "user", "content": PROMPT},
]
Case = Callable[[], object]


class Scripted(BaseChatModel):
    """A model that asks for each tool once, then answers; it costs next to nothing."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": MODEL}  # a model without a name is passed over by some peers

    def bind_tools(self, tools: Any, **_: Any) -> Any:  # noqa: ARG002 - the interface's name
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: Any = None,  # noqa: ARG002
        run_manager: Any = None,  # noqa: ARG002
        **_: Any,
    ) -> ChatResult:
        done = sum(isinstance(each, ToolMessage) for each in messages)
        said = AIMessage(ANSWER, usage_metadata=_used(), response_metadata=_told("stop"))
        if done < len(TOOLS):
            call = {"name": TOOLS[done], "args": {"order": "A-77"}, "id": f"call_{done}"}
            said = AIMessage("", tool_calls=[call], usage_metadata=_used())
        return ChatResult(generations=[ChatGeneration(message=said)])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._generate(messages)


def _used() -> Any:
    return {"input_tokens": 512, "output_tokens": 230, "total_tokens": 742}


def _told(why: str) -> dict[str, str]:
    return {"finish_reason": why, "model_name": MODEL, "model_provider": "openai"}


@tool
def look_up_order(order: str) -> str:
    """Look an order up."""
    return f"{order}: paid, delivered, within the return window. " * 4


@tool
def refund(order: str) -> str:
    """Refund an order."""
    return f"{order}: refunded"


def cases(loop: asyncio.AbstractEventLoop) -> dict[str, Case]:
    """Return every case by its name; asynchronous ones run on `loop`."""
    client = OpenAI(
        api_key="none",
        base_url="http://bench/v1",
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        max_retries=0,
    )
    later = AsyncOpenAI(
        api_key="none",
        base_url="http://bench/v1",
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer_later)),
        max_retries=0,
    )
    asked: Any = {"model": MODEL, "messages": MESSAGES, "temperature": 0.2}
    streamed: Any = {**asked, "stream": True, "stream_options": {"include_usage": True}}
    scripted, real = _agent(Scripted()), _agent(_chat_openai(client, later))
    question: Any = {"messages": [("user", PROMPT)]}
    return {
        "chat": lambda: client.chat.completions.create(**asked),
        "chat async": lambda: loop.run_until_complete(later.chat.completions.create(**asked)),
        "stream": lambda: list(client.chat.completions.create(**streamed)),
        "responses": lambda: client.responses.create(model=MODEL, input=PROMPT),
        "embeddings": lambda: client.embeddings.create(
            model="text-embedding-3-small", input=PROMPT, encoding_format="float"
        ),
        "agent": lambda: scripted.invoke(question),
        "agent async": lambda: loop.run_until_complete(scripted.ainvoke(question)),
        "agent on ChatOpenAI": lambda: real.invoke(question),
    }


def _agent(model: BaseChatModel) -> Any:
    return create_agent(model, tools=[look_up_order, refund], name="refund_desk")


def _chat_openai(client: OpenAI, later: AsyncOpenAI) -> ChatOpenAI:
    return ChatOpenAI(
        model=MODEL,
        client=client.chat.completions,
        async_client=later.chat.completions,
        root_client=client,
        root_async_client=later,
        api_key="none",  # type: ignore[arg-type]
    )
