"""Read what arrives beside spans, as log records or events: results and intents. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector_processor.model import Evaluation
from collector_processor.processor.attributes import decode_attributes
from collector_processor.processor.conceal import conceal_text
from collector_processor.processor.tally import place
from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from collector_processor.processor.tree import Node

INTENT_EVENT = "traceai.intent"
_EVENT_NAME = "event.name"
_EVENTS = (semconv.EVALUATION_RESULT_EVENT.encode(), INTENT_EVENT.encode())
_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8
_PASSED = frozenset({"pass", "passed", "correct", "relevant", "safe"})
_FAILED = frozenset({"fail", "failed", "incorrect", "not_relevant", "unsafe", "hallucinated"})


class RecordHeader(NamedTuple):
    """Which trace and span a log record is about; `span_id` is empty for the whole trace."""

    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What the log records of a trace say.

    Attributes:
        results: attributes of each evaluation result, with the span id that it names.
        intents: span ids of calls that left while their process died.
    """

    results: tuple[tuple[str, Mapping[str, Any]], ...]
    intents: tuple[str, ...]


def read_record_header(record: bytes) -> RecordHeader | None:
    """Return where a log record belongs; None when it is nothing that a trace waits for.

    Raises:
        google.protobuf.message.DecodeError: it is not a log record.
    """
    if not any(name in record for name in _EVENTS):
        return None
    read = LogRecord.FromString(record)
    if _name(read) not in {semconv.EVALUATION_RESULT_EVENT, INTENT_EVENT}:
        return None
    if len(read.trace_id) != _TRACE_ID_BYTES or not any(read.trace_id):
        return None
    span_id = read.span_id if len(read.span_id) == _SPAN_ID_BYTES and any(read.span_id) else b""
    return RecordHeader(read.trace_id, span_id)


def read_records(records: Iterable[bytes]) -> Arrivals:
    """Read the log records of a trace that `read_record_header` chose."""
    results: list[tuple[str, Mapping[str, Any]]] = []
    intents: list[str] = []
    for record in records:
        read = LogRecord.FromString(record)
        if _name(read) == INTENT_EVENT:
            intents.append(read.span_id.hex())
        else:
            results.append((read.span_id.hex(), decode_attributes(read.attributes)))
    return Arrivals(results=tuple(results), intents=tuple(intents))


def read_evaluations(
    nodes: Iterable[Node], arrivals: Arrivals, new: frozenset[bytes]
) -> tuple[Evaluation, ...]:
    """Return the evaluation results that arrived for the spans of a trace.

    Args:
        nodes: its spans.
        arrivals: what log records said; a result that names no span is joined by response id.
        new: digests of the spans whose events are to be read; those of others were before.
    """
    by_response: dict[str, str] = {}
    by_span: dict[str, Node] = {}
    found: list[Evaluation] = []
    for node in nodes:
        by_span.setdefault(node.span.span_id, node)
        response_id = node.get(semconv.RESPONSE_ID).value
        if response_id is not None:
            by_response.setdefault(response_id, node.span.span_id)
        for event in node.span.events if node.span.digest in new else ():
            if event.name == semconv.EVALUATION_RESULT_EVENT:
                found += _evaluations(node.span.span_id, event.attributes, by_span)
    for span_id, attributes in arrivals.results:
        joined = by_response.get(str(attributes.get(semconv.RESPONSE_ID)), "")
        found += _evaluations(span_id or joined, attributes, by_span)
    return tuple(found)


def _evaluations(
    span_id: str, attributes: Mapping[str, Any], nodes: Mapping[str, Node]
) -> Iterator[Evaluation]:
    name = attributes.get(semconv.EVALUATION_NAME)
    if not isinstance(name, str) or not name:
        return
    label = attributes.get(semconv.EVALUATION_SCORE_LABEL)
    score = attributes.get(semconv.EVALUATION_SCORE_VALUE)
    failed = attributes.get(semconv.ERROR_TYPE) is not None
    version = attributes.get(semconv.EVALUATOR_VERSION) or attributes.get(
        "gen_ai.evaluation.evaluator.version"
    )
    service, route = place(nodes.get(span_id))
    yield Evaluation(
        span_ids=(span_id,) if span_id else (),
        name=conceal_text(name),
        version=_said(version),
        target=_said(attributes.get(semconv.EVALUATOR_TARGET)) or "call",
        passed=None if failed else _passed(attributes.get(semconv.EVALUATOR_PASSED), label),
        score=float(score) if isinstance(score, int | float) else None,
        label="error" if failed else _said(label) if isinstance(label, str) else None,
        reason=_said(attributes.get(semconv.EVALUATION_EXPLANATION)) or None,
        arrived=True,
        service=service,
        route=route,
    )


def _said(value: Any) -> str | None:
    """Return what an emitter wrote, as text without secrets."""
    return None if value is None else conceal_text(str(value))


def _passed(stated: Any, label: Any) -> bool | None:
    """Return a verdict that was stated, in the words of semconv.md 3.4; a score alone is none."""
    if isinstance(stated, bool):
        return stated
    word = label.casefold() if isinstance(label, str) else ""
    return True if word in _PASSED else False if word in _FAILED else None


def _name(record: LogRecord) -> str:
    """Return the event's name: older emitters put it among the attributes."""
    if record.event_name:
        return record.event_name
    for pair in record.attributes:
        if pair.key == _EVENT_NAME:
            return pair.value.string_value
    return ""
