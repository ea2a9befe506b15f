"""Look up what was given, as an argument or in a variable, and refuse a value that cannot be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from traceai.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Given:
    """Look a value up under its argument, then under its variables in order."""

    def __init__(self, environ: Mapping[str, str], arguments: Mapping[str, Any]) -> None:
        self.environ = environ
        self.arguments = arguments

    def find(self, argument: str | None, *variables: str) -> tuple[str, Any] | None:
        """Return the key that decides and its value; an empty variable counts as unset."""
        value = self.arguments.get(argument) if argument else None
        if value is not None:
            return f"{argument}=", value
        return next(
            ((name, self.environ[name].strip()) for name in variables if self.environ.get(name)),
            None,
        )

    def text(self, argument: str | None, *variables: str) -> str | None:
        """Return a text that is not empty."""
        found = self.find(argument, *variables)
        if found is None:
            return None
        key, value = found
        if not isinstance(value, str) or not value:
            raise wrong(key, value, "a text that is not empty")
        return value

    def path(self, argument: str) -> str | None:
        """Return a path, given as a text or as an object such as `pathlib.Path`."""
        found = self.find(argument)
        if found is None:
            return None
        key, value = found
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(path, str) or not path:
            raise wrong(key, value, "a path that is not empty")
        return path

    def choice(
        self, argument: str | None, variables: Iterable[str], allowed: Iterable[str], default: str
    ) -> str:
        """Return one of the `allowed` words."""
        found = self.find(argument, *variables)
        if found is None:
            return default
        key, value = found
        word = value.lower() if isinstance(value, str) else value
        if word not in allowed:
            raise wrong(key, value, "one of " + ", ".join(allowed))
        return str(word)

    def count(self, variable: str, default: int) -> int:
        """Return a whole number above zero."""
        found = self.find(None, variable)
        if found is None:
            return default
        key, value = found
        if not value.isdecimal() or int(value) == 0:
            raise wrong(key, value, "a whole number above 0")
        return int(value)

    def seconds(self, variables: Iterable[str], default: float) -> float:
        """Return a number of seconds above zero.

        The specification says milliseconds; the official exporters of Python read seconds, and
        whoever has set a variable for those means the same here.
        """
        found = self.find(None, *variables)
        if found is None:
            return default
        key, value = found
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise wrong(key, value, "a number of seconds above 0")
        return seconds

    def flag(self, variable: str) -> bool:
        """Return whether a variable says true; by the specification any other word is false."""
        return self.environ.get(variable, "").strip().lower() == "true"


def wrong(key: str, value: object, allowed: str) -> ConfigurationError:
    """Return the error that names an argument (`name=`) or a variable, its value and the remedy."""
    place = f"instrument({key}…)" if key.endswith("=") else key
    return ConfigurationError(f"{place} is {value!r}.", remedy=f"It takes {allowed}.")


def pairs(text: str) -> list[tuple[str, str]]:
    """Split `key=value,key=value`, percent-encoded; a pair without `=` has an empty key."""
    items = [item.partition("=") for item in text.split(",") if item.strip()]
    return [(unquote(k).strip() if mark else "", unquote(v).strip()) for k, mark, v in items]
