"""Translate messages of OpenAI's protocols into parts of the GenAI conventions. Pure.

Values are read, never consumed: only lists and tuples are walked. A value may be a dict from the
wire or an object of the SDK, so `read` serves both. Binary payloads are named by size only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from traceai.call import Message, Part


def read(value: Any, name: str) -> Any:
    """Return a field of a dict or an object; None when there is none."""
    if isinstance(value, dict):
        return value.get(name)
    fields = getattr(value, "__dict__", None)
    if fields is None:
        return getattr(value, name, None)
    if name in fields:
        return fields[name]
    # To ask a pydantic object for a field that it lacks costs an exception; most fields it lacks.
    extra = getattr(value, "__pydantic_extra__", None)
    return extra.get(name) if extra else None


def listed(value: Any) -> list[Any]:
    """Return the items of a list or tuple; nothing of anything else, which is left unread."""
    return list(value) if isinstance(value, list | tuple) else []


def text_part(content: str) -> Part:
    """Return a text part."""
    return {"type": "text", "content": content}


def chat_messages(messages: Any) -> list[Message] | None:
    """Translate the `messages` of a chat request; None when there are none."""
    return [_chat_message(message) for message in listed(messages)] or None


def chat_choice(choice: Any) -> Message:
    """Translate one choice of a chat answer; its message is null where a filter took it."""
    message = read(choice, "message")
    said: Message = {"role": read(message, "role") or "assistant", "parts": chat_parts(message)}
    if reason := read(choice, "finish_reason"):
        said["finish_reason"] = finish_reason(reason)
    return said


def finish_reason(native: str) -> str:
    """Return the convention's word for a finish reason, or the native one where it has none."""
    return "tool_call" if native in {"tool_calls", "function_call"} else native


def chat_parts(message: Any) -> list[Part]:
    """Translate a chat message, asked or answered, without its role."""
    parts: list[Part] = []
    if isinstance(thought := read(message, "reasoning_content"), str) and thought:
        parts.append({"type": "reasoning", "content": thought})
    parts += content_parts(read(message, "content"))
    if refusal := read(message, "refusal"):
        parts.append({"type": "refusal", "content": refusal})
    if audio := read(message, "audio"):
        parts.append(_answered_audio(audio))
    parts += [_tool_call(call) for call in listed(read(message, "tool_calls"))]
    if function := read(message, "function_call"):
        parts.append(_function(None, function))
    return parts


def content_parts(content: Any) -> list[Part]:
    """Translate the content of a message: a text, or a list of typed parts."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return [_content_part(part) for part in listed(content)]


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


def arguments(text: Any) -> Any:
    """Return the arguments of a tool call as a value, or as the text they are."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _chat_message(message: Any) -> Message:
    role = read(message, "role") or "user"
    if role == "tool":
        said: Message = {"role": role, "parts": [_tool_result(message, "tool_call_id", "content")]}
    elif role == "function":
        said = {"role": "tool", "parts": [_tool_result(message, "name", "content")]}
    else:
        said = {"role": role, "parts": chat_parts(message)}
    if name := read(message, "name"):
        said["name"] = name
    return said


def _tool_result(message: Any, id_field: str, result_field: str) -> Part:
    result = read(message, result_field)
    if not isinstance(result, str):
        result = [_content_part(part) for part in listed(result)]
    return {"type": "tool_call_response", "id": read(message, id_field), "response": result}


def _tool_call(call: Any) -> Part:
    if (custom := read(call, "custom")) is not None:
        return {
            "type": "tool_call",
            "id": read(call, "id"),
            "name": read(custom, "name"),
            "arguments": read(custom, "input"),
        }
    return _function(read(call, "id"), read(call, "function"))


def _function(call_id: str | None, function: Any) -> Part:
    return {
        "type": "tool_call",
        "id": call_id,
        "name": read(function, "name"),
        "arguments": arguments(read(function, "arguments")),
    }


def _content_part(part: Any) -> Part:
    if isinstance(part, str):
        return text_part(part)
    kind = read(part, "type") or "unknown"
    return _CONTENT.get(kind, _unknown)(part)


