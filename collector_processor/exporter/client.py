"""One OTLP request to one backend, over HTTP or gRPC: delivered, to be retried, or refused.

Which answers may be retried is the OTLP specification's choice (OTLP 1.11, "Failures"): HTTP 429,
502, 503, 504 and a lost connection; gRPC CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE,
UNAVAILABLE, DATA_LOSS, and RESOURCE_EXHAUSTED only with RetryInfo.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import grpc
import urllib3
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector_processor.model import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector_processor.config import OTLPExporter

_RETRYABLE_HTTP = frozenset({429, 502, 503, 504})
# Something in between answers, not the backend: no reason to give a request up.
_REDIRECTS = range(300, 400)
_RETRYABLE_GRPC = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_REASON_LIMIT = 200


class Delivery(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a backend said.

    Attributes:
        rejected: spans or records that the backend itself did not take (partial success).
        retry_after_s: how long it asks to be left alone, if it does.
    """

    delivery: Delivery
    reason: str = ""
    rejected: int = 0
    retry_after_s: float | None = None


class Client(Protocol):
    """How a request reaches a backend."""

    def send(self, signal: Signal, body: bytes) -> Answer:
        """Send one protobuf request and return the answer; raises nothing."""
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


def connect(exporter: OTLPExporter) -> Client:
    """Return the client that the configuration asks for; connects at the first request."""
    return GRPCClient(exporter) if exporter.protocol == "grpc" else HTTPClient(exporter)


class HTTPClient:
    """OTLP over HTTP, protobuf bodies."""

    def __init__(self, exporter: OTLPExporter) -> None:
        self._base = exporter.endpoint.rstrip("/")
        self._gzip = exporter.compression == "gzip"
        self._headers = {"content-type": "application/x-protobuf", **exporter.headers}
        if self._gzip:
            self._headers["content-encoding"] = "gzip"
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=exporter.timeout_s), retries=False, maxsize=2
        )

    def send(self, signal: Signal, body: bytes) -> Answer:
        """POST to `ENDPOINT/v1/traces` or `/v1/logs`."""
        data = gzip.compress(body, compresslevel=1) if self._gzip else body
        url = f"{self._base}/v1/{signal}"
        try:
            response = self._pool.request(
                "POST", url, body=data, headers=self._headers, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            return Answer(delivery=Delivery.RETRY, reason=f"{url}: {type(error).__name__}")
        if response.status == 200:  # noqa: PLR2004 - the only success that OTLP knows
            return _accepted(signal, response.data)
        reason = f"{url} answered {response.status}"
        if response.status in _RETRYABLE_HTTP or response.status in _REDIRECTS:
            wait = _seconds(response.headers.get("retry-after"))
            return Answer(delivery=Delivery.RETRY, reason=reason, retry_after_s=wait)
        return Answer(delivery=Delivery.REFUSED, reason=reason)

    def close(self) -> None:
        """Let the connections go."""
        self._pool.clear()


class GRPCClient:
    """OTLP over gRPC; `https://` endpoints use TLS with the system's roots."""

    def __init__(self, exporter: OTLPExporter) -> None:
        parts = urlsplit(
            exporter.endpoint if "//" in exporter.endpoint else f"//{exporter.endpoint}"
        )
        compression = (
            grpc.Compression.Gzip
            if exporter.compression == "gzip"
            else grpc.Compression.NoCompression
        )
        options = [("grpc.max_send_message_length", -1)]
        self._channel = (
            grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(), options, compression)
            if parts.scheme == "https"
            else grpc.insecure_channel(parts.netloc, options, compression)
        )
        self._metadata = tuple((name.lower(), value) for name, value in exporter.headers.items())
        self._timeout_s = exporter.timeout_s
        self._calls: dict[Signal, Callable[..., bytes]] = {
            signal: self._channel.unary_unary(method) for signal, method in _METHODS.items()
        }

    def send(self, signal: Signal, body: bytes) -> Answer:
        """Call `Export` of the signal's service."""
        try:
            said = self._calls[signal](body, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            return _refused_call(error)
        return _accepted(signal, said)

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()


def _refused_call(error: Any) -> Answer:
    code = error.code()
    reason = f"{code.name}: {(error.details() or '')[:_REASON_LIMIT]}"
    trailers = {key for key, _ in error.trailing_metadata() or ()}
    retry_info = bool(trailers & {"google.rpc.retryinfo-bin", "grpc-status-details-bin"})
    exhausted = code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_info
    retry = code in _RETRYABLE_GRPC or exhausted
    return Answer(delivery=Delivery.RETRY if retry else Delivery.REFUSED, reason=reason)


def _accepted(signal: Signal, body: bytes) -> Answer:
    """Read the partial success: the spec forbids to retry what it rejects."""
    try:
        if signal is Signal.TRACES:
            traces = ExportTraceServiceResponse.FromString(body).partial_success
            rejected, said = traces.rejected_spans, traces.error_message
        else:
            logs = ExportLogsServiceResponse.FromString(body).partial_success
            rejected, said = logs.rejected_log_records, logs.error_message
    except DecodeError:
        # Backends answer 200 with a text of their own; the status is what the spec counts.
        return Answer(delivery=Delivery.ACCEPTED)
    return Answer(delivery=Delivery.ACCEPTED, reason=said[:_REASON_LIMIT], rejected=rejected)


def _seconds(retry_after: str | None) -> float | None:
    """Read `Retry-After` in seconds; a date is treated as absent: our own back-off then counts."""
    return float(retry_after) if retry_after and retry_after.isdigit() else None
