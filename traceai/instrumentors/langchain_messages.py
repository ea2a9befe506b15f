"""LangChain messages → messages of the GenAI conventions. Pure; the input is never changed.

Accepts what LangChain accepts: message objects, `{"role", "content"}`, `("user", "hi")`, a text,
or a prompt value; whatever else is said is kept as JSON text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from traceai.attributes import encode
from traceai.instrumentors.openai_messages import chat_call
from traceai.instrumentors.parts import (
    content_part,
    content_parts,
    listed,
    read,
    read_text,
    text_part,
    tool_call,
    tool_response,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from traceai.call import Message, Part

_ROLES: Final = {"human": "user", "ai": "assistant", "function": "tool"}
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
        return {"role": "user", "parts": [_text(message)]}
    return _from_object(message, kind.removesuffix("MessageChunk").lower())


def parts_of(content: Any) -> list[Part]:
    """Return the parts of a message's content: a text, or blocks."""
    if not isinstance(content, str | list | tuple):
        return [] if content is None else [_text(content)]
    if isinstance(content, str):
        return content_parts(content)
    # Tool calls among the blocks stand in the message's `tool_calls` too, parsed.
    return [content_part(block) for block in content if read_text(block, "type") not in _CALLS]


def _messages(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict):
        if "messages" in value:
            return value["messages"]
        return value if "role" in value and "content" in value else encode(value, _plain)
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
        return {"role": "user", "parts": [_text(message)]}
    role = _role(message.get("role") or message.get("type"))
    if role == "tool":
        part = tool_response(message.get("tool_call_id"), message.get("content"))
        return {"role": "tool", "parts": [part]}
    calls = [_mapped_call(call) for call in listed(message.get("tool_calls"))]
    return {"role": role, "parts": [*parts_of(message.get("content")), *calls]}


def _from_object(message: Any, kind: str) -> Message:
    if kind == "ai":
        return {"role": "assistant", "parts": _answer_parts(message)}
    if kind == "tool":
        part = tool_response(getattr(message, "tool_call_id", None), message.content)
        return {"role": "tool", "parts": [part]}
    role = getattr(message, "role", None) if kind == "chat" else kind
    return {"role": _role(role), "parts": parts_of(message.content)}


def _mapped_call(call: Any) -> Part:
    """Translate a tool call of a mapping, in OpenAI's words or LangChain's."""
    if read(call, "args") is not None:
        return _call(call)
    return chat_call({"function": call, **call} if isinstance(call, dict) else call)


def _answer_parts(message: Any) -> list[Part]:
    called = (getattr(message, name, None) for name in ("tool_calls", "invalid_tool_calls"))
    return parts_of(message.content) + [_call(call) for calls in called for call in listed(calls)]


def _call(call: Any) -> Part:
    return tool_call(read(call, "id"), read(call, "name"), read(call, "args"))


def _text(said: Any) -> Part:
    return text_part(said if isinstance(said, str) else encode(said, _plain))


def _plain(value: Any) -> Any:
    """Return a JSON value for one of LangChain's objects."""
    if hasattr(value, "content") and hasattr(value, "type"):
        return {"role": _role(value.type), "content": value.content}
    if hasattr(value, "page_content"):
        return {"content": value.page_content, "metadata": value.metadata}
    if callable(dump := getattr(value, "model_dump", None)):
        return dump()
    return str(value)
