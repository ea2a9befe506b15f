"""Read what was said, in any dialect, as plain text for the evaluators. Pure.

Content is a JSON text, a structured value or flattened keys (semconv.md 1.4, 3.2, 3.5). What names
and numbers things is left out; base64 of pictures and sounds is not text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collector_processor.processor.tree import Node

_STRUCTURE = frozenset(
    {"role", "type", "id", "finish_reason", "mime_type", "modality", "lc", "index", "tool_call_id"}
)
_FLAT_STRUCTURE = (".role", ".id", ".type", ".finish_reason", ".name", ".tool_call_id")
# What of a span each target is made of.
TARGETS: Mapping[str, tuple[str, ...]] = {
    "input": (semconv.SYSTEM_INSTRUCTIONS, semconv.INPUT_MESSAGES),
    "output": (semconv.OUTPUT_MESSAGES,),
    "arguments": (semconv.TOOL_CALL_ARGUMENTS,),
    "result": (semconv.TOOL_CALL_RESULT,),
    "documents": (semconv.RETRIEVAL_DOCUMENTS,),
}


def has_content(node: Node, target: str) -> bool:
    """Say whether a target's content was captured, without reading it; a digest is none."""
    return any(
        name in node.fields and not node.fields[name].source.endswith(".digest")
        for name in TARGETS[target]
    )


def read_content(node: Node, target: str) -> str:
    """Return a target's content as text, without what only gives it structure."""
    return "\n".join(text for value in _values(node, target) for text in _texts(_parsed(value)))


def _values(node: Node, target: str) -> Iterator[Any]:
    attributes = node.span.attributes
    for name in TARGETS[target]:
        found = node.fields.get(name)
        if found is None:
            continue
        head, marker, _ = found.source.partition(".0.")
        if marker:
            keys = [
                key
                for key in attributes
                if key.startswith(head + ".") and not key.endswith(_FLAT_STRUCTURE)
            ]
            yield from (attributes[key] for key in sorted(keys, key=_place))
            continue
        key, _, member = found.source.partition("#")
        value = attributes.get(key)
        opened = _parsed(value) if member else None
        yield opened.get(member) if isinstance(opened, dict) else value


def _place(key: str) -> tuple[tuple[int, ...], str]:
    """Return where a flattened key stands: attributes have no order, the numbers in keys have."""
    return tuple(int(part) for part in key.split(".") if part.isdecimal()), key


def _parsed(value: Any) -> Any:
    """Open a JSON text; keep as text what is none, or broken by a length limit."""
    if isinstance(value, str) and value[:1] in {"[", "{", '"'}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _texts(whole: Any) -> Iterator[str]:
    """Yield every text and number, however deep: what was not read could not be judged."""
    waiting = [whole]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int | float):
            yield str(value)
        elif isinstance(value, dict):
            blob = value.get("type") == "blob"
            waiting += [
                item
                for key, item in reversed(value.items())
                if key not in _STRUCTURE and not (blob and key == "content")
            ]
        elif isinstance(value, list):
            waiting += reversed(value)
