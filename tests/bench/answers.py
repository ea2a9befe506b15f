"""What the model answers: the same bytes for every peer, from memory, by the client's own seam."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import httpx2

PROMPT = "Please look at the refund of my order and tell me what happens next. " * 30
PROMPT = PROMPT[:2048]
ANSWER = ("The refund was approved and reaches your account within five days. " * 16)[:1024]
MODEL = "gpt-4o-mini"
CHUNKS = 97
TOOLS = ("look_up_order", "refund")
_SAID = {"model": "gpt-4o-mini-2024-07-18", "created": 1_790_000_000}
_USAGE = {"prompt_tokens": 512, "completion_tokens": 230, "total_tokens": 742}


def _chat(message: dict[str, Any], why: str) -> bytes:
    choice = {"index": 0, "finish_reason": why, "logprobs": None, "message": message}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", **_SAID, "usage": _USAGE}
    return json.dumps({**answer, "choices": [choice]}).encode()


def _tool_call(name: str) -> bytes:
    function = {"name": name, "arguments": '{"order": "A-77"}'}
    call = {"id": f"call_{name}", "type": "function", "function": function}
    return _chat({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")


def _events() -> bytes:
    """Return 97 chunks: the role, 94 pieces of the answer, the finish reason, the usage."""
    pieces = CHUNKS - 3
    step = -(-len(ANSWER) // pieces)
    texts = [ANSWER[at * step : (at + 1) * step] for at in range(pieces)]
    said = chain([{"role": "assistant", "content": ""}], ({"content": text} for text in texts))
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", **_SAID}
    chunks: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in said
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**head, "choices": [], "usage": _USAGE})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _response() -> bytes:
    text = {"type": "output_text", "text": ANSWER, "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    usage = {
        "input_tokens": 512,
        "output_tokens": 230,
        "total_tokens": 742,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    answer = {
        "id": "resp_1",
        "object": "response",
        "created_at": _SAID["created"],
        "model": _SAID["model"],
        "status": "completed",
        "output": [{**message, "content": [text]}],
        "usage": usage,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    return json.dumps(answer).encode()


def _embedding() -> bytes:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5] * 64}]
    usage = {"prompt_tokens": 512, "total_tokens": 512}
    said = {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}
    return json.dumps(said).encode()


_ANSWER = _chat({"role": "assistant", "content": ANSWER}, "stop")
_CALLS = [_tool_call(name) for name in TOOLS]
_EVENTS, _RESPONSE, _EMBEDDING = _events(), _response(), _embedding()
_JSON = {"content-type": "application/json", "x-request-id": "req_1"}
_STREAM = {"content-type": "text/event-stream", "x-request-id": "req_1"}


def answer(request: httpx2.Request) -> httpx2.Response:
    """Answer a request of the OpenAI protocol; an agent asks for each tool once, then answers."""
    headers, body = _answer(request.url.path, request.content)
    # A stream: given as content, it would count as read before the client has seen it.
    return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(body))


async def answer_later(request: httpx2.Request) -> httpx2.Response:
    """Answer the asynchronous client."""
    return answer(request)


def _answer(path: str, asked: bytes) -> tuple[dict[str, str], bytes]:
    if path.endswith("/responses"):
        return _JSON, _RESPONSE
    if path.endswith("/embeddings"):
        return _JSON, _EMBEDDING
    if b'"stream":true' in asked:
        return _STREAM, _EVENTS
    done = asked.count(b'"role":"tool"') if b'"tools":' in asked else len(_CALLS)
    return _JSON, [*_CALLS, _ANSWER][done]
