"""The fake provider under LangChain, over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

if TYPE_CHECKING:
    from fake_provider import FakeProvider

NO_KEY = SecretStr("none")
QUESTION: list[Any] = [{"role": "user", "content": "When does order A-1001 come?"}]


@tool
def look_up_order(order_id: str) -> str:
    """Say where an order is."""
    return f"Order {order_id} has been delivered."


async def test_a_langchain_agent_plans_calls_its_tool_and_answers(provider: FakeProvider) -> None:
    model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key=NO_KEY)
    agent: Any = create_agent(model, tools=[look_up_order])
    asked = {"messages": QUESTION}
    for result in (agent.invoke(asked), await agent.ainvoke(asked)):
        kinds = [message.type for message in result["messages"]]
        assert kinds == ["human", "ai", "tool", "ai"]
        assert "Order A-1001 has been delivered." in result["messages"][-1].content


def test_langchain_streams_and_embeds(provider: FakeProvider) -> None:
    model = ChatOpenAI(
        model="gpt-4o-mini", base_url=provider.base_url, api_key=NO_KEY, stream_usage=True
    )
    embedder = OpenAIEmbeddings(
        model="text-embedding-3-small",
        base_url=provider.base_url,
        api_key=NO_KEY,
        check_embedding_ctx_length=False,
    )
    pieces = list(model.stream("Summarise: a refund."))
    assert "".join(str(piece.content) for piece in pieces).startswith("Summary:")
    assert any(piece.usage_metadata for piece in pieces)
    assert len(embedder.embed_query("refund")) == 1536
