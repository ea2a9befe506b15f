"""The runs in flight: found by their children, never too many, ended with what is above."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from traceai.attributes import Content
from traceai.call import AgentRun, Inference
from traceai.instrumentors.langchain_runs import (
    Run,
    Runs,
    Slot,
    beneath,
    fill_slot,
    model_context,
)
from traceai.recorder import Recorder, Recording, claim
from traceai.semconv import ContentState, Outcome

CONTENT = Content(state=ContentState.NONE, digest=str)
TRACER = TracerProvider().get_tracer("test")


def recording() -> Recording:
    return Recorder(TRACER, CONTENT).start(AgentRun(name="planner"))


def started(runs: Runs, parent: Run | None = None, *, recorded: bool = True) -> tuple[UUID, Run]:
    run_id, run = uuid4(), Run(parent)
    if recorded:
        run.recording = run.nearest = recording()
    runs.add(run_id, run)
    return run_id, run


def test_a_run_without_a_span_leads_to_the_nearest_that_has_one() -> None:
    runs = Runs()
    _, agent = started(runs)
    _, node = started(runs, agent, recorded=False)
    _, chain = started(runs, node, recorded=False)
    assert chain.nearest is agent.recording


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_there_are_never_more_than_so_many(limit: int, nested: list[bool]) -> None:
    runs = Runs(limit)
    made: list[Run] = []
    for beneath_last in nested:
        _, run = started(runs, made[-1] if made and beneath_last else None)
        made.append(run)
        assert len(runs) <= limit
    runs.clear()
    assert len(runs) == 0
    assert {run.recording.call.outcome for run in made if run.recording} <= {Outcome.ABANDONED}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, Outcome.ABANDONED), (GeneratorExit(), Outcome.ABANDONED), (OSError(), Outcome.ERROR)],
)
def test_a_run_that_is_given_up_takes_along_what_is_beneath(
    error: BaseException | None, outcome: Outcome
) -> None:
    runs = Runs()
    run_id, run = started(runs)
    _, child = started(runs, started(runs, run, recorded=False)[1])
    runs.give_up(run_id, error)
    runs.give_up(run_id, error)
    assert child.recording is not None
    assert child.recording.call.outcome is outcome
    assert len(runs) == 0


def test_a_span_that_is_beneath_already_stays_current() -> None:
    agent = recording()
    token = otel.attach(beneath(agent))
    with TRACER.start_as_current_span("own") as own:
        assert trace.get_current_span(beneath(agent)) is own
        assert trace.get_current_span(beneath(recording())) is not own
    otel.detach(token)


def test_a_model_run_is_announced_once() -> None:
    model = Recorder(TRACER, CONTENT).start(Inference())
    outer = otel.attach(model_context(model))
    inner = otel.attach(model_context(model))
    assert (claim(), claim()) == (model, None)
    otel.detach(inner)
    otel.detach(outer)


def test_a_slot_is_filled_by_the_first_run_only_and_takes_the_context_back() -> None:
    before, slot = otel.get_current(), Slot()
    token = slot.attach()
    first, second = uuid4(), uuid4()
    fill_slot(first, beneath(agent := recording()))
    fill_slot(second, beneath(recording()))
    assert trace.get_current_span() is agent.span
    otel.detach(token)
    assert (slot.run_id, otel.get_current()) == (first, before)
