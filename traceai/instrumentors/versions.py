"""The versions of client libraries that we know. Importing this imports none of them."""

from __future__ import annotations

from typing import Final

from traceai.instrumentors.patch import Supported

OPENAI: Final = Supported(library="openai", low=(1, 40), high=(4,))
LANGCHAIN: Final = Supported(library="langchain-core", low=(1, 0), high=(2,))
LANGGRAPH: Final = Supported(library="langgraph", low=(1, 0), high=(2,))
