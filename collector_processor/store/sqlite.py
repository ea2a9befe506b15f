"""Open the evidence store in one SQLite file: the only module that knows it is SQLite.

A commit is durable when it returns (WAL, synchronous=FULL). One process writes; any number read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from importlib import resources
from typing import TYPE_CHECKING

from collector_processor.errors import AlreadyRunningError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = 1
_BUSY_TIMEOUT_S = 10.0


class Lock:
    """The right to write to a store, held by one process at a time.

    Raises:
        AlreadyRunningError: another process holds it.
        StoreError: the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        file = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"Cannot write to the folder of the store {path}: {error.strerror}.",
                remedy="Name a folder you may write to with --data-dir.",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"Another process already writes to the store {path}.",
                remedy="Stop it, or give this one a --data-dir of its own.",
            ) from error

    def release(self) -> None:
        """Let another process write."""
        os.close(self._descriptor)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the store for writing; make it, for its owner only, when it is missing.

    Raises:
        StoreError: it cannot be opened, is damaged, or was written by a newer version.
    """
    with explain(path):
        _make(path)
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open an existing store for reading only.

    Raises:
        StoreError: there is none, it cannot be opened, is damaged, or of a newer version.
    """
    if not path.exists():
        raise StoreError(
            f"There is no evidence store at {path}.",
            remedy="Start `traceai collect` with this --data-dir, or name the one it uses.",
        )
    with explain(path):
        connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
        try:
            connection.execute("PRAGMA query_only=ON")
            found = _version(connection)
            if found != VERSION:
                _refuse(path, found)
        except BaseException:
            connection.close()
            raise
    return connection


@contextlib.contextmanager
def explain(path: Path) -> Iterator[None]:
    """Translate what SQLite says to what happened, why, and what to do.

    Raises:
        StoreError: for every error of SQLite or of the file system.
        sqlite3.DataError: a value is none that it takes: no fault of the store's.
    """
    try:
        yield
    except sqlite3.DataError:
        raise
    except (sqlite3.Error, OSError) as error:
        text = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StoreError(f"The store {path}: {text}.", remedy=_remedy(text)) from error


def _remedy(text: str) -> str:
    for words, remedy in (
        ("full", "Free some disk: nothing is lost, what was acknowledged waits in the journal."),
        ("readonly", "Make the file and its folder writable, or name another --data-dir."),
        ("malformed", "The file is damaged: restore a backup; keep the damaged file."),
        ("not a database", "Another file is in its place: move it away, or restore a backup."),
        ("locked", "Another program holds it: close that program."),
    ):
        if words in text.lower():
            return remedy
    return "Check that the folder exists and that its owner runs this program."


def _make(path: Path) -> None:
    """Make the file before SQLite does, so that nobody else can ever read it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _version(connection: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
    if not connection.execute(query).fetchone()[0]:
        return 0
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    return int(row[0]) if row else 0


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the numbered schema files above the store's version, each in one transaction."""
    found = _version(connection)
    if found > VERSION:
        _refuse(path, found)
    for number in range(found + 1, VERSION + 1):
        script = resources.files(__package__).joinpath("schema", f"{number:03d}.sql").read_text()
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\n"
            "DELETE FROM meta WHERE key = 'schema_version';\n"
            f"INSERT INTO meta (key, value) VALUES ('schema_version', '{number}');\nCOMMIT;"
        )


def _refuse(path: Path, found: int) -> None:
    if found > VERSION:
        raise StoreError(
            f"The store {path} has version {found}; this program knows {VERSION}.",
            remedy="Install the newer traceai-evidence that wrote it.",
        )
    raise StoreError(
        f"The store {path} is empty or of version {found}; this program reads {VERSION}.",
        remedy="Start `traceai collect` on it once.",
    )
