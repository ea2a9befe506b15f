"""Map single attributes to canonical fields by the dialect table. Pure.

Which fields an attribute may hold depends on its key and value alone; which of them count, on the
span's other attributes: `dialects` decides that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from collector_processor.model import Field, Known
from collector_processor.processor.dialect_table import (
    ACTIONS,
    DETECTION,
    NO_PROVIDER,
    PROVIDERS,
    ROWS,
    VERDICTS,
)
from collector_processor.processor.json_text import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable

# The fields that hold what was said.
CONTENT = frozenset(name for name, kind, _ in ROWS if kind == "content")
NO_DIALECT = len(DETECTION)
_RANKS = {key: rank for rank, (_, keys, _) in reversed(list(enumerate(DETECTION))) for key in keys}
_PREFIXES = tuple((rank, prefixes) for rank, (_, _, prefixes) in enumerate(DETECTION) if prefixes)


class Mapped(NamedTuple):
    """A canonical field that an attribute may hold.

    Attributes:
        rank: how good a source it is; 0 is the best.
        dialect: the only one in which the key means this; None for all.
    """

    name: str
    rank: int
    dialect: str | None
    field: Field


class _Rule(NamedTuple):
    name: str
    rank: int
    dialect: str | None
    read: Callable[[Any], Any]


def dialect_rank(key: str) -> int:
    """Return which dialect a key tells of, as an index of `DETECTION`; `NO_DIALECT` for none."""
    rank = _RANKS.get(key, NO_DIALECT)
    for prefixed, prefixes in _PREFIXES:
        if prefixed < rank and key.startswith(prefixes):
            return prefixed
    return rank


def map_field(key: str, value: Any) -> tuple[Mapped, ...]:
    """Return the canonical fields that an attribute may hold; a value of no use holds none."""
    rules = _RULES.get(key)
    if rules is None:
        return ()
    return tuple(
        Mapped(name, rank, dialect, Field(read_value, Known.STATED, key))
        for name, rank, dialect, read in rules
        if (read_value := read(value)) is not None
    )


def _text(value: Any) -> str | None:
    """Read an id or a name: a number is one too; an empty text is absent."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or None
    return None


def _count(value: Any) -> int | None:
    """Read a count: integers, whole floats and their texts."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _reasons(value: Any) -> tuple[str, ...] | None:
    """Read a list of words: a list, JSON text of one, or words with commas between."""
    if isinstance(value, str) and value[:1] == "[":
        try:
            value = parse_json(value)
        except ValueError:
            return (value,)
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        return None
    reasons = tuple(str(item).strip() for item in items if item is not None and str(item).strip())
    return reasons or None


def _provider(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    if name in PROVIDERS:
        return PROVIDERS[name]
    bare = name.rsplit(".", 1)[0]
    # Vercel appends the API: openai.chat, google.vertex.chat.
    if bare != name and name.endswith((".chat", ".responses", ".completion", ".embedding")):
        name = PROVIDERS.get(bare, bare)
    return None if not name or name in NO_PROVIDER else name


def _verdict(value: Any) -> str | None:
    native = str(value).strip().lower() if value is not None else ""
    for verdict, natives in VERDICTS.items():
        if native in natives:
            return verdict
    return native or None


def _action(value: Any) -> str | None:
    native = _text(value)
    return ACTIONS.get(native.lower(), native.lower()) if native else None


def _content(value: Any) -> bool | None:
    """Say that content is there, without reading it."""
    return True if value not in (None, "", [], {}) else None


_READERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "count": _count,
    "reasons": _reasons,
    "provider": _provider,
    "verdict": _verdict,
    "action": _action,
    "content": _content,
}


def _index() -> tuple[dict[str, tuple[_Rule, ...]], dict[str, frozenset[str | None]]]:
    """Turn the table round: from each key to the fields it may hold."""
    rules: dict[str, list[_Rule]] = {}
    objects: dict[str, set[str | None]] = {}
    dialects = {name for name, _, _ in DETECTION}
    for name, kind, keys in ROWS:
        for rank, spelled in enumerate(keys):
            key, _, only = spelled.partition("@")
            rules.setdefault(key, []).append(_Rule(name, rank, only or None, _READERS[kind]))
            if "#" in key:
                where = objects.setdefault(key.partition("#")[0], set())
                where.update({only} if only else dialects)
    return (
        {key: tuple(found) for key, found in rules.items()},
        {key: frozenset(where) for key, where in objects.items()},
    )


_RULES, OBJECTS = _index()
