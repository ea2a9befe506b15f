"""One trace provokes a failure: it is kept, and the rest goes on."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.errors import StoreError
from collector_processor.model import Frame, SealedTrace, Signal, StoredFrame, Verdict
from collector_processor.processor import boundary, seal, unpack
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.boundary import record_traces, seal_trace, unpack_frame
from collector_processor.processor.evaluation import Evaluators, Runner
from collector_processor.processor.tally import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from collector_processor.processor.assembler import Gathered
    from collector_processor.processor.seal import Sealing

SECOND = 1_000_000_000


class Poison(Rules):
    """Rules that no trace can be judged by."""

    def __init__(self) -> None:
        super().__init__(required_evaluations=None)  # type: ignore[arg-type]

    def __getattribute__(self, name: str) -> Any:
        raise LookupError("a text that quotes the user")


class Traces:
    """Gathers and seals traces by the real stages."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def frame(self, *spans: Any) -> StoredFrame:
        frame = Frame(
            signal=Signal.TRACES, received_ns=self._otlp.NOW_NS, body=self._otlp.request(*spans)
        )
        return StoredFrame(position=5, next_position=6, frame=frame)

    def gathered(self, *spans: Any) -> Gathered:
        assembler = Assembler(settle_s=1, quiet_s=1, deadline_s=1)
        for trace_id, piece in unpack.unpack(self.frame(*spans)).pieces:
            assembler.add(trace_id, piece)
        [gathered] = assembler.due(self._otlp.NOW_NS + 2 * SECOND)
        return gathered

    def sealed(
        self, *spans: Any, rules: Rules | None = None, history: tuple[SealedTrace, ...] = ()
    ) -> Sealing:
        gathered = self.gathered(*spans)
        if history:
            gathered = replace(gathered, prior=replace(gathered.prior, revision=len(history)))
        return seal_trace(gathered, history, rules or Rules(), Runner(Evaluators()), 9)


@pytest.fixture
def traces(otlp: Any) -> Traces:
    return Traces(otlp)


def test_a_trace_that_cannot_be_judged_is_kept_and_incomplete(
    traces: Traces, otlp: Any, caplog: pytest.LogCaptureFixture
) -> None:
    root = otlp.span("root")
    with caplog.at_level(logging.ERROR):
        sealing = traces.sealed(root, rules=Poison())
    [kept] = sealing.undecodable
    assert (kept.position, kept.body) == (5, root.SerializeToString())
    assert kept.reason == "judging it raised LookupError"
    trace = sealing.trace
    assert (trace.revision, trace.rooted, trace.spans) == (1, True, 0)
    assert (trace.verdict.verdict, trace.verdict.codes) == (Verdict.INCOMPLETE, ("dropped_data",))
    assert otlp.trace_id("t").hex() in caplog.text
    assert "quotes the user" not in caplog.text


def test_what_was_kept_is_known_when_it_comes_again(traces: Traces, otlp: Any) -> None:
    gathered = traces.gathered(otlp.span("root"))
    sealing = traces.sealed(otlp.span("root"), rules=Poison())
    assert [member.digest for member in sealing.trace.members] == [gathered.spans[0].digest]


def test_a_later_revision_keeps_what_was_found_before(traces: Traces, otlp: Any) -> None:
    first = traces.sealed(otlp.span("root", attributes={"gen_ai.operation.name": "chat"})).trace
    second = traces.sealed(otlp.span("late", parent="root"), rules=Poison(), history=(first,)).trace
    assert (second.revision, second.spans, second.name) == (2, 1, "root")
    assert set(second.verdict.codes) == {*first.verdict.codes, "dropped_data"}
    assert second.verdict.subjects == first.verdict.subjects
    third = traces.sealed(otlp.span("later", parent="root"), history=(first, second)).trace
    assert "dropped_data" in third.verdict.codes
    assert third.spans == 2


class Store:
    """A store that takes no name with a half character, and is full when told."""

    def __init__(self, *, full: bool = False) -> None:
        self.recorded: list[SealedTrace] = []
        self.full = full

    def record(self, traces: Sequence[SealedTrace]) -> None:
        for trace in traces:
            self.rehearse(trace)
        self.recorded += traces

    def rehearse(self, trace: SealedTrace) -> None:
        if self.full:
            raise StoreError("full")
        for text in (trace.name, trace.service, *(f.route for f in trace.verdict.findings)):
            (text or "").encode("utf-8")


def test_of_a_trace_that_no_store_takes_the_spans_are_recorded(traces: Traces, otlp: Any) -> None:
    store = Store()
    good = traces.sealed(otlp.span("good", trace="good", attributes=otlp.CALL)).trace
    bad = replace(
        traces.sealed(otlp.span("bad", attributes={"gen_ai.operation.name": "chat"})).trace,
        name="\ud800",
    )
    batch = record_traces(store.record, store.rehearse, [good, bad])
    assert list(batch) == store.recorded
    kept, stripped = store.recorded
    assert kept == good
    assert (stripped.request, stripped.members) == (bad.request, bad.members)
    assert (stripped.name, stripped.service, stripped.evaluations) == (None, None, ())
    assert set(stripped.verdict.codes) == {*bad.verdict.codes, "dropped_data"}
    places = {(s.service, s.route) for s in stripped.verdict.subjects}
    assert places == {(f.service, f.route) for f in stripped.verdict.findings} == {(None, None)}


def test_an_error_of_the_store_is_nobodys_trace(traces: Traces, otlp: Any) -> None:
    store = Store(full=True)
    trace = traces.sealed(otlp.span("root")).trace
    with pytest.raises(StoreError):
        record_traces(store.record, store.rehearse, [trace])
    store.full = False
    record_traces(store.record, store.rehearse, [trace])
    assert store.recorded == [trace]


def test_a_frame_that_provokes_a_failure_is_kept_whole(
    traces: Traces, otlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: bytes) -> Any:
        raise LookupError

    frame = traces.frame(otlp.span("a"), otlp.span("b"))
    monkeypatch.setattr(unpack, "read_header", failing)
    [kept] = unpack_frame(frame).undecodable
    assert (kept.body, kept.ordinal) == (frame.frame.body, unpack.WHOLE_FRAME)
    assert kept.reason == "judging it raised LookupError"


def test_what_is_in_order_passes_as_it_is(traces: Traces, otlp: Any) -> None:
    gathered = traces.gathered(otlp.span("root"))
    runner = Runner(Evaluators())
    assert boundary.seal_trace(gathered, (), Rules(), runner, 9) == seal.seal(
        gathered, (), Rules(), runner, 9
    )
    frame = traces.frame(otlp.span("a"))
    assert unpack_frame(frame) == unpack.unpack(frame)
