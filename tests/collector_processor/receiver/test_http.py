from __future__ import annotations

import gzip
import http.client
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from collector_processor.model import Signal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.collector_processor.receiver.conftest import Served

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
GOOD_JSON = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s"}]}]}]}' % (
    b"ab" * 16,
    b"cd" * 8,
)


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def failure(self) -> tuple[int, str]:
        """Return code and message of the Status that the body is."""
        if self.headers["content-type"] == JSON:
            tree = json.loads(self.body)
            return tree["code"], tree["message"]
        parsed = Status.FromString(self.body)
        return parsed.code, parsed.message


def request(*bad: int, total: int = 2) -> bytes:
    """Return a request of `total` spans, of which those numbered in `bad` have a wrong id."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number in range(total):
        trace_id = b"short" if number in bad else b"t" * 16
        scope.spans.add(trace_id=trace_id, span_id=b"s" * 8, name=f"span {number}")
    return message.SerializeToString()


def send(
    served: Served,
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/v1/traces",
    media: str = PROTOBUF,
    **headers: str,
) -> Reply:
    connection = http.client.HTTPConnection(served.http, timeout=10)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Content-Type": media, **fields})
        response = connection.getresponse()
        return Reply(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(),
        )
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("body", "media", "headers", "answer"),
    [
        (request(), PROTOBUF, {}, b""),
        (request(), f"{PROTOBUF}; charset=utf-8", {}, b""),
        (request(), "Application/X-Protobuf", {}, b""),
        (gzip.compress(request(), mtime=0), PROTOBUF, {"content_encoding": "gzip"}, b""),
        (GOOD_JSON, JSON, {}, b"{}"),
        (GOOD_JSON, f"{JSON};charset=UTF-8", {}, b"{}"),
        (gzip.compress(GOOD_JSON, mtime=0), JSON, {"content_encoding": "gzip"}, b"{}"),
    ],
)
def test_a_good_request_is_stored_and_answered_in_its_encoding(
    served: Served, body: bytes, media: str, headers: dict[str, str], answer: bytes
) -> None:
    reply = send(served, body, media=media, **headers)
    assert (reply.status, reply.body) == (200, answer)
    assert reply.headers["content-type"] == media.partition(";")[0].lower()
    (stored,) = served.stored()
    if "protobuf" in media.lower():
        assert stored == request()
    span = ExportTraceServiceRequest.FromString(stored).resource_spans[0].scope_spans[0].spans[0]
    assert len(span.trace_id) == 16


@pytest.mark.parametrize(("body", "media", "answer"), [(b"", PROTOBUF, b""), (b"{}", JSON, b"{}")])
def test_an_empty_request_succeeds_and_stores_nothing(
    served: Served, body: bytes, media: str, answer: bytes
) -> None:
    reply = send(served, body, media=media)
    assert (reply.status, reply.body) == (200, answer)
    assert served.stored() == []


@pytest.mark.parametrize(
    ("body", "fields", "codes", "message"),
    [
        (b"\x0a\xff", {}, (400, 3), "not a protobuf ExportTraceServiceRequest"),
        (b"{", {"media": JSON}, (400, 3), "The body is not JSON"),
        (b"[]", {"media": JSON}, (400, 3), "must be an object"),
        (
            gzip.compress(request(), mtime=0)[:-5],
            {"content_encoding": "gzip"},
            (400, 3),
            "breaks off",
        ),
        (request(), {"content_encoding": "gzip"}, (400, 3), "not gzip"),
        (request(), {"content_encoding": "br"}, (415, 3), "'br' is not supported. Use one of"),
        (b"x", {"media": "text/plain"}, (415, 3), "'text/plain' is not supported. Send applic"),
        (b"", {"method": "GET"}, (405, 12), "/v1/traces takes POST, not GET"),
        (b"x", {"path": "/"}, (404, 5), "Send traces to /v1/traces"),
        (b"x", {"path": "/", "media": JSON}, (404, 5), "Send traces to /v1/traces"),
        (b"x", {"path": "/v1/metrics"}, (404, 12), "OTEL_METRICS_EXPORTER=none"),
        (bytes(2 << 20), {}, (413, 8), "larger than 1048576 bytes"),
    ],
)
def test_a_bad_request_is_refused_with_a_status_in_its_encoding(
    served: Served, body: bytes, fields: dict[str, Any], codes: tuple[int, int], message: str
) -> None:
    reply = send(served, body, **fields)
    assert (reply.status, reply.failure()[0]) == codes
    assert message in reply.failure()[1]
    asked = fields.get("media", PROTOBUF)
    assert reply.headers["content-type"] == (PROTOBUF if asked == PROTOBUF else JSON)
    assert served.stored() == []


def test_a_method_that_is_not_post_is_told_which_is_allowed(served: Served) -> None:
    assert send(served, method="PUT").headers["allow"] == "POST"


def test_a_partial_success_counts_exactly_and_keeps_the_rest(served: Served) -> None:
    reply = send(served, request(1, 3, total=4))
    partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
    assert (reply.status, partial.rejected_spans) == (200, 2)
    assert partial.error_message == (
        "resource 0, scope 0, span 1: trace_id is not 16 bytes long; resource 0, scope 0, span 3: "
        "trace_id is not 16 bytes long. A trace_id has 16 bytes, a span_id 8, and neither is all "
        "zero."
    )
    (stored,) = served.stored()
    kept = ExportTraceServiceRequest.FromString(stored).resource_spans[0].scope_spans[0].spans
    assert [span.name for span in kept] == ["span 0", "span 2"]


def test_a_partial_success_in_json_has_its_count_as_a_text(served: Served) -> None:
    reply = send(served, GOOD_JSON.replace(b"ab" * 16, b"no hex"), media=JSON)
    partial = json.loads(reply.body)["partialSuccess"]
    assert (reply.status, partial["rejectedSpans"]) == (200, "1")
    assert "trace_id" in partial["errorMessage"]
    assert served.stored() == []


def test_logs_are_stored_as_logs(served: Served) -> None:
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(event_name="open")
    assert send(served, message.SerializeToString(), path="/v1/logs").status == 200
    (stored,) = served.frames()
    assert (stored.signal, stored.body) == (Signal.LOGS, message.SerializeToString())


def test_a_bomb_is_refused_without_being_inflated(served: Served) -> None:
    bomb = gzip.compress(bytes(200 << 20), 9)
    reply = send(served, bomb, content_encoding="gzip")
    assert (reply.status, reply.failure()[0]) == (413, 8)


def open_post(served: Served, *headers: str) -> socket.socket:
    host, _, port = served.http.rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    head = ["POST /v1/traces HTTP/1.1", "Host: x", f"Content-Type: {PROTOBUF}", *headers, "", ""]
    client.sendall("\r\n".join(head).encode())
    return client


def read_head(client: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received and (chunk := client.recv(65536)):
        received += chunk
    return received


@pytest.mark.parametrize("expect", [(), ("Expect: 100-continue",)])
def test_a_body_that_announces_too_much_is_refused_before_it_is_sent(
    served: Served, expect: tuple[str, ...]
) -> None:
    with open_post(served, "Content-Length: 104857600", *expect) as client:
        response = read_head(client)
    assert response.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close\r\n" in response
    assert b"100 Continue" not in response


def test_a_client_that_is_still_sending_too_much_gets_its_answer(served: Served) -> None:
    reply = send(served, bytes(100 << 20))
    assert (reply.status, reply.failure()[0]) == (413, 8)
    assert served.stored() == []


def test_a_body_of_unknown_length_is_refused_when_it_has_grown_too_large(served: Served) -> None:
    with open_post(served, "Transfer-Encoding: chunked") as client:
        chunk = b"40000\r\n" + bytes(0x40000) + b"\r\n"
        for _ in range(5):
            client.sendall(chunk)
        assert read_head(client).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_goes_away_stores_nothing_and_holds_nothing(served: Served) -> None:
    open_post(served, "Content-Length: 1000").close()
    assert send(served, request()).status == 200
    assert served.stored() == [request()]


def test_a_full_journal_is_answered_with_a_time_to_try_again(
    server: Callable[..., AbstractContextManager[Served]], tmp_path: Path
) -> None:
    with server(tmp_path, max_bytes=300) as served:
        body = request(total=6)
        assert send(served, body).status == 200
        reply = send(served, body)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.failure()[0] == 14
        assert served.intake.counts.refused == {(Signal.TRACES, "UnavailableError"): 1}
        assert served.intake.counts.accepted == {Signal.TRACES: 6}
        served.journal.release(served.journal.end_position)
        assert send(served, body).status == 200
        assert served.stored() == [body]


def test_health_is_answered(served: Served) -> None:
    reply = send(served, method="GET", path="/healthz")
    assert (reply.status, reply.body) == (200, b'{"status":"ok"}')


def test_a_connection_is_kept_for_the_next_request(served: Served) -> None:
    connection = http.client.HTTPConnection(served.http, timeout=10)
    for _ in range(3):
        connection.request("POST", "/v1/traces", request(), {"Content-Type": PROTOBUF})
        first = connection.sock
        assert connection.getresponse().read() == b""
        assert connection.sock is first
    connection.close()
    assert len(served.stored()) == 3


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_the_opentelemetry_sdk_delivers_its_spans(served: Served, compression: str) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415

    exporter = OTLPSpanExporter(
        endpoint=f"http://{served.http}/v1/traces", compression=Compression(compression)
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("chat"):
        pass
    provider.shutdown()
    (stored,) = served.stored()
    parsed = ExportTraceServiceRequest.FromString(stored)
    assert [s.name for s in parsed.resource_spans[0].scope_spans[0].spans] == ["chat"]


def test_the_opentelemetry_sdk_delivers_its_log_records(served: Served) -> None:
    exporter = OTLPLogExporter(endpoint=f"http://{served.http}/v1/logs")
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("test").emit(event_name="traceai.stream.open", body="x")
    provider.shutdown()
    (stored,) = served.frames()
    assert stored.signal is Signal.LOGS
