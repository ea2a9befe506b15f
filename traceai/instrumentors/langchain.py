"""Instrument LangChain and LangGraph: one handler for the data, boundaries for the context."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from traceai.instrumentors.langchain_boundaries import Boundaries
from traceai.instrumentors.langchain_handler import RunHandler
from traceai.instrumentors.versions import LANGCHAIN, LANGGRAPH

if TYPE_CHECKING:
    from traceai.instrumentors.patch import Applied
    from traceai.recorder import Recorder

# Importing LangGraph to patch it would slow down every application that does without.
_GRAPHS: Final = "langgraph.pregel.main"


class LangChainInstrumentation:
    """Record the runs of LangChain and LangGraph: `apply()` once, `remove()` when done.

    Args:
        recorder: opens the spans.

    Attributes:
        recorder: the same.
        runs: the runs in flight.
        libraries: what became of each library that was patched, `langchain-core` first.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._handler = RunHandler(recorder)
        self._boundaries = Boundaries(self._handler)
        self.recorder = recorder
        self.runs = self._handler.runs
        self.libraries: tuple[Applied, ...] = ()

    def apply(self) -> tuple[Applied, ...]:
        """Patch LangChain, and LangGraph if it has been imported; say what became of them.

        Doing it again adds what had not been imported before.
        """
        self._handler.active = True
        chains = LANGCHAIN.install(self._boundaries.langchain())
        if chains.supported and _GRAPHS in sys.modules:
            self.libraries = (chains, LANGGRAPH.install(self._boundaries.langgraph()))
        else:
            self.libraries = (chains,)
        return self.libraries

    def remove(self) -> None:
        """Undo every patch and abandon the runs in flight."""
        self._handler.active = False
        for library in self.libraries:
            library.remove()
        self.runs.clear()
        self.libraries = ()
