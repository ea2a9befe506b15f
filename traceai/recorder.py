"""Open a span for a call and end it exactly once, with its outcome.

The span of a call is *open* until one of four things has happened: it completed, it failed, it was
cancelled, or whoever asked lost interest and abandoned it. Whichever comes first is the outcome.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from traceai import semconv
from traceai.attributes import render, safe_text
from traceai.call import Embedding, Inference, Retrieval
from traceai.context import identity
from traceai.errors import guard
from traceai.semconv import Outcome

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from traceai.attributes import Content
    from traceai.call import AttributeValue, Call

_INFERENCE = otel.create_key("traceai-inference")
# Whoever sets one of these owns the calls beneath: OpenTelemetry's own key, and OpenLLMetry's.
_SUPPRESS = (
    otel._SUPPRESS_INSTRUMENTATION_KEY,  # noqa: SLF001 - the API package has no other name for it
    "suppress_instrumentation",
    "suppress_language_model_instrumentation",
)


def suppressed() -> bool:
    """Say whether the application, or another instrumentation, asked for silence here."""
    current = otel.get_current()
    return any(current.get(key) for key in _SUPPRESS)


def outcome_of(error: BaseException) -> Outcome:
    """Return what an exception, seen leaving a call, means for its outcome."""
    if isinstance(error, GeneratorExit):
        return Outcome.ABANDONED
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return Outcome.CANCELLED
    return Outcome.ERROR


@dataclass(slots=True)
class Recorder:
    """Turn call records into spans of one tracer, under one content policy.

    Patches hold a recorder for as long as they live: a second `instrument()` changes the tracer
    and the policy in place.
    """

    tracer: Tracer
    content: Content

    def start(self, call: Call, *, parent: Context | None = None) -> Recording:
        """Open the span of `call` below `parent`, the current context by default.

        What the application's own tracer or span processors raise comes out here: the caller
        guards, and the call goes on bare.
        """
        name = f"{call.operation} {call.target}" if call.target else call.operation.value
        remote = isinstance(call, Inference | Embedding | Retrieval)
        first: dict[str, AttributeValue] = {semconv.OPERATION_NAME: call.operation.value}
        if call.provider:
            first[semconv.PROVIDER_NAME] = call.provider
        span = self.tracer.start_span(
            name,
            context=parent,
            kind=SpanKind.CLIENT if remote else SpanKind.INTERNAL,
            attributes=first,
            # Exceptions are content: an SDK that records them would bypass the content policy.
            record_exception=False,
            set_status_on_exception=False,
        )
        return Recording(call, span, self.content, parent)


class Recording:
    """One call in flight: fill `call`, then `end` it. Ending again does nothing.

    Attributes:
        call: the record to fill.
        span: its open span.
        context: the context with this span current, for what runs beneath it.
    """

    __slots__ = ("_content", "_open", "_parent", "call", "span")

    def __init__(self, call: Call, span: Span, content: Content, parent: Context | None) -> None:
        self.call = call
        self.span = span
        self._content = content
        self._parent = parent if parent is not None else otel.get_current()
        # `list.pop` is atomic: of two threads that end the same call, one gets the token.
        self._open = [True]

    @property
    def context(self) -> Context:
        """Return the context in which this call's span is the current one."""
        return trace.set_span_in_context(self.span, self._parent)

    @property
    def ended(self) -> bool:
        """Say whether the outcome is known."""
        return not self._open

    @property
    def captures(self) -> bool:
        """Say whether filling in content is worth the work."""
        return self._content.captured and self.span.is_recording()

    def complete(self) -> None:
        """End the call: its answer was delivered whole."""
        self.end(Outcome.COMPLETED)

    def fail(self, error: BaseException) -> None:
        """End the call by what it raised: error, cancelled or abandoned."""
        self.end(outcome_of(error), error)

    def abandon(self) -> None:
        """End the call: whoever asked stopped listening."""
        self.end(Outcome.ABANDONED)

    def end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        """End the span with `outcome`; the first end counts, the others do nothing.

        A call that completed with an error in its record is an error. Nothing is raised: span
        processors of the application that fail cost it no more than the span (P1).
        """
        try:
            self._open.pop()
        except IndexError:
            return
        call, span = self.call, self.span
        try:
            with guard:
                failed = outcome is Outcome.COMPLETED and call.error_type is not None
                call.outcome = outcome = Outcome.ERROR if failed else outcome
                if outcome is Outcome.ERROR and error is not None:
                    call.error_type = call.error_type or _type_name(error)
                    call.error_text = call.error_text or _said(error)
                if span.is_recording():
                    self._write(call, span)
        finally:
            with guard:
                span.end()

    def _write(self, call: Call, span: Span) -> None:
        span.set_attributes(render(call, self._content, identity(self._parent)))
        if call.outcome is Outcome.ERROR:
            said = safe_text(call.error_text, self._content) if call.error_text else None
            span.set_status(Status(StatusCode.ERROR, said))


def announce(recording: Recording) -> Context:
    """Return the recording's context, telling the model client beneath who has its span already."""
    return otel.set_value(_INFERENCE, [recording], recording.context)


def claim() -> Recording | None:
    """Take over the span that a framework has opened for the model call about to be made.

    A LangChain model run over the OpenAI SDK is one call and one span (P4): the first request
    beneath the run claims it and enriches it. A second request beneath it is a call of its own.
    """
    announced = otel.get_value(_INFERENCE)
    if not isinstance(announced, list):
        return None
    try:
        recording = announced.pop()
    except IndexError:
        return None
    return recording if isinstance(recording, Recording) and not recording.ended else None


def _said(error: BaseException) -> str | None:
    """Return what an error says; nothing if the application's own class fails to say it."""
    with guard:
        return str(error)
    return None


def _type_name(error: BaseException) -> str:
    kind = type(error)
    builtin = kind.__module__ == "builtins"
    return kind.__qualname__ if builtin else f"{kind.__module__}.{kind.__qualname__}"
