"""Read what was said, in any dialect, as plain text for the evaluators. Pure.

Content is a JSON text, a structured value or flattened keys (semconv.md 1.4, 3.2, 3.5). What names
and numbers messages, their parts and documents is left out, where the conventions put it and
nowhere else; base64 of pictures and sounds is not text.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from collector_processor.processor.json_text import parse_json
from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from collector_processor.processor.tree import Node

# What of a span each target is made of.
TARGETS: Mapping[str, tuple[str, ...]] = {
    "input": (semconv.SYSTEM_INSTRUCTIONS, semconv.INPUT_MESSAGES),
    "output": (semconv.OUTPUT_MESSAGES,),
    "arguments": (semconv.TOOL_CALL_ARGUMENTS,),
    "result": (semconv.TOOL_CALL_RESULT,),
    "query": (semconv.RETRIEVAL_QUERY_TEXT,),
    "documents": (semconv.RETRIEVAL_DOCUMENTS,),
}
_FLAT_STRUCTURE = (".role", ".id", ".type", ".finish_reason", ".tool_call_id")
# A text that is read, near the beginning of most contents, unless it is a picture's.
_SPOKEN = re.compile(r'"(?:content|text)"\s*:\s*"(?!data:)[^"]')
_DATA_URL = "data:"
_BLOB = "blob"
_OPENING = frozenset('[{"')
_NOTHING: frozenset[str] = frozenset()


class _Level(Enum):
    """Where in a content a value stands: what its keys mean depends on it."""

    MESSAGE = auto()
    PART = auto()
    DOCUMENT = auto()
    FREE = auto()


class _Form(NamedTuple):
    """How an object of a level is told from an application's own, and what names and numbers it."""

    marks: frozenset[str]
    structure: frozenset[str]


_PART_STRUCTURE = frozenset({"type", "id", "mime_type", "modality", "index", "tool_call_id"})
_FORMS: Mapping[_Level, _Form] = {
    _Level.MESSAGE: _Form(
        frozenset({"role", "parts", "content", "message", "tool_calls", "lc"}),
        _PART_STRUCTURE | {"role", "finish_reason", "lc"},
    ),
    _Level.PART: _Form(frozenset({"type"}), _PART_STRUCTURE),
    _Level.DOCUMENT: _Form(frozenset({"content", "page_content", "score"}), frozenset({"id"})),
}
# Beneath which keys of a message further messages stand, and parts of it.
_WRAPPERS = frozenset({"message", "messages", "kwargs", "choices", "generations"})
_PARTS = frozenset({"parts", "content", "tool_calls"})
_TOP: Mapping[str, _Level] = {
    "input": _Level.MESSAGE,
    "output": _Level.MESSAGE,
    "documents": _Level.DOCUMENT,
}


def has_content(node: Node, target: str) -> bool:
    """Say whether a target's content was captured, without reading it; a digest is none."""
    return any(
        name in node.fields and not node.fields[name].source.endswith(".digest")
        for name in TARGETS[target]
    )


def read_content(node: Node, target: str) -> str:
    """Return a target's content as text, without what only gives it structure."""
    return "\n".join(_read(node, target))


def is_readable(node: Node, target: str) -> bool:
    """Say whether anything of a target can be read as text: a picture alone cannot.

    The same as asking `read_content`, which it seldom has to.
    """
    return any(_is_spoken(value) for value, _ in _values(node, target)) or any(
        text and not text.startswith(_DATA_URL) for text in _read(node, target)
    )


def _read(node: Node, target: str) -> Iterator[str]:
    level = _TOP.get(target, _Level.FREE)
    for value, flat in _values(node, target):
        yield from _texts(_parsed(value), _Level.FREE if flat else level)


def _is_spoken(value: Any) -> bool:
    """Say whether a value holds text for certain, without opening it."""
    if not isinstance(value, str) or not value:
        return False
    if value[0] not in _OPENING:
        return True
    return _BLOB not in value and _SPOKEN.search(value) is not None


def _values(node: Node, target: str) -> Iterator[tuple[Any, bool]]:
    """Yield what a target is made of, and whether its structure is in the keys above."""
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
            yield from ((attributes[key], True) for key in sorted(keys, key=_place))
            continue
        key, _, member = found.source.partition("#")
        value = attributes.get(key)
        opened = _parsed(value) if member else None
        yield (opened.get(member) if isinstance(opened, dict) else value), False


def _place(key: str) -> tuple[tuple[int, ...], str]:
    """Return where a flattened key stands: attributes have no order, the numbers in keys have."""
    return tuple(int(part) for part in key.split(".") if part.isdecimal()), key


def _parsed(value: Any) -> Any:
    """Open a JSON text; keep as text what is none, or broken by a length limit."""
    if isinstance(value, str) and value and value[0] in _OPENING:
        try:
            return parse_json(value)
        except ValueError:
            return value
    return value


def _texts(whole: Any, top: _Level) -> Iterator[str]:
    """Yield every text and number, however deep: what was not read could not be judged."""
    waiting = [(whole, top)]
    while waiting:
        value, level = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes):
            yield value.decode("utf-8", "replace")
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int | float):
            yield str(value)
        elif isinstance(value, dict):
            left_out = _structure(value, level)
            waiting += [
                (item, _below(level, key))
                for key, item in reversed(value.items())
                if key not in left_out
            ]
        elif isinstance(value, list):
            waiting += [(item, level) for item in reversed(value)]


def _below(level: _Level, key: str) -> _Level:
    """Return the level of what stands beneath a key: an application's own keys mean nothing."""
    if level is _Level.MESSAGE:
        return level if key in _WRAPPERS else _Level.PART if key in _PARTS else _Level.FREE
    return _Level.FREE


def _structure(value: Mapping[str, Any], level: _Level) -> frozenset[str]:
    """Return the keys of an object whose values were not said."""
    form = _FORMS.get(level)
    if form is None or form.marks.isdisjoint(value):
        return _NOTHING
    if level is not _Level.DOCUMENT and value.get("type") == _BLOB:
        return form.structure | {"content"}
    return form.structure
