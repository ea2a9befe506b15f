"""Find every string in a value, with the path that leads to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH_LIMIT = 64


class Text(NamedTuple):
    """Hold one string, where it stands (`[0].parts[1].content`), and the key right above it."""

    path: str
    key: str | None
    text: str


def texts(value: object) -> Iterator[Text]:
    """Yield the strings of a string, a list of messages or any JSON-like value, in order.

    Objects with `model_dump` (messages of client libraries) are read through it. Bytes, numbers
    and what lies deeper than 64 levels hold no text to read.
    """
    return _walk(value, "", None, 0)


def _walk(value: Any, path: str, key: str | None, depth: int) -> Iterator[Text]:
    """Yield the strings beneath one value."""
    if isinstance(value, str):
        if value:
            yield Text(path, key, value)
        return
    if depth > _DEPTH_LIMIT:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _walk(item, f"{path}.{name}", str(name), depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", key, depth + 1)
    elif callable(getattr(value, "model_dump", None)):
        yield from _walk(value.model_dump(), path, key, depth + 1)
