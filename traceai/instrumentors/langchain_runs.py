"""Which LangChain runs are in flight, what each one's nearest span is, and the context beneath it.

LangChain names the parent of every run, so the tree comes from there, not from whatever context a
callback happens to run in. Most runs (chains, prompts, parsers, graph nodes) have no span of their
own: they stand in the map so that their children find the nearest ancestor that has one.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from opentelemetry import context as otel
from opentelemetry import trace

from traceai.recorder import announce, outcome_of
from traceai.semconv import Outcome

if TYPE_CHECKING:
    from contextvars import Token
    from uuid import UUID

    from opentelemetry.context import Context

    from traceai.recorder import Recording

# The last resort against runs that LangChain never ends; far above what runs at the same time.
LIMIT: Final = 20_000

_NEAREST = otel.create_key("traceai-langchain-nearest")
_MODEL = otel.create_key("traceai-langchain-model")
_SLOT = otel.create_key("traceai-langchain-slot")
_GRAPH: ContextVar[tuple[UUID | None] | None] = ContextVar("traceai-langchain-graph", default=None)


class Run:
    """One run in flight.

    Attributes:
        parent: the run that it is a child of.
        recording: its own span; None for a run that has none.
        nearest: its own span or that of its nearest ancestor that has one.
        conversation: the conversation it belongs to.
        agent: the name of the agent it runs for.
        prompt: step, name and version of the last named prompt template of this sequence.
        children: the runs beneath that are in flight.
        started: monotonic seconds, for the time to the first chunk.
    """

    __slots__ = (
        "agent",
        "children",
        "conversation",
        "nearest",
        "parent",
        "prompt",
        "recording",
        "started",
    )

    def __init__(self, parent: Run | None) -> None:
        self.parent = parent
        self.recording: Recording | None = None
        self.nearest: Recording | None = parent.nearest if parent else None
        self.conversation: str | None = parent.conversation if parent else None
        self.agent: str | None = parent.agent if parent else None
        self.prompt: tuple[int, str, str | None] | None = None
        self.children: dict[UUID, Run] = {}
        self.started = 0.0


class Runs:
    """The runs in flight, by their id; at most `limit`, the oldest of more are abandoned."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._runs: dict[UUID, Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: UUID | None) -> Run | None:
        """Return a run in flight."""
        return self._runs.get(run_id) if run_id is not None else None

    def add(self, run_id: UUID, run: Run) -> None:
        """Put a run in flight."""
        self._runs[run_id] = run
        if run.parent is not None:
            run.parent.children[run_id] = run
        if len(self._runs) > self._limit:
            self._evict()

    def remove(self, run_id: UUID) -> Run | None:
        """Take a run out; its recording is the caller's to end."""
        run = self._runs.pop(run_id, None)
        if run is not None and run.parent is not None:
            run.parent.children.pop(run_id, None)
        return run

    def give_up(self, run_id: UUID | None, error: BaseException | None) -> None:
        """End a run whose code was left and that LangChain has not ended, as it does not always."""
        run = self.remove(run_id) if run_id is not None else None
        if run is None:
            return
        outcome = outcome_of(error) if error is not None else Outcome.ABANDONED
        self.close(run, outcome)
        if run.recording is not None:
            run.recording.end(outcome, error)

    def close(self, run: Run, outcome: Outcome) -> None:
        """End what still runs beneath `run`, which nobody waits for any longer."""
        while run.children:
            try:
                run_id, child = run.children.popitem()
            except KeyError:  # another thread took the last one
                return
            self._runs.pop(run_id, None)
            self.close(child, outcome)
            if child.recording is not None:
                child.recording.end(outcome)

    def clear(self) -> None:
        """Abandon every run in flight."""
        while self._runs:
            self._evict()

    def _evict(self) -> None:
        try:
            run = self.remove(next(iter(self._runs)))
        except (StopIteration, RuntimeError):  # emptied, or changed by another thread meanwhile
            return
        if run is not None:
            self.close(run, Outcome.ABANDONED)
            if run.recording is not None:
                run.recording.abandon()


def beneath(recording: Recording) -> Context:
    """Return the context for what runs beneath `recording`, here and now.

    The current context is kept where it is beneath the recording already: a span that the
    application opened around its call stays the parent of that call.
    """
    current = otel.get_current()
    if current.get(_NEAREST) is recording:
        return current
    return otel.set_value(_NEAREST, recording, trace.set_span_in_context(recording.span, current))


def model_context(recording: Recording) -> Context:
    """Return the context for the request of a model run: its span is announced, once."""
    current = otel.get_current()
    if current.get(_MODEL) is recording:
        return current
    announced = otel.set_value(_NEAREST, recording, announce(recording))
    return otel.set_value(_MODEL, recording, announced)


class Slot:
    """Where a run that starts inside a wrapped call tells the wrapper in which context it runs.

    The wrapper restores the caller's context after each step whatever happened in it, so that the
    callback which fills the slot may attach the context and never needs to detach it.

    Attributes:
        context: the context of the run's code; None before the run has started.
        run_id: the run.
    """

    __slots__ = ("context", "run_id")

    def __init__(self, context: Context | None = None, run_id: UUID | None = None) -> None:
        self.context = context
        self.run_id = run_id

    def attach(self) -> Token[Context]:
        """Enter the run's context, or make the slot known while the run has not started."""
        return otel.attach(self.context or otel.set_value(_SLOT, self))


def fill_slot(run_id: UUID, context: Context) -> None:
    """Enter `context` until the wrapper around takes it back; do nothing where there is none."""
    slot = otel.get_value(_SLOT)
    if isinstance(slot, Slot) and slot.context is None:
        slot.context, slot.run_id = context, run_id
        otel.attach(context)


def expect_graph(parent_run_id: UUID | None) -> None:
    """Say that the next chain to start here, beneath this run, is a graph.

    LangGraph starts a graph's run as it starts any chain's, right after it got its manager.
    """
    _GRAPH.set((parent_run_id,))


def is_graph(parent_run_id: UUID | None) -> bool:
    """Say, once, whether a graph is expected to start here beneath this run."""
    if _GRAPH.get() != (parent_run_id,):
        return False
    _GRAPH.set(None)
    return True
