"""How far a backend has been served, on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from collector_processor.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What comes next: the journal position, and the last evaluation that was sent."""

    position: int = 0
    evaluation: int = 0


def load(path: Path) -> Cursor | None:
    """Return the cursor kept in `path`; None when there is none yet.

    Raises:
        JournalError: the file is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cursor)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise JournalError(
            f"The forwarding cursor {path} is damaged: {error}.",
            remedy="Delete it to send everything still in the journal once more.",
        ) from error


def save(path: Path, cursor: Cursor) -> None:
    """Replace the cursor at once. A crash may bring back an older one: then some is sent twice."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(cursor))
        file.flush()
        os.fsync(file.fileno())  # a rename that outlives its content would leave an empty cursor
    fresh.replace(path)
