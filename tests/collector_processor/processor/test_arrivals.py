from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector_processor.processor.arrivals import (
    Arrivals,
    read_evaluations,
    read_record_header,
    read_records,
)
from collector_processor.processor.decode import decode_request
from collector_processor.processor.tree import plant

TRACE = b"t" * 16
KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"
NOTHING = Arrivals(results=(), intents=())


def record(otlp: Any, *, name: str = "gen_ai.evaluation.result", **fields: Any) -> bytes:
    given = {"trace_id": TRACE, "span_id": b"s" * 8, "event_name": name}
    attributes = otlp.pairs(fields.pop("attributes", {}))
    return LogRecord(attributes=attributes, **{**given, **fields}).SerializeToString()


def test_only_results_and_intents_of_a_trace_are_waited_for(otlp: Any) -> None:
    assert read_record_header(record(otlp)) == (TRACE, b"s" * 8)
    assert read_record_header(record(otlp, name="traceai.intent")) == (TRACE, b"s" * 8)
    assert read_record_header(record(otlp, span_id=b"")) == (TRACE, b"")
    older = record(otlp, name="", attributes={"event.name": "gen_ai.evaluation.result"})
    assert read_record_header(older) == (TRACE, b"s" * 8)
    for ignored in (
        record(otlp, name="an.app.event"),
        record(otlp, name="x", attributes={"note": "gen_ai.evaluation.result"}),
        record(otlp, trace_id=b""),
        record(otlp, trace_id=bytes(16)),
    ):
        assert read_record_header(ignored) is None


def test_an_intent_names_its_call(otlp: Any) -> None:
    assert read_records([record(otlp, name="traceai.intent")]).intents == ((b"s" * 8).hex(),)


@pytest.mark.parametrize(
    ("attributes", "passed", "label"),
    [
        ({"gen_ai.evaluation.score.label": "pass"}, True, "pass"),
        ({"gen_ai.evaluation.score.label": "Hallucinated"}, False, "Hallucinated"),
        ({"gen_ai.evaluation.score.label": "blue"}, None, "blue"),
        ({"traceai.evaluator.passed": False}, False, None),
        ({"gen_ai.evaluation.score.value": 0.9}, None, None),
        ({"error.type": "Timeout", "gen_ai.evaluation.score.label": "pass"}, None, "error"),
    ],
)
def test_a_verdict_is_read_only_where_it_is_stated(
    otlp: Any, attributes: dict[str, Any], *, passed: bool | None, label: str | None
) -> None:
    given = {"gen_ai.evaluation.name": "tone", "traceai.evaluator.version": "2", **attributes}
    arrivals = read_records([record(otlp, attributes=given)])
    [found] = read_evaluations((), arrivals, frozenset())
    assert (found.name, found.version, found.passed, found.label, found.arrived) == (
        "tone",
        "2",
        passed,
        label,
        True,
    )


def test_a_result_may_be_a_span_event_and_is_read_once(otlp: Any) -> None:
    event = {
        "name": "gen_ai.evaluation.result",
        "attributes": otlp.pairs({"gen_ai.evaluation.name": "tone"}),
    }
    spans = decode_request(otlp.request(otlp.span("a", events=[event])), 0)
    tree = plant(spans)
    [found] = read_evaluations(tree.nodes, NOTHING, frozenset({spans[0].digest}))
    assert found.span_ids == (spans[0].span_id,)
    assert read_evaluations(tree.nodes, NOTHING, frozenset()) == ()


def test_what_a_result_says_holds_no_secret(otlp: Any) -> None:
    attributes = {
        "gen_ai.evaluation.name": f"judge {KEY}",
        "gen_ai.evaluation.explanation": f"leaks {KEY}",
        "gen_ai.evaluation.score.label": KEY,
        "traceai.evaluator.version": KEY,
        "traceai.evaluator.target": KEY,
    }
    [found] = read_evaluations((), read_records([record(otlp, attributes=attributes)]), frozenset())
    assert KEY not in repr(found)
    assert found.reason == "leaks <OPENAI_API_KEY>"


def test_a_result_without_a_name_is_none(otlp: Any) -> None:
    assert read_evaluations((), read_records([record(otlp)]), frozenset()) == ()
