"""Segment files: their names, how they come and go, and who may write them.

A segment is named by the position of its first frame and ends where the next one begins. Its first
16 bytes say what it is, and in which version; the frames follow.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from collector_processor.errors import AlreadyRunningError, JournalError

if TYPE_CHECKING:
    from pathlib import Path

PREAMBLE = b"traceai journal\x01"

_SUFFIX = ".segment"
_LOCK = "lock"
_REMEDIES = {
    errno.EACCES: "Let the collector's user write there, or name another directory.",
    errno.EPERM: "Let the collector's user write there, or name another directory.",
    errno.EROFS: "The file system is read-only: name another directory.",
    errno.ENOSPC: "The disk is full: free some space; senders are told to try again.",
    errno.EDQUOT: "The quota is used up: raise it; senders are told to try again.",
    errno.EIO: "The disk fails: look at the system's log before anything else.",
}


def explain(error: OSError, path: Path) -> JournalError:
    """Say what the operating system refused, and what to do."""
    return JournalError(
        f"The journal {path} cannot be used: {error.strerror}.",
        remedy=_REMEDIES.get(error.errno or 0, "Check the directory and its file system."),
    )


def claim(path: Path) -> int:
    """Make the directory and hold it: return the descriptor that holds it until it is closed.

    Raises:
        AlreadyRunningError: another process holds it.
        OSError: it cannot be made or written.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyRunningError(
            f"Another collector uses the journal {path}.",
            remedy="Stop it first, or give this one a directory of its own.",
        ) from None
    return descriptor


def segments(path: Path) -> tuple[int, ...]:
    """Return the position that each segment begins at, in order."""
    files = sorted(path.glob(f"*{_SUFFIX}"))
    for file in files:
        if not file.stem.isdecimal():
            raise JournalError(
                f"{file} is none of the journal's files.", remedy="Move it out of the directory."
            )
    return tuple(sorted(int(file.stem) for file in files))


def segment_path(path: Path, base: int) -> Path:
    """Return the file of the segment that begins at `base`."""
    return path / f"{base:020}{_SUFFIX}"


def create(path: Path, base: int) -> int:
    """Make an empty segment, durable, and return a descriptor that reads and writes it.

    A file of that name is emptied: it holds nothing that was acknowledged, or the segment would
    begin later.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(segment_path(path, base), flags, 0o600)
    try:
        os.pwrite(descriptor, PREAMBLE, 0)
        os.fsync(descriptor)
        sync_directory(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def remove(path: Path, bases: tuple[int, ...]) -> None:
    """Delete segments, durably."""
    for base in bases:
        segment_path(path, base).unlink(missing_ok=True)
    if bases:
        sync_directory(path)


def sync_directory(path: Path) -> None:
    """Make the coming and going of files in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_preamble(descriptor: int, file: Path) -> None:
    """Raise a JournalError unless the file is a segment of the version that we write."""
    if os.pread(descriptor, len(PREAMBLE), 0) != PREAMBLE:
        raise JournalError(
            f"{file} is not a segment of this version's journal.",
            remedy="Start the version that wrote it, or move the file away: what it holds is lost.",
        )
