"""Choose the tracer provider that a span of ours goes through, span by span.

- The application has an SDK provider, now or later: our spans go through it, so that its own
  backend sees them, and our processor is added to it.
- It does not record a span (it samples): we record it on our own provider, with the same trace id
  and the same sampled flag, so that the application's sampling stays what it was.
- It has none: ours becomes the global one, until the application sets its own.
- `isolated`: ours alone, and nothing of the application's is touched.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.util._decorator import _agnosticcontextmanager

from traceai.processor import EvidenceProcessor, OpenSpans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Link, Span, SpanKind, Tracer
    from opentelemetry.trace.span import TraceState
    from opentelemetry.util.types import Attributes

    from traceai.exporter import Exporter

_MAX_ATTRIBUTES = 1024


class RecordEverything(Sampler):
    """Record every span; say *sampled* only where the application's own sampling would not differ.

    Attributes:
        beside: spans come here because the application's provider does not record them.
    """

    def __init__(self) -> None:
        self.beside = False

    def should_sample(  # noqa: PLR0917 - the sampler's interface
        self,
        parent_context: Context | None,
        trace_id: int,  # noqa: ARG002
        name: str,  # noqa: ARG002
        kind: SpanKind | None = None,  # noqa: ARG002
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,  # noqa: ARG002
    ) -> SamplingResult:
        """Record; what runs beneath is sampled as it would be without us."""
        parent = trace.get_current_span(parent_context).get_span_context()
        quiet = self.beside or (parent.is_valid and not parent.trace_flags.sampled)
        decision = Decision.RECORD_ONLY if quiet else Decision.RECORD_AND_SAMPLE
        return SamplingResult(decision, attributes, parent.trace_state)

    def get_description(self) -> str:
        """Return the sampler's name."""
        return "traceai.RecordEverything"


class OwnProvider(TracerProvider):
    """Our own provider: it records everything, with room for every attribute.

    The tracers that it hands out give way to a provider that the application sets later.
    """

    def __init__(self, resource: Resource) -> None:
        self.everything = RecordEverything()
        limits = SpanLimits(
            max_span_attributes=_MAX_ATTRIBUTES, max_span_attribute_length=SpanLimits.UNSET
        )
        super().__init__(sampler=self.everything, resource=resource, span_limits=limits)

    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """Return a tracer that follows the global provider."""
        return FollowingTracer(self, args, kwargs)

    def own_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        """Return a tracer that stays here."""
        return super().get_tracer(*args, **kwargs)


class FollowingTracer(trace.Tracer):
    """A tracer of the application's, handed out before it set its own provider."""

    def __init__(self, owner: OwnProvider, args: Any, kwargs: Any) -> None:
        self._owner = owner
        self._named = args, kwargs
        self._provider: trace.TracerProvider = owner
        self._tracer = owner.own_tracer(*args, **kwargs)

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        """Start a span on the provider that is now the global one."""
        return self._current().start_span(*args, **kwargs)

    @_agnosticcontextmanager
    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Iterator[Span]:
        """Start a span there, current within the block."""
        with self._current().start_as_current_span(*args, **kwargs) as span:
            yield span

    def _current(self) -> Tracer:
        now = trace.get_tracer_provider()
        if now is not self._provider:
            self._provider = now
            args, kwargs = self._named
            is_own = now is self._owner
            self._tracer = (self._owner.own_tracer if is_own else now.get_tracer)(*args, **kwargs)
        return self._tracer


