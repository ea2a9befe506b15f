"""Evaluation results as OTLP log records: the standard event `gen_ai.evaluation.result`. Pure.

The event has no field for which version of an evaluator judged, what it looked at, or whether the
result is a pass: `traceai.evaluator.*` says so beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from collector_processor.model import StoredEvaluation

_Value = str | float | bool | None


def encode_results(results: Iterable[StoredEvaluation]) -> bytes:
    """Return an `ExportLogsServiceRequest` with one record a result, grouped by service."""
    by_service: dict[str | None, list[StoredEvaluation]] = {}
    for result in results:
        by_service.setdefault(result.service, []).append(result)
    request = ExportLogsServiceRequest()
    for service, chosen in by_service.items():
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(_pairs({semconv.SERVICE_NAME: service}))
        scope = resource.scope_logs.add()
        scope.scope.name = semconv.SCOPE
        scope.log_records.extend(_record(result) for result in chosen)
    return request.SerializeToString()


def _record(result: StoredEvaluation) -> LogRecord:
    found = result.evaluation
    return LogRecord(
        time_unix_nano=result.sealed_ns,
        observed_time_unix_nano=result.sealed_ns,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        event_name=semconv.EVALUATION_RESULT_EVENT,
        trace_id=bytes.fromhex(result.trace_id),
        span_id=bytes.fromhex(result.span_id),
        attributes=_pairs(
            {
                semconv.EVALUATION_NAME: found.name,
                semconv.EVALUATION_SCORE_VALUE: found.score,
                semconv.EVALUATION_SCORE_LABEL: found.label,
                semconv.EVALUATION_EXPLANATION: found.reason,
                semconv.EVALUATOR_VERSION: found.version,
                semconv.EVALUATOR_TARGET: found.target,
                # Absent when it could not be judged: absence is no pass.
                semconv.EVALUATOR_PASSED: found.passed,
                semconv.ROUTE: result.route,
            }
        ),
    )


def _pairs(values: Mapping[str, _Value]) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=_any(value)) for key, value in values.items() if value is not None
    ]


def _any(value: str | float | bool) -> AnyValue:  # noqa: FBT001 - a value, not a switch
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(string_value=value) if isinstance(value, str) else AnyValue(double_value=value)
