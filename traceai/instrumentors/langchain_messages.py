"""LangChain messages → messages of the GenAI conventions. Pure; the input is never changed.

Accepts what LangChain accepts: message objects, `{"role", "content"}`, `("user", "hi")`, a text,
or a prompt value; whatever else is said is kept as JSON text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from traceai.call import Message, Part

_ROLES: Final = {"human": "user", "ai": "assistant", "function": "tool"}
_MODALITIES: Final = {"image": "image", "image_url": "image", "audio": "audio", "video": "video"}
_CALLS: Final = frozenset({"tool_call", "tool_use", "function_call", "tool_call_chunk"})


def messages_of(value: Any) -> list[Message] | None:
    """Return the messages in the input or output of a chain, a graph or an agent."""
    found = said_in(value)
    return None if found is None else [message_of(message) for message in found]


def said_in(value: Any) -> list[Any] | tuple[Any, ...] | None:
    """Return the same messages, each in the shape it came in."""
    said = _messages(value)
    if said is None or (isinstance(said, list | tuple) and not _is_pair(said)):
        return said
    return [said]


def message_of(message: Any) -> Message:
    """Return one message of the conventions."""
    if isinstance(message, dict):
        return _from_mapping(message)
    if isinstance(message, list | tuple) and _is_pair(message):
        return {"role": _role(message[0]), "parts": parts_of(message[1])}
    kind = getattr(message, "type", None)
    if not isinstance(kind, str) or not hasattr(message, "content"):
        text = message if isinstance(message, str) else _json(message)
        return {"role": "user", "parts": [_text(text)]}
    return _from_object(message, kind.removesuffix("MessageChunk").lower())


def tool_response(message: Any) -> Part:
    """Return the part that a tool message is."""
    return {
        "type": "tool_call_response",
        "id": getattr(message, "tool_call_id", None),
        "response": message.content,
    }


def parts_of(content: Any) -> list[Part]:
    """Return the parts of a message's content: a text, or blocks."""
    if isinstance(content, str):
        return [_text(content)] if content else []
    if not isinstance(content, list | tuple):
        return [] if content is None else [_text(_json(content))]
    return [part for block in content if (part := _part(block)) is not None]


def _messages(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        if "messages" in value:
            return value["messages"]
        return value if "role" in value and "content" in value else _json(value)
    if isinstance(value, str | list | tuple):
        return value or None
    if callable(to_messages := getattr(value, "to_messages", None)):
        return to_messages()
    return value


def _is_pair(value: list[Any] | tuple[Any, ...]) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)  # noqa: PLR2004 - (role, content)


def _role(role: Any) -> str:
    return _ROLES.get(role, role) if isinstance(role, str) else "user"


def _from_mapping(message: Mapping[str, Any]) -> Message:
    if "role" not in message and "type" not in message:
        return {"role": "user", "parts": [_text(_json(message))]}
    role = _role(message.get("role") or message.get("type"))
    if role == "tool":
        call_id = message.get("tool_call_id")
        part = {"type": "tool_call_response", "id": call_id, "response": message.get("content")}
        return {"role": "tool", "parts": [part]}
    calls = [_openai_call(call) for call in message.get("tool_calls") or ()]
    return {"role": role, "parts": [*parts_of(message.get("content")), *calls]}


def _from_object(message: Any, kind: str) -> Message:
    if kind == "ai":
        return {"role": "assistant", "parts": _answer_parts(message)}
    if kind == "tool":
        return {"role": "tool", "parts": [tool_response(message)]}
    role = getattr(message, "role", None) if kind == "chat" else kind
    return {"role": _role(role), "parts": parts_of(message.content)}


def _openai_call(call: Mapping[str, Any]) -> Part:
    function = call.get("function") or call
    arguments = function.get("arguments", function.get("args"))
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": arguments,
    }


def _answer_parts(message: Any) -> list[Part]:
    parts = parts_of(message.content)
    parts += _calls(getattr(message, "tool_calls", None) or ())
    parts += _calls(getattr(message, "invalid_tool_calls", None) or ())
    return parts


def _calls(calls: Iterable[Mapping[str, Any]]) -> list[Part]:
    return [
        {
            "type": "tool_call",
            "id": call.get("id"),
            "name": call.get("name"),
            "arguments": call.get("args"),
        }
        for call in calls
    ]


def _part(block: Any) -> Part | None:
    if not isinstance(block, dict):
        return _text(block if isinstance(block, str) else _json(block))
    kind = block.get("type", "text")
    if kind in _CALLS:  # they stand in the message's `tool_calls`, parsed
        return None
    if kind in ("text", "output_text", "refusal"):
        return _text(str(block.get("text", block.get("refusal", ""))))
    if kind in ("reasoning", "thinking"):
        return {"type": "reasoning", "content": _reasoning(block)}
    if kind in _MODALITIES or kind in ("file", "text-plain", "media"):
        return _media(kind, block)
    return {**block, "type": kind}


def _reasoning(block: Mapping[str, Any]) -> str:
    said = block.get("reasoning") or block.get("thinking")
    if said:
        return str(said)
    summaries = block.get("summary") or ()
    return "\n".join(str(part.get("text", "")) for part in summaries if isinstance(part, dict))


def _media(kind: str, block: Mapping[str, Any]) -> Part:
    """Name an image, sound or file; its bytes stay where they are, their length is told."""
    source = block.get("image_url") or block.get("source") or block
    found = source if isinstance(source, dict) else {"url": source}
    part: Part = {"type": "uri", "modality": _MODALITIES.get(kind, "document")}
    mime_type = block.get("mime_type") or found.get("media_type")
    if mime_type:
        part["mime_type"] = mime_type
    data = found.get("base64") or found.get("data")
    url = str(found.get("url") or "")
    if url.startswith("data:"):
        data = url
    if data:
        return {**part, "type": "blob", "size": len(data)}
    if file_id := found.get("file_id") or found.get("id"):
        return {**part, "type": "file", "file_id": file_id}
    return {**part, "uri": url}


def _text(content: str) -> Part:
    return {"type": "text", "content": content}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    """Return a JSON value for one of LangChain's objects."""
    if hasattr(value, "content") and hasattr(value, "type"):
        return {"role": _role(value.type), "content": value.content}
    if hasattr(value, "page_content"):
        return {"content": value.page_content, "metadata": value.metadata}
    if callable(dump := getattr(value, "model_dump", None)):
        return dump()
    return str(value)
