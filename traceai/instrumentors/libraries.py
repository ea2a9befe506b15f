"""Patch the libraries that were asked for: at once if imported, otherwise when they are.

Importing a library to patch it would cost an application that never uses it most of a second, so a
hook waits for the import instead.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

import wrapt

from traceai.errors import guard
from traceai.instrumentors.threads import Threads
from traceai.instrumentors.versions import LANGCHAIN, LANGGRAPH, OPENAI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from traceai.instrumentors.patch import Applied, Supported
    from traceai.recorder import Recorder

_log = logging.getLogger("traceai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An installed distribution: its name, its version, and what we need if that is not it."""

    name: str
    version: str
    needs: str | None


class Instrumentation(Protocol):
    """The patches of one library."""

    def apply(self) -> tuple[Applied, ...]:
        """Put the patches in place; doing it again adds what could not be patched before.

        Returns:
            What became of each distribution that makes the library up.
        """
        ...

    def remove(self) -> None:
        """Undo them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library that can be instrumented.

    Attributes:
        name: what `instrument(libraries=…)` calls it.
        versions: the distributions that make it up; the first must be there.
        modules: whose import is the moment to patch.
        make: returns its instrumentation; imports the library.
    """

    name: str
    versions: tuple[Supported, ...]
    modules: tuple[str, ...]
    make: Callable[[Recorder], Instrumentation]

    def found(self) -> tuple[Found, ...]:
        """Return what is installed of it, supported or not, without importing it."""
        return tuple(found for known in self.versions if (found := _found(known)))

    def is_imported(self) -> bool:
        """Say whether the application has imported it."""
        return any(module in sys.modules for module in self.modules)


def _found(known: Supported) -> Found | None:
    installed = known.install(())
    if installed.version is None:
        return None
    low, high = (".".join(map(str, bound)) for bound in (known.low, known.high))
    needs = None if installed.supported else f">={low},<{high}"
    return Found(name=known.library, version=installed.version, needs=needs)


class _OpenAI:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._applied: Applied | None = None

    def apply(self) -> tuple[Applied, ...]:
        from traceai.instrumentors.openai import instrument_openai  # noqa: PLC0415 - on demand

        self._applied = instrument_openai(self._recorder)
        return (self._applied,)

    def remove(self) -> None:
        if self._applied is not None:
            self._applied.remove()


def _langchain(recorder: Recorder) -> Instrumentation:
    from traceai.instrumentors.langchain import (  # noqa: PLC0415 - it imports langchain_core
        LangChainInstrumentation,
    )

    return LangChainInstrumentation(recorder)


KNOWN: Final = {
    library.name: library
    for library in (
        Library(name="openai", versions=(OPENAI,), modules=("openai",), make=_OpenAI),
        Library(
            name="langchain",
            versions=(LANGCHAIN, LANGGRAPH),
            modules=("langchain_core", "langgraph.pregel.main"),
            make=_langchain,
        ),
    )
}


class Libraries:
    """The instrumentations in force, all recording with one recorder.

    Attributes:
        warnings: what is missing or wrong in what was patched so far, a sentence each. Each is
            also logged once: most libraries are imported, and patched, after the start-up line.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._wanted: frozenset[str] = frozenset()
        self._made: dict[str, Instrumentation] = {}
        self._hooked: set[str] = set()
        self._threads = Threads()
        self.warnings: tuple[str, ...] = ()

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the libraries that are, or will be, patched."""
        return self._wanted

    def want(self, names: Iterable[str]) -> None:
        """Patch these libraries and no others: at once, or as soon as they are imported."""
        self._wanted = frozenset(names)
        for name in [name for name in self._made if name not in self._wanted]:
            with guard:
                self._made.pop(name).remove()
        with guard:
            if self._wanted:
                self._warn(self._threads.apply())
            else:
                self._threads.remove()
        for name in self._wanted:
            self._watch(KNOWN[name])

    def _watch(self, library: Library) -> None:
        """Patch now what is imported; wait for the rest, once in the life of a process."""
        if library.name in self._hooked:
            if library.is_imported():
                self._patch(library)
            return
        self._hooked.add(library.name)
        for module in library.modules:
            wrapt.register_post_import_hook(lambda _: self._patch(library), module)

    def _patch(self, library: Library) -> None:
        if library.name not in self._wanted:
            return
        with guard:
            made = self._made.get(library.name)
            if made is None:
                self._made[library.name] = made = library.make(self._recorder)
            self._warn(chain.from_iterable(each.warnings for each in made.apply()))

    def _warn(self, warnings: Iterable[str]) -> None:
        """Say what is missing, once, to whoever set logging up."""
        for warning in warnings:
            if warning not in self.warnings:
                self.warnings += (warning,)
                _log.warning("%s", warning)
