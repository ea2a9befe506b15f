"""Say which process speaks: service, release, environment, instance and revision of the code.

What `instrument()` was told stands above the application's own resource, which stands above the
environment and what can be found out. Nothing here runs a program or opens a socket.
"""

from __future__ import annotations

import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import Resource

from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from traceai.config import Config

_UNKNOWN: Final = "unknown_service"
_INSTALLED: Final = ("scripts", "purelib", "platlib", "stdlib")
_MAX_GIT_BYTES: Final = 1 << 20
_NEEDED: Final = {
    "service.name": semconv.SERVICE_NAME,
    "release": semconv.SERVICE_VERSION,
    "environment": semconv.DEPLOYMENT_ENVIRONMENT_NAME,
}


def uuid7(now_ms: int, random: bytes) -> str:
    """Return the UUID version 7 of RFC 9562 for a time and ten random bytes: sorts by time."""
    value = (now_ms & (1 << 48) - 1) << 80 | int.from_bytes(random[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def stated(config: Config) -> dict[str, str]:
    """Return what the arguments of `instrument()` say of the process."""
    said = {
        semconv.SERVICE_NAME: config.service,
        semconv.SERVICE_VERSION: config.release,
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: config.environment,
    }
    return {key: value for key, value in said.items() if value is not None}


def known(config: Config, *, revision: str | None) -> dict[str, str]:
    """Return what holds where neither the arguments nor the application's resource speak."""
    found = {semconv.VCS_REF_HEAD_REVISION: revision} if revision else {}
    return {**found, **config.resource}


def complete(resource: Resource, stated: Mapping[str, str], known: Mapping[str, str]) -> Resource:
    """Return `resource` with `stated` on top of it and `known` beneath it."""
    own = dict(resource.attributes)
    if is_unnamed(own.get(semconv.SERVICE_NAME)) and semconv.SERVICE_NAME in known:
        own.pop(semconv.SERVICE_NAME, None)
    return Resource({**known, **own, **stated}, resource.schema_url)


def nameless(resource: Resource) -> Resource:
    """Return `resource` without the instance id that the SDK makes up: forks re-make ours."""
    attributes = dict(resource.attributes)
    attributes.pop(semconv.SERVICE_INSTANCE_ID, None)
    return Resource(attributes, resource.schema_url)


def is_unnamed(name: object) -> bool:
    """Say whether a service name is absent, or the placeholder that an SDK puts in its place."""
    return not name or str(name).startswith(_UNKNOWN)


def missing(resource: Resource) -> list[str]:
    """Return what a resource lacks for complete evidence, by the words of `instrument()`."""
    said = resource.attributes
    return [
        word
        for word, key in _NEEDED.items()
        if not said.get(key) or (key == semconv.SERVICE_NAME and is_unnamed(said[key]))
    ]


def scope_version() -> str:
    """Return the version of this library, as the version of its scope; nothing if not installed."""
    try:
        return version("traceai-evidence")
    except PackageNotFoundError:
        return ""


def program(main: ModuleType | None) -> Path | None:
    """Return the file of the program that runs, by its module `__main__`.

    None for a session without a file, and for a program that is installed, such as a server that
    loads the application: where it lies tells nothing of the application.
    """
    name = getattr(main, "__file__", None)
    if not isinstance(name, str):
        return None
    try:
        file = Path(name).resolve()
    except (OSError, ValueError):
        return None
    paths = sysconfig.get_paths()
    places = (Path(paths[key]).resolve() for key in _INSTALLED)
    return None if any(map(file.is_relative_to, places)) else file


def revision(file: Path | None) -> str | None:
    """Return the commit that the work tree around `file` is at, by reading `.git` alone."""
    for place in file.parents if file else ():
        git = place / ".git"
        if git.is_dir():
            return _head(git)
        if git.is_file():
            _, _, target = _read(git).partition("gitdir:")
            return _head(place / target.strip()) if target.strip() else None
    return None


def _head(git: Path) -> str | None:
    head = _read(git / "HEAD")
    if not head.startswith("ref:"):
        return _commit(head)
    name = head.removeprefix("ref:").strip()
    shared = _read(git / "commondir")
    for home in (git, git / shared) if shared else (git,):
        if found := _commit(_read(home / name)) or _packed(_read(home / "packed-refs"), name):
            return found
    return None


def _packed(text: str, name: str) -> str | None:
    for line in text.splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return _commit(commit)
    return None


def _commit(text: str) -> str | None:
    """Return `text` if it is a SHA-1 or SHA-256 of git, in hex."""
    known_length = len(text) in (40, 64)
    return text if known_length and all(digit in "0123456789abcdef" for digit in text) else None


def _read(path: Path) -> str:
    """Return a small text file; nothing when it is absent, unreadable or too large."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_GIT_BYTES).strip()
    except OSError:
        return ""
