"""The doors for `opentelemetry-instrument`, named by the package's entry points.

`opentelemetry-instrument` loads what the entry points name, one object a library, and asks it to
instrument. Ours stand in for `traceai.instrument(libraries=…)`, so one line in code, `traceai run`
and `opentelemetry-instrument` do the same.
"""

from __future__ import annotations

from typing import Any, ClassVar


class _Instrumentor:
    """The interface of OpenTelemetry's `BaseInstrumentor`, without that dependency."""

    library: ClassVar[str]

    def instrument(self, **kwargs: Any) -> None:
        """Record the calls of the library, beside those that are recorded already.

        Args:
            kwargs: `tracer_provider`, as OpenTelemetry passes it; the rest is ignored.
        """
        from traceai.instrumentation import add  # noqa: PLC0415 - this file is read before the SDK

        add(self.library, tracer_provider=kwargs.get("tracer_provider"))

    def uninstrument(self, **_: Any) -> None:
        """Take the library's patches away; the last one to go silences everything."""
        from traceai.instrumentation import take_away  # noqa: PLC0415 - see instrument

        take_away(self.library)

    def instrumentation_dependencies(self) -> tuple[str, ...]:
        """Return no requirement: an unsupported version is named in the start-up line instead."""
        return ()


class OpenAIInstrumentor(_Instrumentor):
    """The OpenAI SDK."""

    library = "openai"


class LangChainInstrumentor(_Instrumentor):
    """LangChain and LangGraph."""

    library = "langchain"
