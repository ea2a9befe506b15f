"""What is done with a span of a tracer provider when it starts and when it ends.

When it starts, the identity in force is written on it, whoever starts it. When it ends, it is
exported if it is evidence (a model, tool, retrieval or guardrail call in any dialect) or an
ancestor of evidence: never every HTTP span of the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import SpanProcessor

from traceai.context import identity
from traceai.errors import guard
from traceai.semconv import IDENTITY, SCOPE

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span
    from opentelemetry.trace import SpanContext

    from traceai.exporter import Exporter

# What each dialect is known by. The identity stands on every span, so it tells nothing.
_DIALECTS: Final = (
    "gen_ai.",  # OpenTelemetry, OpenLLMetry, traceAI, Logfire, LangSmith
    "traceai.",
    "openinference.",
    "llm.",  # OpenInference and OpenLLMetry
    "traceloop.",
    "langfuse.",
    "langsmith.",
    "ai.operationId",  # Vercel
    "ai.telemetry.",
    "mcp.",
    "pydantic_ai.",
)
_MAX_ANCESTORS: Final = 16_384


def is_evidence(span: ReadableSpan) -> bool:
    """Say whether a span is a call that evidence is about, by its scope or its attributes."""
    scope = span.instrumentation_scope
    if scope is not None and scope.name == SCOPE:
        return True
    return any(key.startswith(_DIALECTS) and key not in IDENTITY for key in span.attributes or ())


class Ancestors:
    """Remember which spans, still open, have evidence beneath them; bounded, oldest first out.

    Two generations of plain dictionaries: spans may end inside a garbage collection, so nothing
    here may take a lock or break when it is entered again.
    """

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, None] = {}
        self._old: dict[int, None] = {}

    def add(self, parent: SpanContext | None) -> None:
        """Ask for the span that is the parent of evidence, unless it is in another process."""
        if parent is None or parent.is_remote:
            return
        self._new[parent.span_id] = None
        if len(self._new) >= _MAX_ANCESTORS // 2:
            self._old, self._new = self._new, {}

    def __contains__(self, span_id: int) -> bool:
        return span_id in self._new or span_id in self._old


class IdentityProcessor(SpanProcessor):
    """Copy the identity in force to every span that starts, whoever starts it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Write the identity; a value of the application's own under the same key is replaced."""
        attributes = identity(parent_context)
        if attributes:
            span.set_attributes(attributes)


class EvidenceProcessor(IdentityProcessor):
    """Write identity on spans that start, and hand evidence that ends to the exporter.

    A processor cannot be taken off a provider: while inactive it does nothing at all.

    Attributes:
        active: whether it does anything.
        exporter: takes finished spans; None to write identities only.
    """

    def __init__(self, ancestors: Ancestors | None = None) -> None:
        self.active = False
        self.exporter: Exporter | None = None
        self._ancestors = Ancestors() if ancestors is None else ancestors

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Write the identity, and ask for the parent while it is certainly open."""
        if not self.active:
            return
        with guard:
            super().on_start(span, parent_context)
            if is_evidence(span):
                self._ancestors.add(span.parent)

    def on_end(self, span: ReadableSpan) -> None:
        """Export evidence, and what evidence hangs from: children end before their parents."""
        exporter = self.exporter
        if exporter is None or not self.active:
            return
        with guard:
            context = span.get_span_context()
            wanted = context is not None and context.span_id in self._ancestors
            if wanted or is_evidence(span):
                self._ancestors.add(span.parent)
                exporter.put(span)

    def shutdown(self) -> None:
        """Do nothing: the exporter outlives a provider, and the end of the process flushes it."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait for what waits; say whether nothing does any more."""
        exporter = self.exporter
        if exporter is None or not self.active:
            return True
        return exporter.flush(timeout_millis / 1000).spooled == 0
