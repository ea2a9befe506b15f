"""Find every string in a value, with the path that leads to it, and say what holds none to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

_DEPTH_LIMIT: Final = 64
_UNREAD_LIMIT: Final = 100
# Values that hold no text, and are read whole all the same; bool and datetime are among them.
_SCALARS: Final = (int, float, Decimal, date, time, timedelta, UUID)
_CONTENT_KEYS: Final = frozenset(("parts", "content"))
# Parts of messages that hold or point to a picture, a sound or a file. The first are so named by
# one dialect or another and nowhere else; the second are parts only where messages keep theirs.
_BINARY: Final = frozenset(
    (
        *("image_url", "image_file", "input_image", "input_file"),
        *("audio_url", "input_audio", "output_audio", "video_url"),
    )
)
_BINARY_PARTS: Final = frozenset(
    ("blob", "file", "uri", "media", "document", "image", "audio", "video")
)


class Text(NamedTuple):
    """Hold one string, where it stands (`[0].parts[1].content`), and the key right above it."""

    path: str
    key: str | None
    text: str


class Unread(NamedTuple):
    """Name what could not be read, and where it stands."""

    path: str
    what: str


@dataclass(slots=True)
class Reading:
    """Hold what was read of a value.

    Attributes:
        texts: its strings, keys of mappings among them, in order.
        unread: what could not be read: parts that are pictures, sounds or files, bytes, objects,
            and what lies deeper than 64 levels; the first hundred.
        empty: it holds no value at all: an empty list is empty, an empty text is not.
    """

    texts: list[Text] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    empty: bool = True


def read_texts(value: object) -> Reading:
    """Read a text, a list of messages or any JSON-like value.

    Objects with `model_dump` (messages of client libraries) are read through it.
    """
    reading = Reading()
    _walk(reading, value, "", None, 0)
    return reading


def _walk(reading: Reading, value: Any, path: str, key: str | None, depth: int) -> None:
    """Read one value beneath a key."""
    if value is None:
        return
    if isinstance(value, str):
        reading.empty = False
        reading.texts.append(Text(path, key, value))
    elif isinstance(value, _SCALARS):
        reading.empty = False
    elif depth > _DEPTH_LIMIT:
        _leave(reading, path, "too deep")
    elif isinstance(value, Mapping):
        _walk_mapping(reading, value, path, key, depth)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            _walk(reading, item, f"{path}[{index}]", key, depth + 1)
    elif callable(getattr(value, "model_dump", None)):
        _walk(reading, value.model_dump(), path, key, depth + 1)
    else:
        _leave(reading, path, type(value).__name__)


def _walk_mapping(
    reading: Reading, value: Mapping[Any, Any], path: str, key: str | None, depth: int
) -> None:
    """Read the keys and values of a mapping, whatever else it may be."""
    kind = value.get("type")
    if isinstance(kind, str) and (
        kind in _BINARY or (kind in _BINARY_PARTS and key in _CONTENT_KEYS)
    ):
        _leave(reading, path, kind)
    for name, item in value.items():
        place = f"{path}.{name}"
        if isinstance(name, str):
            reading.texts.append(Text(place, None, name))
        _walk(reading, item, place, str(name), depth + 1)


def _leave(reading: Reading, path: str, what: str) -> None:
    """Note what could not be read."""
    reading.empty = False
    if len(reading.unread) < _UNREAD_LIMIT:
        reading.unread.append(Unread(path, what))
