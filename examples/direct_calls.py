"""The OpenAI SDK without a framework: sync, async, streamed, embeddings, Responses."""

from __future__ import annotations

import asyncio

from openai import AsyncOpenAI, OpenAI

QUESTION = "How long does a refund take?"


def ask(client: OpenAI, question: str = QUESTION, *, model: str = "gpt-4o-mini") -> str:
    """Ask a model, in one call."""
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}]
    )
    return answer.choices[0].message.content or ""


def ask_async(_client: OpenAI) -> str:
    """Ask from a coroutine."""

    async def asked() -> str:
        async with AsyncOpenAI() as client:
            answer = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}]
            )
            return answer.choices[0].message.content or ""

    return asyncio.run(asked())


def ask_streamed(client: OpenAI) -> str:
    """Ask for a stream, and read it to its end."""
    chunks = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def embed(client: OpenAI) -> int:
    """Embed a question; return the number of dimensions."""
    answer = client.embeddings.create(model="text-embedding-3-small", input=QUESTION)
    return len(answer.data[0].embedding)


def respond(client: OpenAI) -> str:
    """Ask through the Responses API."""
    return client.responses.create(model="gpt-4o-mini", input=QUESTION).output_text
