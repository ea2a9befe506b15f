"""Against real receivers: what is sent, and what each answer means for the batch."""

from __future__ import annotations

import logging
import socket
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from traceai import otlp
from traceai.config import Config
from traceai.errors import ConfigurationError
from traceai.sender import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import OtlpSink


def span(name: str = "chat", **attributes: Any) -> ReadableSpan:
    finished = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"team": "x"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    provider.get_tracer("traceai").start_span(name, attributes=attributes).end()
    return finished.get_finished_spans()[0]


def _named(worn: Resource) -> Resource:
    return worn.merge(Resource({"service.name": "s"}))


def deliver(url: str, *spans: ReadableSpan, **environ: str) -> Delivery:
    prefixed = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in environ.items()}
    target = Config.resolve(prefixed, endpoint=url).target
    return otlp.connect(target, _named)(spans)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_span_arrives_with_its_headers_and_its_completed_resource(otlp_sink: OtlpSink) -> None:
    original = span()
    assert deliver(otlp_sink.url, original, HEADERS="api-key=k") is Delivery.SENT
    ((path, headers, _),) = otlp_sink.requests
    assert (path, headers["api-key"]) == ("/v1/traces", "k")
    assert headers["content-type"] == "application/x-protobuf"
    (arrived,) = otlp_sink.resources()
    assert (arrived["team"], arrived["service.name"]) == ("x", "s")
    assert dict(original.resource.attributes) == {"team": "x"}


def test_a_body_can_be_compressed(otlp_sink: OtlpSink) -> None:
    assert deliver(otlp_sink.url, span(), COMPRESSION="gzip") is Delivery.SENT
    assert otlp_sink.requests[0][1]["content-encoding"] == "gzip"
    assert otlp_sink.names() == ["chat"]


def test_what_a_span_has_dropped_is_told(otlp_sink: OtlpSink) -> None:
    finished = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    full = provider.get_tracer("t").start_span("full")
    full.set_attributes({str(number): number for number in range(200)})
    full.end()
    deliver(otlp_sink.url, *finished.get_finished_spans())
    assert otlp_sink.spans()[0].dropped_attributes_count == 72


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Delivery.REFUSED),
        (401, Delivery.REFUSED),
        (404, Delivery.REFUSED),
        (413, Delivery.SPLIT),
        (429, Delivery.RETRY),
        (500, Delivery.REFUSED),
        (502, Delivery.RETRY),
        (503, Delivery.RETRY),
        (504, Delivery.RETRY),
    ],
)
def test_an_answer_says_what_becomes_of_a_batch(
    otlp_sink: OtlpSink, status: int, expected: Delivery
) -> None:
    otlp_sink.statuses = [status] * 9
    assert deliver(otlp_sink.url, span(), TIMEOUT="0.3") is expected


def test_a_collector_that_is_down_may_come_back(
    closed_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = deliver(f"http://127.0.0.1:{closed_port}", span(), TIMEOUT="0.3")
    assert answer is Delivery.RETRY
    assert capfd.readouterr() == ("", "")


def test_a_collector_that_does_not_answer_may_come_back(otlp_sink: OtlpSink) -> None:
    otlp_sink.release.clear()
    assert deliver(otlp_sink.url, span(), TIMEOUT="0.3") is Delivery.RETRY


def test_a_span_that_no_request_can_hold_asks_for_smaller_batches(otlp_sink: OtlpSink) -> None:
    batch = [span(), span("lone \ud800 surrogate")]
    assert deliver(otlp_sink.url, *batch) is Delivery.SPLIT
    assert otlp_sink.requests == []


def test_what_others_export_is_logged_as_ever(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    deliver(otlp_sink.url, span())
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    with futures.ThreadPoolExecutor(1) as pool:
        pool.submit(logger.error, "somebody else's").result()
    assert "somebody else's" in caplog.messages


def test_connecting_again_leaves_one_listener_behind(otlp_sink: OtlpSink) -> None:
    logger = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    deliver(otlp_sink.url, span())
    before = len(logger.filters)
    deliver(otlp_sink.url, span())
    assert len(logger.filters) == before


def test_the_console_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    target = Config.resolve({"OTEL_TRACES_EXPORTER": "console"}).target
    assert otlp.connect(target, _named)([span()]) is Delivery.SENT
    assert '"name": "chat"' in capsys.readouterr().out


class Service(trace_service_pb2_grpc.TraceServiceServicer):
    """A real OTLP/gRPC receiver."""

    def __init__(self) -> None:
        self.status: grpc.StatusCode | None = None
        self.requests: list[tuple[dict[str, Any], Any]] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        if self.status is not None:
            context.abort(self.status, "no")
        self.requests.append((dict(context.invocation_metadata()), request))
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    servicer = Service()
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_span_arrives_over_grpc(service: tuple[Service, str]) -> None:
    servicer, url = service
    answer = deliver(url, span(), PROTOCOL="grpc", HEADERS="api-key=k", COMPRESSION="gzip")
    assert answer is Delivery.SENT
    ((metadata, request),) = servicer.requests
    assert metadata["api-key"] == "k"
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "chat"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (grpc.StatusCode.UNAVAILABLE, Delivery.RETRY),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Delivery.RETRY),
        (grpc.StatusCode.INVALID_ARGUMENT, Delivery.REFUSED),
        (grpc.StatusCode.UNAUTHENTICATED, Delivery.REFUSED),
        (grpc.StatusCode.UNIMPLEMENTED, Delivery.REFUSED),
    ],
)
def test_a_grpc_status_says_what_becomes_of_a_batch(
    service: tuple[Service, str], status: grpc.StatusCode, expected: Delivery
) -> None:
    servicer, url = service
    servicer.status = status
    assert deliver(url, span(), PROTOCOL="grpc", TIMEOUT="0.3") is expected


def test_a_protocol_that_is_not_installed_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp, "_GRPC_MODULE", "opentelemetry.exporter.otlp.proto.absent")
    with pytest.raises(ConfigurationError, match=r'pip install "traceai-evidence\[grpc\]"'):
        otlp.require(Config.resolve({}, protocol="grpc").target)
    otlp.require(Config.resolve({}).target)


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([], None),
        (["spans", None, "unknown"], None),
        ([503, "retrying", 1.0], Delivery.RETRY),
        ([503, 400], Delivery.REFUSED),
        ([70_000_000, 67_108_864], Delivery.SPLIT),
    ],
)
def test_the_last_status_that_was_heard_decides(
    heard: list[object], expected: Delivery | None
) -> None:
    assert otlp.judge(heard) is expected
