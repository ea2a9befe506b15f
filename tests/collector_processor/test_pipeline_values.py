"""Whatever emitters and checks write can be judged and recorded, without the boundary's help."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from collector_processor.model import Frame, Signal, StoredFrame
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.dialect_table import ROWS
from collector_processor.processor.evaluation import ContentCheck, Evaluators, Runner
from collector_processor.processor.seal import seal
from collector_processor.processor.tally import Rules
from collector_processor.processor.unpack import unpack
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer
from traceai.evaluators.detect import PII_KINDS, SECRET_KINDS
from traceai.evaluators.pii import PII
from traceai.evaluators.result import EvalResult
from traceai.evaluators.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector_processor.model import SealedTrace

KEYS = sorted({key.partition("@")[0].partition("#")[0] for _, _, keys in ROWS for key in keys})
MEMBERS = ["id", "type", "model", "route", "user_id", "prompt_version", "input", "role", "content"]
WHOLE = st.text(max_size=6)
HALVES = st.text(st.characters(min_codepoint=0xD7F8, max_codepoint=0xE007), max_size=4)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
# What JSON can say, and the members of objects that dialects look at.
json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WHOLE | HALVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS) | HALVES, inner, max_size=3)
    ),
    max_leaves=6,
).map(json.dumps)
objects = st.dictionaries(
    st.sampled_from(MEMBERS), HALVES | NUMBERS | st.lists(HALVES, max_size=2), min_size=1
).map(json.dumps)
values = st.recursive(
    st.booleans() | NUMBERS | st.floats() | st.binary(max_size=6) | WHOLE | json_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WHOLE, inner, max_size=3),
    max_leaves=4,
)
attributes = st.dictionaries(st.sampled_from(KEYS) | WHOLE, values, max_size=8)
operations = st.fixed_dictionaries(
    {
        "gen_ai.operation.name": st.sampled_from(["chat", "execute_tool", "retrieval"]),
        "openinference.span.kind": st.sampled_from(["LLM", "TOOL", "GUARDRAIL"]),
        "metadata": objects,
    },
    optional={
        "traceai.policy.id": st.just("p"),
        "traceai.policy.version": st.just("1"),
    },
)
answers = st.builds(
    EvalResult,
    passed=st.none() | st.booleans(),
    score=st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    reason=WHOLE | HALVES,
    evidence=st.lists(st.integers() | st.floats() | HALVES | st.binary(), max_size=3),
)


class Answering:
    """A check that answers what it is told."""

    name, version = "answering", "1"
    answer: EvalResult

    def evaluate(self, **_: Any) -> EvalResult:
        return self.answer


class Recorder:
    """Seals one trace after another and records it, by the real stages."""

    def __init__(self, path: Path, otlp: Any) -> None:
        self.check = Answering()
        self.reader: Reader
        self._otlp = otlp
        self._names = map(str, itertools.count())
        self._writer = Writer(path)
        self.reader = Reader(path)
        content = (
            ContentCheck(check=PII(), kinds=PII_KINDS),
            ContentCheck(check=Secrets(), kinds=SECRET_KINDS),
        )
        policies = {("p", "1"): self.check}
        self._runner = Runner(Evaluators(content=content, policies=policies))

    def close(self) -> None:
        self.reader.close()
        self._writer.close()

    def __call__(
        self, said: dict[str, Any], resource: dict[str, Any], result: dict[str, Any]
    ) -> tuple[SealedTrace, ...]:
        otlp, trace = self._otlp, next(self._names)
        spans = (
            otlp.span("root", trace=trace, attributes=said),
            otlp.span("leaf", trace=trace, parent="root", attributes=said, error=True),
        )
        record = LogRecord(
            trace_id=otlp.trace_id(trace),
            span_id=otlp.span_id("root"),
            event_name="gen_ai.evaluation.result",
            attributes=otlp.pairs({"gen_ai.evaluation.name": "tone", **result}),
        )
        logs = ExportLogsServiceRequest(
            resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])]
        )
        assembler = Assembler(settle_s=1, quiet_s=1, deadline_s=1)
        for signal, body in (
            (Signal.TRACES, otlp.request(*spans, resource={**otlp.RESOURCE, **resource})),
            (Signal.LOGS, logs.SerializeToString()),
        ):
            frame = Frame(signal=signal, received_ns=otlp.NOW_NS, body=body)
            stored = StoredFrame(position=0, next_position=1, frame=frame)
            for trace_id, piece in unpack(stored).pieces:
                assembler.add(trace_id, piece)
        [gathered] = assembler.due(otlp.NOW_NS + 2 * otlp.SECOND)
        sealing = seal(gathered, (), Rules(), self._runner, otlp.NOW_NS)
        self._writer.record([sealing.trace], mark=0, open_traces=0, undecodable=sealing.undecodable)
        return self.reader.revisions(sealing.trace.trace_id)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory, otlp: Any) -> Iterator[Recorder]:
    made = Recorder(tmp_path_factory.mktemp("values") / "evidence.db", otlp)
    yield made
    made.close()


results = st.fixed_dictionaries(
    {},
    optional={
        "gen_ai.evaluation.score.value": values,
        "gen_ai.evaluation.score.label": values,
        "gen_ai.evaluation.explanation": values,
        "traceai.evaluator.version": values,
        "traceai.evaluator.target": values,
        "traceai.evaluator.passed": values,
    },
)
resources = st.dictionaries(
    st.sampled_from(["service.name", "service.instance.id", "service.version", "traceai.route"]),
    values,
    max_size=3,
)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(operation=operations, said=attributes, resource=resources, result=results, answer=answers)
def test_whatever_is_said_is_judged_and_recorded(
    recorder: Recorder,
    *,
    operation: dict[str, Any],
    said: dict[str, Any],
    resource: dict[str, Any],
    result: dict[str, Any],
    answer: EvalResult,
) -> None:
    recorder.check.answer = answer
    [stored] = recorder({**said, **operation}, resource, result)
    assert stored.spans == 2
    assert any(found.arrived for found in stored.evaluations)
    counted = {(subjects.service, subjects.route) for subjects in stored.verdict.subjects}
    assert {(found.service, found.route) for found in stored.verdict.findings} <= counted
    assert recorder.reader.finding_groups()


@pytest.mark.parametrize("route", [r"\ud800", r"a\udfff", r"\u0000"])
def test_a_route_that_is_half_a_character_is_recorded(recorder: Recorder, route: str) -> None:
    recorder.check.answer = EvalResult(passed=True)
    said = {"openinference.span.kind": "LLM", "metadata": f'{{"route": "{route}"}}'}
    [stored] = recorder(said, {}, {})
    assert stored.route is not None
