"""The agent, in LangChain: a planner with two tools, a retriever, and a chain that summarises."""

from __future__ import annotations

from operator import mul
from typing import TYPE_CHECKING

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings  # noqa: TC002 - pydantic reads the annotation
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

import traceai

if TYPE_CHECKING:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun

PLANNER_PROMPT = traceai.Prompt(
    name="support-refund",
    version="7",
    template="You answer questions about refunds. Look up the order and the policy first.",
)
SUMMARY_TEMPLATE = "Summarise this answer for the ticket, in one sentence: {answer}"
SUMMARY_PROMPT = traceai.Prompt(name="support-summary", version="2", template=SUMMARY_TEMPLATE)
ORDERS = {"A-1001": "Order A-1001: one kettle, delivered last week, paid by card."}
PAGES = (
    "Refunds are given within a month of delivery, to the card that paid.",
    "Shipping of a parcel takes two working days.",
    "A gift card does not expire.",
)


@tool("look_up_order")
def _look_up_order(order_id: str) -> str:
    """Say what was ordered, and whether it was delivered."""
    return ORDERS.get(order_id, f"There is no order {order_id}.")


@tool("refund_policy")
def _refund_policy(question: str) -> str:
    """Quote what the handbook says about refunds."""
    # Texts are sent as they are: counting tokens first would fetch a vocabulary over the network.
    embedder = OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False)
    pages = Handbook(embedder=embedder).invoke(question)
    return " ".join(page.page_content for page in pages)


class Handbook(BaseRetriever):
    """Retrieve the page of the handbook that is nearest to a question."""

    embedder: Embeddings

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager  # there is nothing to say between start and end
        asked, *vectors = self.embedder.embed_documents([query, *PAGES])
        nearness = [sum(map(mul, asked, vector)) for vector in vectors]
        nearest = nearness.index(max(nearness))
        return [Document(page_content=PAGES[nearest], id=f"page-{nearest}")]


def answer_refund_question(question: str) -> str:
    """Plan, call the tools, answer; then summarise the answer for the ticket."""
    planner = create_agent(
        ChatOpenAI(model="gpt-4o-mini"),
        tools=[_look_up_order, _refund_policy],
        system_prompt=PLANNER_PROMPT.template,
        name="refund-planner",
    )
    messages = planner.invoke({"messages": [{"role": "user", "content": question}]})["messages"]
    return _summarise(str(messages[-1].content))


def _summarise(answer: str) -> str:
    chain = (
        ChatPromptTemplate.from_template(SUMMARY_TEMPLATE)
        | ChatOpenAI(model="gpt-4o-mini", stream_usage=True)
        | StrOutputParser()
    )
    with traceai.context(prompt=SUMMARY_PROMPT):
        return "".join(chain.stream({"answer": answer}))
