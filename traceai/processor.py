"""What is done with a span of a tracer provider when it starts and when it ends.

When it starts, the identity in force is written on it, whoever starts it. When it ends, it is
exported if it is evidence (a model, tool, retrieval or guardrail call in any dialect) or an
ancestor of evidence: never every HTTP span of the application.

A parent that is not exported (of a provider that is not ours to watch, sampled out, or over before
evidence began beneath it) is said to be elsewhere: it is not missing, it never comes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import SpanContext

from traceai.context import identity
from traceai.errors import guard
from traceai.semconv import IDENTITY, SCOPE

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan

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
_MAX_OPEN: Final = 16_384


def is_evidence(span: ReadableSpan) -> bool:
    """Say whether a span is a call that evidence is about, by its scope or its attributes."""
    scope = span.instrumentation_scope
    if scope is not None and scope.name == SCOPE:
        return True
    return any(key.startswith(_DIALECTS) and key not in IDENTITY for key in span.attributes or ())


class OpenSpan:
    """A span that has not ended: the one above it, and whether it will be exported.

    Whether it is exported is decided once, by evidence beneath it or by its end, whichever comes
    first: `dict.setdefault` is one atomic step, so two threads never decide differently.
    """

    __slots__ = ("_fate", "above")

    def __init__(self, above: OpenSpan | None = None) -> None:
        self.above = above
        self._fate: dict[None, bool] = {}

    @property
    def decided(self) -> bool:
        """Say whether that is known."""
        return bool(self._fate)

    @property
    def exported(self) -> bool:
        """Say whether it is, or will be, exported."""
        return self._fate.get(None, False)

    def decide(self, *, exported: bool) -> bool:
        """Decide, unless that is done; return what was decided."""
        return self._fate.setdefault(None, exported)

    def want(self) -> None:
        """Ask for this span and all above it, as far up as they are open."""
        span: OpenSpan | None = self
        while span is not None and not span.decided and span.decide(exported=True):
            span = span.above


class OpenSpans:
    """Remember the open spans that a processor of ours has seen; bounded, oldest first out.

    Two generations of plain dictionaries: spans may end inside a garbage collection, so nothing
    here may take a lock or break when it is entered again.
    """

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[int, OpenSpan] = {}
        self._old: dict[int, OpenSpan] = {}

    def open(self, span_id: int, above: OpenSpan | None) -> OpenSpan:
        """Remember a span."""
        self._new[span_id] = known = OpenSpan(above)
        if len(self._new) >= _MAX_OPEN // 2:
            self._old, self._new = self._new, {}
        return known

    def find(self, span_id: int) -> OpenSpan | None:
        """Return an open span; None where it is not known."""
        return self._new.get(span_id) or self._old.get(span_id)

    def close(self, span_id: int) -> OpenSpan:
        """Forget a span and return what was known of it."""
        return self._new.pop(span_id, None) or self._old.pop(span_id, None) or OpenSpan()


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

    def __init__(self, spans: OpenSpans | None = None) -> None:
        self.active = False
        self.exporter: Exporter | None = None
        self._spans = OpenSpans() if spans is None else spans

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Write the identity, and ask for what is above evidence while it is certainly open."""
        if not self.active:
            return
        with guard:
            super().on_start(span, parent_context)
            if self.exporter is not None:
                above = self._above(span, trace.get_current_span(parent_context))
                opened = self._spans.open(span.get_span_context().span_id, above)
                if is_evidence(span):
                    opened.want()

    def on_end(self, span: ReadableSpan) -> None:
        """Export evidence, and what evidence hangs from: children end before their parents."""
        exporter = self.exporter
        context = span.get_span_context()
        if exporter is None or not self.active or context is None:
            return
        with guard:
            known = self._spans.close(context.span_id)
            # A span that is over keeps nothing alive: chains of them would grow without bound.
            above, known.above = known.above, None
            if not known.decide(exported=is_evidence(span)):
                return
            if above is not None:
                above.want()
            exporter.put(span if above is not None and above.exported else _apart(span))

    def _above(self, span: Span, parent: trace.Span) -> OpenSpan | None:
        """Return what is known of the span's parent, if it is one that we shall see the end of."""
        about = parent.get_span_context()
        if not about.is_valid or about.is_remote:
            return None
        known = self._spans.find(about.span_id)
        if known is None and _shares_provider(span, parent) and parent.is_recording():
            # It was open before there was a processor of ours.
            return self._spans.open(about.span_id, None)
        return known

    def shutdown(self) -> None:
        """Do nothing: the exporter outlives a provider, and the end of the process flushes it."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait for what waits; say whether nothing does any more."""
        exporter = self.exporter
        if exporter is None or not self.active:
            return True
        return exporter.flush(timeout_millis / 1000).spooled == 0


def _shares_provider(span: Span, parent: trace.Span) -> bool:
    """Say whether one provider made both: then the end of both is seen, or of neither."""
    return isinstance(parent, Span) and parent._span_processor is span._span_processor  # noqa: SLF001 - nothing public says whose a span is


def _apart(span: ReadableSpan) -> ReadableSpan:
    """Return the span with its parent said to be elsewhere; other processors hold the original."""
    parent = span.parent
    if parent is None or parent.is_remote:
        return span
    outgoing = copy.copy(span)
    outgoing._parent = SpanContext(  # noqa: SLF001 - a rebuilt span would lose its dropped counts
        parent.trace_id,
        parent.span_id,
        is_remote=True,
        trace_flags=parent.trace_flags,
        trace_state=parent.trace_state,
    )
    return outgoing
