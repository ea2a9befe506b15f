"""Put an answer into the shapes of the OpenAI protocol: bodies, stream events, errors.

Pure: a request's body and its number in, JSON out. The shapes are those of recorded answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from fake_answers import JSON, Conversation, Message, Reply, ToolCall, reply, vector

FIRST_CREATED = 1_795_392_000  # seconds since 1970; answers are numbered from here, one a second
SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
}
REFUSALS = {  # how a model's name ends → status, type, code, message
    "-overloaded": (429, "requests", "rate_limit_exceeded", "Rate limit reached."),
    "-broken": (500, "server_error", None, "The server had an error while processing this."),
    "does-not-exist": (404, "invalid_request_error", "model_not_found", "No such model."),
}


def identifier(prefix: str, number: int, length: int = 29) -> str:
    """Return the id of answer `number`: the same each time, no two alike."""
    noise = base64.b64encode(hashlib.sha512(f"{prefix}{number}".encode()).digest()).decode()
    return prefix + re.sub("[^A-Za-z0-9]", "", noise)[:length]


def error(message: str, kind: str, code: str | None) -> JSON:
    """Return the body of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def refusal(body: JSON) -> tuple[int, JSON] | None:
    """Return status and body of the error that the model's name asks for, if it asks for one."""
    for ending, (status, kind, code, message) in REFUSALS.items():
        if str(body.get("model", "")).endswith(ending):
            return status, error(message, kind, code)
    return None


def models(_body: JSON, _number: int) -> JSON:
    """Return the body of `GET /v1/models`."""
    rows = [
        {"id": name, "object": "model", "created": FIRST_CREATED, "owned_by": "system"}
        for name in (*SNAPSHOTS, "text-embedding-3-small")
    ]
    return {"object": "list", "data": rows}


def embeddings(body: JSON, _number: int) -> JSON:
    """Return the body of `POST /v1/embeddings`, as floats or base64 as asked."""
    given = body.get("input", "")
    several = isinstance(given, list) and not all(isinstance(item, int) for item in given)
    items = given if several else [given]
    vectors = [vector(item, body.get("dimensions") or 1536) for item in items]
    if body.get("encoding_format") == "base64":
        encoded: list[Any] = [
            base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
            for values in vectors
        ]
    else:
        encoded = list(vectors)
    tokens = sum(_tokens(str(item)) for item in items)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": values}
            for index, values in enumerate(encoded)
        ],
        "model": body.get("model"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def chat_completion(body: JSON, number: int) -> JSON:
    """Return the body of a `chat.completion`, with `n` choices."""
    answer = reply(_chat_conversation(body))
    calls = _chat_tool_calls(answer, number)
    message: JSON = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    return {
        "id": identifier("chatcmpl-", number),
        "object": "chat.completion",
        "created": FIRST_CREATED + number,
        "model": served(body),
        "choices": [
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": "tool_calls" if calls else "stop",
            }
            for index in range(body.get("n") or 1)
        ],
        "usage": _chat_usage(body, answer),
        "service_tier": "default",
        "system_fingerprint": "fp_0ba0d124f1",
    }


def chat_chunks(body: JSON, number: int) -> list[JSON]:
    """Return the `chat.completion.chunk`s of a streamed answer, usage last if asked for."""
    answer = reply(_chat_conversation(body))
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def chunk(choices: list[JSON], usage: JSON | None = None) -> JSON:
        made: JSON = {
            "id": identifier("chatcmpl-", number),
            "object": "chat.completion.chunk",
            "created": FIRST_CREATED + number,
            "model": served(body),
            "service_tier": "default",
            "system_fingerprint": "fp_0ba0d124f1",
            "choices": choices,
        }
        return {**made, "usage": usage} if with_usage else made

    deltas = [
        (index, delta, finish)
        for index in range(body.get("n") or 1)
        for delta, finish in _chat_deltas(answer, number)
    ]
    chunks = [
        chunk([{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}])
        for index, delta, finish in deltas
    ]
    return [*chunks, chunk([], _chat_usage(body, answer))] if with_usage else chunks


def chat_frames(body: JSON, number: int) -> list[str]:
    """Return a streamed answer as server-sent events."""
    return [*map(frame, chat_chunks(body, number)), "data: [DONE]\n\n"]


def served(body: JSON) -> str:
    """Return the model that answers: the dated snapshot of the one that was asked for."""
    model = str(body.get("model", ""))
    return SNAPSHOTS.get(model, model)


def pieces(text: str) -> list[str]:
    """Cut a text as a stream does: a word a piece, each with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def frame(event: JSON) -> str:
    """Return one server-sent event, named by its `type` where it has one."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"


def tools(body: JSON) -> dict[str, JSON]:
    """Return the argument schemas of the tools that may be called, by name."""
    described = [tool.get("function", tool) for tool in body.get("tools") or []]
    offered = {tool["name"]: tool.get("parameters") or {} for tool in described if "name" in tool}
    choice = body.get("tool_choice")
    if choice == "none":
        return {}
    if isinstance(choice, Mapping):
        wanted = choice.get("function", choice).get("name")
        return {name: schema for name, schema in offered.items() if name == wanted}
    return offered


def text_of(content: object) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def usage_of(asked: object, answer: Reply) -> tuple[int, int]:
    """Return input and output tokens, about four letters each."""
    said = answer.text + "".join(call.name + call.arguments for call in answer.tool_calls)
    return _tokens(json.dumps(asked)), _tokens(said)


def _chat_conversation(body: JSON) -> Conversation:
    wanted = body.get("response_format") or {}
    schemas: dict[str, JSON | None] = {
        "json_schema": (wanted.get("json_schema") or {}).get("schema"),
        "json_object": {},
    }
    return Conversation(
        messages=tuple(
            Message(role=str(item.get("role")), text=text_of(item.get("content")))
            for item in body.get("messages") or []
        ),
        tools=tools(body),
        schema=schemas.get(wanted.get("type", "text")),
    )


def _chat_tool_calls(answer: Reply, number: int) -> list[JSON]:
    def call(index: int, made: ToolCall) -> JSON:
        function = {"name": made.name, "arguments": made.arguments}
        name = identifier(f"call_{index}", number, 23)
        return {"id": name, "type": "function", "function": function}

    return [call(index, made) for index, made in enumerate(answer.tool_calls)]


def _chat_deltas(answer: Reply, number: int) -> Iterator[tuple[JSON, str | None]]:
    yield {"role": "assistant", "content": None if answer.tool_calls else "", "refusal": None}, None
    for piece in pieces(answer.text):
        yield {"content": piece}, None
    for index, call in enumerate(_chat_tool_calls(answer, number)):
        arguments = call["function"]["arguments"]
        opened = {**call["function"], "arguments": ""}
        yield {"tool_calls": [{"index": index, **call, "function": opened}]}, None
        for piece in pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None
    yield {}, "tool_calls" if answer.tool_calls else "stop"


def _chat_usage(body: JSON, answer: Reply) -> JSON:
    asked, said = usage_of(body.get("messages"), answer)
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _tokens(text: str) -> int:
    return max(1, len(text) // 4)