class EvidenceTracer(trace.Tracer):
    """The tracer of our instrumentations: what it starts is recorded, whatever the sampling.

    Args:
        own: our own provider.
        application: returns the application's provider of the moment, if it has one.
        name: what tracers are named: scope, version and schema.
    """

    def __init__(
        self,
        own: OwnProvider,
        application: Callable[[], TracerProvider | None],
        name: tuple[str, str, str],
    ) -> None:
        scope, version, schema = self._name = name
        self._own_tracer = own.own_tracer(scope, version, schema_url=schema)
        self._application = application
        self._seen: tuple[TracerProvider, Tracer] | None = None

    def start_span(
        self, name: str, context: Context | None = None, *args: Any, **kwargs: Any
    ) -> Span:
        """Start a span on the application's provider, or beside it if that does not record it."""
        if (application := self._application()) is not None:
            span = self._tracer_of(application).start_span(name, context, *args, **kwargs)
            if span.is_recording():
                return span
        return self._own_tracer.start_span(name, context, *args, **kwargs)

    @_agnosticcontextmanager
    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Iterator[Span]:
        """Start a span, current within the block."""
        with trace.use_span(self.start_span(name, *args, **kwargs), end_on_exit=True) as span:
            yield span

    def _tracer_of(self, application: TracerProvider) -> Tracer:
        seen = self._seen
        if seen is None or seen[0] is not application:
            scope, version, schema = self._name
            tracer = application.get_tracer(scope, version, schema_url=schema)
            self._seen = seen = application, tracer
        return seen[1]


class Providers:
    """The providers that carry our processor: our own, and those of the application."""

    def __init__(self, resource: Resource) -> None:
        self.own = OwnProvider(resource)
        self._spans = OpenSpans()
        self._equipped: dict[int, tuple[TracerProvider, EvidenceProcessor]] = {}
        self._exporter: Exporter | None = None
        self._active = False
        self._isolated = False
        self._lock = threading.RLock()

    def tracer(
        self,
        name: tuple[str, str, str],
        exporter: Exporter | None,
        *,
        chosen: TracerProvider | None = None,
        isolated: bool = False,
    ) -> EvidenceTracer:
        """Return the tracer of our spans, and hand evidence that ends to `exporter` from now on.

        Args:
            name: scope, version and schema of the tracer.
            exporter: takes finished evidence; None to export nothing.
            chosen: the provider to use instead of the global one.
            isolated: use our own provider alone.
        """
        self._exporter, self._isolated, self._active = exporter, isolated, True
        self._equip(self.own)
        self._switch()
        application = self._chooser(chosen)
        if not isolated and application() is None:
            _offer(self.own)
        return EvidenceTracer(self.own, application, name)

    def silence(self) -> None:
        """Make every processor inert, and take back the offer of a global provider."""
        self._active = False
        self._switch()
        _withdraw(self.own)

    def _switch(self) -> None:
        for provider, processor in list(self._equipped.values()):
            processor.exporter = self._exporter
            processor.active = self._active and (provider is self.own or not self._isolated)

    def _chooser(self, chosen: TracerProvider | None) -> Callable[[], TracerProvider | None]:
        def application() -> TracerProvider | None:
            if self._isolated:
                return None
            found = chosen or application_provider()
            self.own.everything.beside = found is not None
            if found is not None and id(found) not in self._equipped:
                self._equip(found)
            return found

        return application

    def _equip(self, provider: TracerProvider) -> None:
        with self._lock:
            if id(provider) not in self._equipped:
                processor = EvidenceProcessor(self._spans)
                processor.exporter, processor.active = self._exporter, self._active
                self._equipped[id(provider)] = provider, processor
                provider.add_span_processor(processor)


def application_provider() -> TracerProvider | None:
    """Return the application's global provider, if it is one that processors can be added to."""
    found = trace.get_tracer_provider()
    if isinstance(found, OwnProvider) or not hasattr(found, "add_span_processor"):
        return None
    return cast("TracerProvider", found)


def sampling(provider: TracerProvider | None) -> str | None:
    """Describe the sampler of a provider; None when it samples everything, or says nothing."""
    sampler = getattr(provider, "sampler", None)
    said = sampler.get_description() if isinstance(sampler, Sampler) else "AlwaysOnSampler"
    everything = ("AlwaysOnSampler", "ParentBased{root:AlwaysOnSampler,")
    return None if said.startswith(everything) else said


def _offer(provider: OwnProvider) -> None:
    """Make ours the global provider, without using up the one time that it can be set."""
    if hasattr(trace, "_TRACER_PROVIDER"):
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace._TRACER_PROVIDER = provider  # noqa: SLF001 - the public setter would lock it
    else:
        trace.set_tracer_provider(provider)


def _withdraw(provider: OwnProvider) -> None:
    if getattr(trace, "_TRACER_PROVIDER", None) is provider:
        trace._TRACER_PROVIDER = None  # noqa: SLF001 - the counterpart of _offer
