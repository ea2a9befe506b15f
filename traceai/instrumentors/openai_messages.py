"""Translate messages of OpenAI's protocols into messages of the GenAI conventions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from traceai.instrumentors.parts import (
    blob,
    content_parts,
    listed,
    read,
    read_text,
    reasoning_part,
    refusal_part,
    text_part,
    tool_call,
    tool_response,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traceai.call import Message, Part


def chat_messages(messages: Any) -> list[Message] | None:
    """Translate the `messages` of a chat request; None when there are none."""
    return [_chat_message(message) for message in listed(messages)] or None


def chat_choice(choice: Any) -> Message:
    """Translate one choice of a chat answer; its message is null where a filter took it."""
    message = read(choice, "message")
    role = read_text(message, "role") or "assistant"
    said: Message = {"role": role, "parts": chat_parts(message)}
    if reason := read_text(choice, "finish_reason"):
        said["finish_reason"] = finish_reason(reason)
    return said


def finish_reason(native: str) -> str:
    """Return the convention's word for a finish reason, or the native one where it has none."""
    return "tool_call" if native in {"tool_calls", "function_call"} else native


def chat_parts(message: Any) -> list[Part]:
    """Translate a chat message, asked or answered, without its role."""
    parts: list[Part] = []
    if thought := read_text(message, "reasoning_content"):
        parts.append(reasoning_part(thought))
    parts += content_parts(read(message, "content"))
    if refusal := read(message, "refusal"):
        parts.append(refusal_part(refusal))
    if audio := read(message, "audio"):
        parts.append(_answered_audio(audio))
    parts += [chat_call(call) for call in listed(read(message, "tool_calls"))]
    if function := read(message, "function_call"):
        parts.append(_function(None, function))
    return parts


def chat_call(call: Any) -> Part:
    """Translate one item of a chat message's `tool_calls`."""
    if (custom := read(call, "custom")) is not None:
        return tool_call(read(call, "id"), read(custom, "name"), read(custom, "input"))
    return _function(read(call, "id"), read(call, "function"))


def response_input(given: Any) -> list[Message] | None:
    """Translate the `input` of a Responses request: a text, or a list of items."""
    if isinstance(given, str):
        return [{"role": "user", "parts": [text_part(given)]}]
    return [_input_item(item) for item in listed(given)] or None


def response_output(items: Any, finish: str | None) -> list[Message] | None:
    """Translate the `output` items of a Responses answer into the one message that they are."""
    parts = [part for item in listed(items) for part in _item_parts(item)]
    if not parts:
        return None
    said: Message = {"role": "assistant", "parts": parts}
    if finish:
        said["finish_reason"] = finish
    return [said]


def instructions(given: Any) -> list[Part] | None:
    """Translate the `instructions` of a Responses request or answer."""
    if isinstance(given, str):
        return [text_part(given)] if given else None
    return [part for item in listed(given) for part in _item_parts(item)] or None


def tool_definitions(tools: Any) -> list[dict[str, Any]] | None:
    """Translate tools, nested under their type (chat) or flat (Responses)."""
    return [_tool_definition(tool) for tool in listed(tools)] or None


def _chat_message(message: Any) -> Message:
    role = read_text(message, "role") or "user"
    if role in ("tool", "function"):
        answers = read(message, "tool_call_id" if role == "tool" else "name")
        result = tool_response(answers, read(message, "content"))
        said: Message = {"role": "tool", "parts": [result]}
    else:
        said = {"role": role, "parts": chat_parts(message)}
    if name := read_text(message, "name"):
        said["name"] = name
    return said


def _function(call_id: str | None, function: Any) -> Part:
    return tool_call(call_id, read(function, "name"), read(function, "arguments"))


def _answered_audio(audio: Any) -> Part:
    part = blob(read(audio, "data"), "audio", None)
    if transcript := read(audio, "transcript"):
        part["transcript"] = transcript
    return part


def _input_item(item: Any) -> Message:
    if isinstance(item, str):
        return {"role": "user", "parts": [text_part(item)]}
    role = "tool" if (read_text(item, "type") or "").endswith("_call_output") else "assistant"
    return {"role": read_text(item, "role") or role, "parts": list(_item_parts(item))}


def _item_parts(item: Any) -> Iterator[Part]:
    """Yield the parts of one item of the Responses protocol."""
    kind = read_text(item, "type") or "message"
    if kind == "message":
        yield from content_parts(read(item, "content"))
    elif kind == "function_call":
        yield _function(read(item, "call_id"), item)
    elif kind == "custom_tool_call":
        yield tool_call(read(item, "call_id"), read(item, "name"), read(item, "input"))
    elif kind.endswith("_call_output"):
        yield tool_response(read(item, "call_id"), read(item, "output"))
    elif kind == "reasoning":
        for thought in (*listed(read(item, "summary")), *listed(read(item, "content"))):
            yield reasoning_part(read(thought, "text"))
    elif kind.endswith("_call"):
        yield _server_tool_call(item, kind)
    else:
        yield {"type": kind, "id": read(item, "id")}


def _server_tool_call(item: Any, kind: str) -> Part:
    # Results of these tools are pages, files and images: what was asked of them is kept.
    asked = {key: value for key in _ASKED if isinstance(value := read(item, key), str | list)}
    return {
        "type": "server_tool_call",
        "id": read(item, "id"),
        "name": read_text(item, "name") or kind.removesuffix("_call"),
        "server_tool_call": {"type": kind, **asked},
    }


def _tool_definition(tool: Any) -> dict[str, Any]:
    kind = read_text(tool, "type") or "function"
    inner = read(tool, kind)
    body = inner if isinstance(inner, dict) else tool
    defined: dict[str, Any] = {"type": kind, "name": read_text(body, "name") or kind}
    for key in ("description", "parameters"):
        if (value := read(body, key)) is not None:
            defined[key] = value
    return defined


_ASKED: Final = ("status", "queries", "arguments", "code", "server_label")
