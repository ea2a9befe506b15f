"""The parts of a message in the GenAI conventions, from any dialect of content blocks. Pure.

Values are read, never consumed: only lists and tuples are walked. A value may be a dict from the
wire or an object of a client library, so `read` serves both, and every field may be of any type: a
gateway sends what it likes. Binary payloads are named by size only.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from traceai.call import Part

_NONE: Final[Mapping[str, Any]] = {}


def fields_of(value: Any) -> Mapping[str, Any]:
    """Return the fields of a dict or an object; none of anything else.

    Methods are no fields: a text has an `index`, and says nothing by it.
    """
    if isinstance(value, dict):
        return value
    fields = getattr(value, "__dict__", None)
    if fields is None:
        return _NONE
    # What a pydantic class does not know stands apart from what it knows.
    extra = getattr(value, "__pydantic_extra__", None)
    return {**extra, **fields} if extra else fields


def read(value: Any, name: str) -> Any:
    """Return a field of a dict or an object; None when there is none."""
    return fields_of(value).get(name)


def read_text(value: Any, *names: str) -> str | None:
    """Return the first of these fields that is a text with something in it; None for none."""
    for name in names:
        if isinstance(found := read(value, name), str) and found:
            return found
    return None


def listed(value: Any) -> list[Any]:
    """Return the items of a list or tuple; nothing of anything else, which is left unread."""
    return list(value) if isinstance(value, list | tuple) else []


def text_part(content: Any) -> Part:
    """Return a text part."""
    return {"type": "text", "content": content}


def reasoning_part(content: Any) -> Part:
    """Return a part of what a model thought."""
    return {"type": "reasoning", "content": content}


def refusal_part(content: Any) -> Part:
    """Return the part of a model that declines."""
    return {"type": "refusal", "content": content}


def tool_call(call_id: Any, name: Any, given: Any) -> Part:
    """Return the part of a tool that a model asks for, its arguments parsed if they are JSON."""
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments(given)}


def tool_response(call_id: Any, result: Any) -> Part:
    """Return the part of what a tool answered."""
    return {"type": "tool_call_response", "id": call_id, "response": response(result)}


def response(result: Any) -> Any:
    """Return what a tool answered: blocks of content as parts, any other value as it is."""
    if isinstance(result, list | tuple):
        return [text_part(item) if isinstance(item, str) else response(item) for item in result]
    return content_part(result) if read_text(result, "type") else result


def arguments(given: Any) -> Any:
    """Return the arguments of a tool call as a value, or as the text they are."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given


def content_parts(content: Any) -> list[Part]:
    """Translate the content of a message: a text, or a list of typed blocks."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return [content_part(block) for block in listed(content)]


def content_part(block: Any) -> Part:
    """Translate one block of content."""
    if isinstance(block, str):
        return text_part(block)
    kind = read_text(block, "type")
    if kind is None and (said := read_text(block, "text")):
        return text_part(said)
    return _KINDS.get(kind or "", _unknown)(block)


def blob(payload: Any, modality: str, mime_type: str | None) -> Part:
    """Return a blob part that says how many bytes there were, and holds none of them.

    Args:
        payload: base64 as text, or bytes.
        modality: image, audio, video or document.
        mime_type: None when it is not known.
    """
    size = len(payload) if isinstance(payload, bytes | str) else 0
    if isinstance(payload, str):
        size = size * 3 // 4 - payload[-2:].count("=")
    part: Part = {"type": "blob", "modality": modality, "content": f"{size} bytes"}
    if mime_type:
        part["mime_type"] = mime_type
    return part


def _text(block: Any) -> Part:
    return text_part(read(block, "text") or "")


def _refusal(block: Any) -> Part:
    return refusal_part(read(block, "refusal"))


def _reasoning(block: Any) -> Part:
    said = read_text(block, "reasoning", "thinking")
    if said is None:
        said = "\n".join(read_text(each, "text") or "" for each in listed(read(block, "summary")))
    return reasoning_part(said)


def _unknown(block: Any) -> Part:
    # Its fields may hold a payload of any size and kind: that it was there is all that is said.
    return {"type": read_text(block, "type") or "unknown"}


def _media(modality: str, block: Any) -> Part:
    """Name an image, sound, video or file by where it is or how large it is."""
    inner = read(block, read_text(block, "type") or "") or read(block, "source")
    if isinstance(inner, str):
        inner = {"url": inner}
    source = block if inner is None else inner
    if read(source, "type") == "text":  # a document of Anthropic's that is its own text
        return text_part(read(source, "data"))
    where = _first(source, *_PLACES)
    # A block that holds its payload may have an `id` too: that is the block's.
    if file_id := read_text(source, "file_id") or (not where and read_text(source, "id")):
        return {"type": "file", "modality": modality, "file_id": file_id}
    mime_type = read_text(block, "mime_type") or read_text(source, "media_type")
    if mime_type is None and (sound := read_text(source, "format")):
        mime_type = f"audio/{sound}"
    return _located(where, modality, mime_type)


def _located(where: Any, modality: str, mime_type: str | None) -> Part:
    """Return a uri part, or a blob where the payload itself stands in the place of a uri."""
    if isinstance(where, str) and where.startswith("data:"):
        head, _, payload = where.partition(",")
        return blob(payload, modality, head[len("data:") :].partition(";")[0] or mime_type)
    if isinstance(where, str) and "://" in where[:16]:
        return {"type": "uri", "modality": modality, "uri": where}
    if isinstance(where, str | bytes):
        return blob(where, modality, mime_type)
    return {"type": "uri", "modality": modality, "uri": ""}


def _plain(block: Any) -> Part:
    said = read_text(block, "text")
    return _media("document", block) if said is None else text_part(said)


def _first(block: Any, *names: str) -> Any:
    return next((found for name in names if (found := read(block, name))), None)


_PLACES: Final = (
    *("url", "image_url", "file_url", "file_uri"),
    *("base64", "data", "file_data"),
)
_image: Final = functools.partial(_media, "image")
_audio: Final = functools.partial(_media, "audio")
_video: Final = functools.partial(_media, "video")
_document: Final = functools.partial(_media, "document")

_KINDS: Final[dict[str, Callable[[Any], Part]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "summary_text": _text,
    "text-plain": _plain,
    "refusal": _refusal,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "image": _image,
    "image_url": _image,
    "input_image": _image,
    "audio": _audio,
    "input_audio": _audio,
    "video": _video,
    "document": _document,
    "file": _document,
    "input_file": _document,
    "media": _document,
}
