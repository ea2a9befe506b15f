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
_DEPTH = 32
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
    return "\n".join(text for value in _values(node, target) for text in _walk(_parsed(value), 0))


def _values(node: Node, target: str) -> Iterator[Any]:
    attributes = node.span.attributes
    for name in TARGETS[target]:
        found = node.fields.get(name)
        if found is None:
            continue
        head, marker, _ = found.source.partition(".0.")
        if marker:
            for key, value in attributes.items():
                if key.startswith(head + ".") and not key.endswith(_FLAT_STRUCTURE):
                    yield value
            continue
        key, _, member = found.source.partition("#")
        value = attributes.get(key)
        opened = _parsed(value) if member else None
        yield opened.get(member) if isinstance(opened, dict) else value


def _parsed(value: Any) -> Any:
    """Open a JSON text; keep as text what is none, or broken by a length limit."""
    if isinstance(value, str) and value[:1] in {"[", "{", '"'}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _walk(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool) or value is None or depth > _DEPTH:
        return
    elif isinstance(value, int | float):
        yield str(value)
    elif isinstance(value, dict):
        blob = value.get("type") == "blob"
        for key, item in value.items():
            if key not in _STRUCTURE and not (blob and key == "content"):
                yield from _walk(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, depth + 1)
