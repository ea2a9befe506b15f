"""Say in one line what was set up, where spans go, and what is missing for complete evidence."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, TextIO
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from traceai.config import Config, Target
    from traceai.instrumentors.libraries import Found

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_CONNECT_S: Final = 0.1


def summary(
    config: Config,
    *,
    found: Iterable[Found],
    missing: Sequence[str],
    sampler: str | None,
    final: bool = True,
    reachable: bool | None = None,
) -> str:
    """Return the start-up line.

    Args:
        config: what is in force.
        found: the libraries that are installed, supported or not.
        missing: what the resource lacks.
        final: the program has had its say; otherwise it may name what is missing yet.
        sampler: the application's sampler, if it does not record everything.
        reachable: whether somebody listens at the endpoint; None when that is not known.
    """
    libraries = " ".join(map(_library, found)) or "no library to record is installed"
    nobody = " (nobody listens there yet)" if reachable is False else ""
    said = [f"traceai: {libraries} → {_place(config.target)}{nobody}"]
    said.append(f"content: {config.content}")
    if config.durability in ("durable", "strict"):
        said.append("durability: observe (the spool is not built yet)")
    if sampler:
        said.append(f"sampling: evidence is recorded in full beside the application's {sampler}")
    if missing:
        unless = "" if final else " (unless the program says it)"
        said.append(f"missing for complete evidence{unless}: {', '.join(missing)}")
    return " | ".join(said)


def reachable(endpoint: str) -> bool | None:
    """Say whether somebody listens at an address of this machine; None for another machine's.

    Only loopback is asked: it answers at once, whatever the answer is.
    """
    parts = urlsplit(endpoint)
    if parts.hostname not in _LOOPBACK or parts.port is None:
        return None
    try:
        socket.create_connection((parts.hostname, parts.port), _CONNECT_S).close()
    except OSError:
        return False
    return True


def say(line: str, stream: TextIO | None) -> None:
    """Write a line where it can be written, in the letters that the stream has."""
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def _library(found: Found) -> str:
    mark = "✓" if found.needs is None else f"✗ needs {found.needs}"
    return f"{found.name} {found.version} {mark}"


def _place(target: Target) -> str:
    """Return where spans go, without a password that may stand in the address."""
    if target.exporter != "otlp":
        return {"none": "nowhere (OTEL_TRACES_EXPORTER=none)"}.get(target.exporter, "the console")
    parts = urlsplit(target.endpoint)
    if "@" not in parts.netloc:
        return target.endpoint
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
