from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from collector_processor.exporter.results import encode_results
from collector_processor.model import Evaluation, StoredEvaluation

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def stored(service: str | None, evaluation: Evaluation) -> StoredEvaluation:
    return StoredEvaluation(
        number=1,
        trace_id=TRACE,
        span_id=SPAN,
        route="support",
        service=service,
        sealed_ns=1_700_000_000_000_000_000,
        evaluation=evaluation,
    )


FAILED = Evaluation(
    span_ids=(SPAN,),
    name="pii",
    version="1",
    target="output",
    passed=False,
    score=0.0,
    label="fail",
    reason="1 IBAN_CODE in output",
)
UNJUDGED = Evaluation(
    span_ids=(SPAN,), name="is_compliant", version="1", target="output", passed=None
)


def test_a_result_is_one_log_record_that_joins_its_span() -> None:
    request = ExportLogsServiceRequest.FromString(encode_results([stored("bot", FAILED)]))
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    assert (record.event_name, record.trace_id.hex(), record.span_id.hex()) == (
        "gen_ai.evaluation.result",
        TRACE,
        SPAN,
    )
    values = {pair.key: pair.value for pair in record.attributes}
    assert {key: value.string_value for key, value in values.items() if value.string_value} == {
        "gen_ai.evaluation.name": "pii",
        "gen_ai.evaluation.score.label": "fail",
        "gen_ai.evaluation.explanation": "1 IBAN_CODE in output",
        "traceai.evaluator.version": "1",
        "traceai.evaluator.target": "output",
        "traceai.route": "support",
    }
    assert values["gen_ai.evaluation.score.value"].double_value == 0.0
    assert values["traceai.evaluator.passed"].HasField("bool_value")


def test_what_could_not_be_judged_says_neither_pass_nor_fail() -> None:
    request = ExportLogsServiceRequest.FromString(encode_results([stored("bot", UNJUDGED)]))
    record = request.resource_logs[0].scope_logs[0].log_records[0]
    assert "traceai.evaluator.passed" not in {pair.key for pair in record.attributes}


def test_results_are_grouped_by_service() -> None:
    body = encode_results([stored("a", FAILED), stored("b", FAILED), stored("a", UNJUDGED)])
    request = ExportLogsServiceRequest.FromString(body)
    assert [len(resource.scope_logs[0].log_records) for resource in request.resource_logs] == [2, 1]
