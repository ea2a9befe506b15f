"""What every test shares: failures of telemetry are raised, and a real OTLP receiver to send to."""

from __future__ import annotations

import gzip
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from traceai.errors import guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


# A machine that is busy makes no property false.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(autouse=True, scope="session")
def _no_failure_hides() -> None:
    guard.reraise = True


class OtlpSink:
    """An OTLP/HTTP receiver on loopback that keeps every request.

    Attributes:
        url: its address, without a path.
        requests: path, headers in lower case, and decompressed body of each request, in order.
        statuses: what to answer the next requests; 200 when it is empty.
        release: while clear, requests are received and not answered.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.release = threading.Event()
        self.release.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        serve = partial(self._server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()

    def resource_spans(self) -> list[ResourceSpans]:
        """Return what was accepted, decoded."""
        return [
            resource_spans
            for _, _, body in self.requests
            for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def spans(self) -> list[Span]:
        """Return every span that was accepted, in order."""
        return [
            span
            for resource_spans in self.resource_spans()
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]

    def names(self) -> list[str]:
        """Return the names of the spans that were accepted, sorted."""
        return sorted(span.name for span in self.spans())

    def attributes(self) -> list[dict[str, Any]]:
        """Return the attributes of every span that was accepted, in order."""
        return [attributes_of(span) for span in self.spans()]

    def resources(self) -> list[dict[str, Any]]:
        """Return the attributes of each resource that was named."""
        return [attributes_of(each.resource) for each in self.resource_spans()]

    def close(self) -> None:
        """Stop listening."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.release.wait()
                status = sink.statuses.pop(0) if sink.statuses else 200
                if status == 200:
                    sink.requests.append((self.path, headers, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def attributes_of(holder: Any) -> dict[str, Any]:
    """Return the attributes of a protobuf span, resource or event as Python values."""
    return {each.key: _value(each.value) for each in holder.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return None if kind is None else getattr(value, kind)


@pytest.fixture
def otlp_sink() -> Iterator[OtlpSink]:
    """Return a running OTLP receiver."""
    sink = OtlpSink()
    yield sink
    sink.close()
