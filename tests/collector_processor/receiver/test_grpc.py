from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from collector_processor.model import Signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.collector_processor.receiver.conftest import Served

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def request(*bad: int, total: int = 2, name: str = "span") -> ExportTraceServiceRequest:
    """Return a request of `total` spans, of which those numbered in `bad` have a wrong id."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number in range(total):
        trace_id = b"short" if number in bad else b"t" * 16
        scope.spans.add(trace_id=trace_id, span_id=b"s" * 8, name=name)
    return message


def send_raw(
    served: Served, body: bytes, compression: grpc.Compression = grpc.Compression.NoCompression
) -> tuple[grpc.StatusCode, str, dict[str, str | bytes]]:
    with grpc.insecure_channel(served.grpc) as channel:
        export = channel.unary_unary(EXPORT)
        try:
            export(body, timeout=10, compression=compression)
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            return error.code(), error.details() or "", trailers
    return grpc.StatusCode.OK, "", {}


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_good_request_is_stored_as_it_came(served: Served, compression: grpc.Compression) -> None:
    with grpc.insecure_channel(served.grpc, compression=compression) as channel:
        response = TraceServiceStub(channel).Export(request(), timeout=10)
    assert response.SerializeToString() == b""
    assert served.stored() == [request().SerializeToString()]


def test_logs_are_stored_as_logs(served: Served) -> None:
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(event_name="open")
    with grpc.insecure_channel(served.grpc) as channel:
        LogsServiceStub(channel).Export(message, timeout=10)
    (stored,) = served.frames()
    assert (stored.signal, stored.body) == (Signal.LOGS, message.SerializeToString())


def test_an_empty_request_succeeds_and_stores_nothing(served: Served) -> None:
    assert send_raw(served, b"")[0] is grpc.StatusCode.OK
    assert served.stored() == []


def test_a_partial_success_counts_exactly_and_keeps_the_rest(served: Served) -> None:
    with grpc.insecure_channel(served.grpc) as channel:
        response = TraceServiceStub(channel).Export(request(0, 2, total=3), timeout=10)
    assert response.partial_success.rejected_spans == 2
    assert "span 0: trace_id is not 16 bytes long" in response.partial_success.error_message
    assert len(served.stored()) == 1


def test_bytes_that_are_no_protobuf_are_an_invalid_argument(served: Served) -> None:
    code, details, trailers = send_raw(served, b"\x0a\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a protobuf ExportTraceServiceRequest" in details
    parsed = Status.FromString(bytes_of(trailers["grpc-status-details-bin"]))
    assert (parsed.code, parsed.message) == (3, details)
    assert "google.rpc.retryinfo-bin" not in trailers


def bytes_of(value: str | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


@pytest.mark.parametrize(
    ("size", "compression"),
    [
        (2 << 20, grpc.Compression.NoCompression),
        (2 << 20, grpc.Compression.Gzip),
        (200 << 20, grpc.Compression.Gzip),
    ],
)
def test_a_message_over_the_limit_is_refused_for_good(
    served: Served, size: int, compression: grpc.Compression
) -> None:
    code, _, trailers = send_raw(served, bytes(size), compression)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in trailers
    assert "grpc-status-details-bin" not in trailers
    assert served.stored() == []


def test_metrics_are_refused_in_words(served: Served) -> None:
    with grpc.insecure_channel(served.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        MetricsServiceStub(channel).Export(ExportMetricsServiceRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "OTEL_METRICS_EXPORTER=none" in caught.value.details()


def test_a_full_journal_says_twice_when_to_try_again(
    server: Callable[..., AbstractContextManager[Served]], tmp_path: Path
) -> None:
    with server(tmp_path, max_bytes=300) as served:
        body = request(total=6).SerializeToString()
        assert send_raw(served, body)[0] is grpc.StatusCode.OK
        code, _, trailers = send_raw(served, body)
        assert code is grpc.StatusCode.UNAVAILABLE
        direct = RetryInfo.FromString(bytes_of(trailers["google.rpc.retryinfo-bin"]))
        status = Status.FromString(bytes_of(trailers["grpc-status-details-bin"]))
        packed = RetryInfo()
        assert status.details[0].Unpack(packed)
        assert direct == packed
        assert direct.retry_delay.seconds == 1
        assert served.intake.counts.refused == {(Signal.TRACES, "UnavailableError"): 1}


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_the_opentelemetry_sdk_delivers_its_spans(
    served: Served, compression: grpc.Compression | None
) -> None:
    exporter = OTLPSpanExporter(endpoint=served.grpc, insecure=True, compression=compression)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("chat"):
        pass
    provider.shutdown()
    (stored,) = served.stored()
    parsed = ExportTraceServiceRequest.FromString(stored)
    assert [s.name for s in parsed.resource_spans[0].scope_spans[0].spans] == ["chat"]