def _text(part: Any) -> Part:
    return text_part(read(part, "text") or "")


def _refusal(part: Any) -> Part:
    return {"type": "refusal", "content": read(part, "refusal")}


def _image(part: Any) -> Part:
    image = read(part, "image_url")
    if file_id := read(part, "file_id"):
        return {"type": "file", "modality": "image", "file_id": file_id}
    return _located(image if isinstance(image, str) else read(image, "url"), "image")


def _audio(part: Any) -> Part:
    audio = read(part, "input_audio")
    return blob(read(audio, "data"), "audio", f"audio/{read(audio, 'format') or 'unknown'}")


def _file(part: Any) -> Part:
    file = read(part, "file") or part
    if file_id := read(file, "file_id"):
        return {"type": "file", "modality": "document", "file_id": file_id}
    return _located(read(file, "file_data") or read(file, "file_url"), "document")


def _located(where: Any, modality: str) -> Part:
    """Return a uri part, or a blob where the payload itself stands in the place of a uri."""
    if not isinstance(where, str):
        return {"type": "uri", "modality": modality, "uri": ""}
    if where.startswith("data:"):
        head, _, payload = where.partition(",")
        return blob(payload, modality, head[len("data:") :].partition(";")[0] or None)
    if "://" in where[:16]:
        return {"type": "uri", "modality": modality, "uri": where}
    return blob(where, modality, None)


def blob(payload: Any, modality: str, mime_type: str | None) -> Part:
    """Return a blob part that says how many bytes there were, and holds none of them."""
    size = len(payload) * 3 // 4 - payload[-2:].count("=") if isinstance(payload, str) else 0
    part: Part = {"type": "blob", "modality": modality, "content": f"{size} bytes"}
    if mime_type:
        part["mime_type"] = mime_type
    return part


def _answered_audio(audio: Any) -> Part:
    part = blob(read(audio, "data"), "audio", None)
    if transcript := read(audio, "transcript"):
        part["transcript"] = transcript
    return part


def _unknown(part: Any) -> Part:
    # Its fields may hold a payload of any size and kind: that it was there is all that is said.
    return {"type": str(read(part, "type") or "unknown")}


def _input_item(item: Any) -> Message:
    if isinstance(item, str):
        return {"role": "user", "parts": [text_part(item)]}
    kind = read(item, "type")
    role = "tool" if str(kind).endswith("_call_output") else "assistant"
    return {"role": read(item, "role") or role, "parts": list(_item_parts(item))}


def _item_parts(item: Any) -> Iterator[Part]:
    """Yield the parts of one item of the Responses protocol."""
    kind = read(item, "type") or "message"
    if kind == "message":
        yield from content_parts(read(item, "content"))
    elif kind == "function_call":
        yield _function(read(item, "call_id"), item)
    elif kind == "custom_tool_call":
        call = {"name": read(item, "name"), "arguments": read(item, "input")}
        yield _function(read(item, "call_id"), call)
    elif kind.endswith("_call_output"):
        yield _tool_result(item, "call_id", "output")
    elif kind == "reasoning":
        texts = [*listed(read(item, "summary")), *listed(read(item, "content"))]
        for text in texts:
            yield {"type": "reasoning", "content": read(text, "text")}
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
        "name": read(item, "name") or kind.removesuffix("_call"),
        "server_tool_call": {"type": kind, **asked},
    }


def _tool_definition(tool: Any) -> dict[str, Any]:
    kind = read(tool, "type") or "function"
    inner = read(tool, kind)
    body = inner if isinstance(inner, dict) else tool
    defined: dict[str, Any] = {"type": kind, "name": read(body, "name") or kind}
    for key in ("description", "parameters"):
        if (value := read(body, key)) is not None:
            defined[key] = value
    return defined


_ASKED = ("status", "queries", "arguments", "code", "server_label")

_CONTENT: dict[str, Callable[[Any], Part]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "summary_text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_image": _image,
    "input_audio": _audio,
    "file": _file,
    "input_file": _file,
}
