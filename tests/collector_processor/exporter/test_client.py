"""One request to a real server, for each answer that OTLP knows."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector_processor.config import OTLPExporter
from collector_processor.exporter.client import Answer, Delivery, connect
from collector_processor.model import Signal

if TYPE_CHECKING:
    from tests.collector_processor.exporter.conftest import Backend

BODY = b"a request, as it came"
PARTIAL = ExportTraceServiceResponse(
    partial_success={"rejected_spans": 2, "error_message": "too old"}
).SerializeToString()
PARTIAL_LOGS = ExportLogsServiceResponse(
    partial_success={"rejected_log_records": 3, "error_message": "too new"}
).SerializeToString()


@pytest.mark.parametrize(
    ("signal", "answer", "expected"),
    [
        (Signal.TRACES, (200, {}, b""), Answer(delivery=Delivery.ACCEPTED)),
        (
            Signal.TRACES,
            (200, {}, PARTIAL),
            Answer(delivery=Delivery.ACCEPTED, rejected=2, reason="too old"),
        ),
        (
            Signal.LOGS,
            (200, {}, PARTIAL_LOGS),
            Answer(delivery=Delivery.ACCEPTED, rejected=3, reason="too new"),
        ),
        (Signal.TRACES, (200, {}, b"<html>fine</html>"), Answer(delivery=Delivery.ACCEPTED)),
        *(
            (
                Signal.TRACES,
                (status, {"retry-after": "7"}, b""),
                Answer(
                    delivery=Delivery.RETRY,
                    reason=f"URL/v1/traces answered {status}",
                    retry_after_s=7.0,
                ),
            )
            for status in (429, 502, 503, 504, 302)
        ),
        (
            Signal.TRACES,
            (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, b""),
            Answer(delivery=Delivery.RETRY, reason="URL/v1/traces answered 503"),
        ),
        *(
            (
                Signal.LOGS,
                (status, {}, b""),
                Answer(delivery=Delivery.REFUSED, reason=f"URL/v1/logs answered {status}"),
            )
            for status in (400, 401, 404, 408, 413, 500)
        ),
    ],
)
def test_http_answers_mean_what_the_specification_says(
    backend: Backend, signal: Signal, answer: tuple[int, dict[str, str], bytes], expected: Answer
) -> None:
    backend.answer = answer
    client = connect(OTLPExporter(endpoint=backend.url))
    said = client.send(signal, BODY)
    client.close()
    assert (
        Answer(
            delivery=said.delivery,
            reason=said.reason.replace(backend.url, "URL"),
            rejected=said.rejected,
            retry_after_s=said.retry_after_s,
        )
        == expected
    )


@pytest.mark.parametrize(("compression", "encoding"), [("gzip", "gzip"), ("none", None)])
def test_http_sends_the_bytes_as_they_came(
    backend: Backend, compression: Any, encoding: str | None
) -> None:
    exporter = OTLPExporter(
        endpoint=backend.url + "/", compression=compression, headers={"x-scope": "a"}
    )
    connect(exporter).send(Signal.TRACES, BODY)
    path, headers, body = backend.got[0]
    assert path == "/v1/traces"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["x-scope"] == "a"
    assert headers.get("content-encoding") == encoding
    assert (gzip.decompress(body) if encoding else body) == BODY


def test_a_backend_that_is_down_is_tried_again(backend: Backend) -> None:
    backend.shutdown()
    backend.server_close()
    assert connect(OTLPExporter(endpoint=backend.url)).send(Signal.TRACES, BODY).delivery is (
        Delivery.RETRY
    )


class Service(grpc.GenericRpcHandler):
    """Any `Export`, answered as told."""

    def __init__(self, code: grpc.StatusCode | None, *, retry_info: bool = False) -> None:
        self.code = code
        self.retry_info = retry_info
        self.got: list[tuple[str, bytes, dict[str, Any]]] = []

    def service(self, details: Any) -> Any:
        def export(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.got.append((details.method, request, dict(context.invocation_metadata())))
            if self.retry_info:
                context.set_trailing_metadata((("google.rpc.retryinfo-bin", b"x"),))
            if self.code is not None:
                context.abort(self.code, "said")
            return PARTIAL

        return grpc.unary_unary_rpc_method_handler(export)


def grpc_answer(service: Service) -> Answer:
    server = grpc.server(ThreadPoolExecutor(1), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = connect(
        OTLPExporter(endpoint=f"http://127.0.0.1:{port}", protocol="grpc", headers={"X-Scope": "a"})
    )
    answer = client.send(Signal.TRACES, BODY)
    client.close()
    server.stop(None)
    return answer


def test_grpc_sends_the_bytes_and_reads_the_partial_success() -> None:
    service = Service(None)
    assert grpc_answer(service) == Answer(delivery=Delivery.ACCEPTED, rejected=2, reason="too old")
    method, body, metadata = service.got[0]
    assert method.endswith("trace.v1.TraceService/Export")
    assert body == BODY
    assert metadata["x-scope"] == "a"


@pytest.mark.parametrize(
    ("code", "retry_info", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, False, Delivery.RETRY),
        (grpc.StatusCode.DEADLINE_EXCEEDED, False, Delivery.RETRY),
        (grpc.StatusCode.DATA_LOSS, False, Delivery.RETRY),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, True, Delivery.RETRY),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, False, Delivery.REFUSED),
        (grpc.StatusCode.INVALID_ARGUMENT, False, Delivery.REFUSED),
        (grpc.StatusCode.UNAUTHENTICATED, False, Delivery.REFUSED),
        (grpc.StatusCode.INTERNAL, False, Delivery.REFUSED),
    ],
)
def test_grpc_answers_mean_what_the_specification_says(
    code: grpc.StatusCode, *, retry_info: bool, expected: Delivery
) -> None:
    answer = grpc_answer(Service(code, retry_info=retry_info))
    assert answer == Answer(delivery=expected, reason=f"{code.name}: said")
