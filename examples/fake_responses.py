"""Put an answer into the shapes of OpenAI's Responses API: the object, and its stream events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fake_answers import JSON, Conversation, Message, Reply, reply
from fake_openai import FIRST_CREATED, frame, identifier, pieces, served, text_of, tools, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def response(body: JSON, number: int) -> JSON:
    """Return the body of `POST /v1/responses`."""
    answer = reply(_conversation(body))
    asked, said = usage_of(body.get("input"), answer)
    return {
        **_in_progress(body, number),
        "status": "completed",
        "completed_at": FIRST_CREATED + number + 1,
        "output": _output(answer, number),
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        },
    }


def response_events(body: JSON, number: int) -> list[JSON]:
    """Return the events of a streamed response, numbered."""
    started = _in_progress(body, number)
    finished = response(body, number)
    events: list[JSON] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
    ]
    for index, item in enumerate(finished["output"]):
        events += _item_events(item, index)
    events.append({"type": "response.completed", "response": finished})
    return [{**event, "sequence_number": order} for order, event in enumerate(events)]


def response_frames(body: JSON, number: int) -> list[str]:
    """Return a streamed response as server-sent events."""
    return [frame(event) for event in response_events(body, number)]


def _in_progress(body: JSON, number: int) -> JSON:
    return {
        "id": identifier("resp_", number, 48),
        "object": "response",
        "created_at": FIRST_CREATED + number,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": served(body),
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def _conversation(body: JSON) -> Conversation:
    given = body.get("input", "")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    instructions = [{"role": "system", "content": body.get("instructions") or ""}]
    wanted = (body.get("text") or {}).get("format") or {}
    schemas: dict[str, JSON | None] = {"json_schema": wanted.get("schema"), "json_object": {}}
    return Conversation(
        messages=tuple(_message(item) for item in [*instructions, *items]),
        tools=tools(body),
        schema=schemas.get(wanted.get("type", "text")),
    )


def _message(item: JSON) -> Message:
    if item.get("type") == "function_call_output":
        return Message(role="tool", text=text_of(item.get("output")))
    return Message(role=str(item.get("role", "assistant")), text=text_of(item.get("content")))


def _output(answer: Reply, number: int) -> list[JSON]:
    if not answer.tool_calls:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
        return [
            {
                "id": identifier("msg_", number, 48),
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        ]
    return [
        {
            "id": identifier(f"fc_{index}", number, 48),
            "type": "function_call",
            "status": "completed",
            "call_id": identifier(f"call_{index}", number, 23),
            "name": call.name,
            "arguments": call.arguments,
        }
        for index, call in enumerate(answer.tool_calls)
    ]


def _item_events(item: JSON, index: int) -> Iterator[JSON]:
    where = {"output_index": index, "item_id": item["id"]}
    is_call = item["type"] == "function_call"
    blank: JSON = {"arguments": ""} if is_call else {"content": []}
    opened = {**item, "status": "in_progress", **blank}
    yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    yield from _call_events(item, where) if is_call else _text_events(item["content"][0], where)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _call_events(item: JSON, where: JSON) -> Iterator[JSON]:
    for piece in pieces(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **where, **done}


def _text_events(part: JSON, where: JSON) -> Iterator[JSON]:
    place = {**where, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}
