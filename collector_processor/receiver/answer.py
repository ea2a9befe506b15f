"""What both protocols say: which code an error is, and the bodies of success and failure.

OTLP 1.11: a failure carries a `google.rpc.Status`; a success that left spans out says how many, and
why; a failure that may be sent again says when.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from collector_processor.errors import (
    MalformedRequestError,
    RequestError,
    RequestTooLargeError,
    UnavailableError,
    UnsupportedEncodingError,
    UnsupportedMediaTypeError,
)

if TYPE_CHECKING:
    from collector_processor.receiver.envelope import Accepted

METRICS_REFUSAL = (
    "Metrics are not accepted here, only traces and logs. Set OTEL_METRICS_EXPORTER=none, or send "
    "metrics to another endpoint with OTEL_EXPORTER_OTLP_METRICS_ENDPOINT."
)


class Code(IntEnum):
    """The codes of google.rpc that we use."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    UNAVAILABLE = 14


_CODES: dict[type[RequestError], tuple[int, Code]] = {
    MalformedRequestError: (400, Code.INVALID_ARGUMENT),
    UnsupportedEncodingError: (415, Code.INVALID_ARGUMENT),
    UnsupportedMediaTypeError: (415, Code.INVALID_ARGUMENT),
    RequestTooLargeError: (413, Code.RESOURCE_EXHAUSTED),
    UnavailableError: (503, Code.UNAVAILABLE),
}


def codes_of(error: RequestError) -> tuple[int, Code]:
    """Return the HTTP status and the gRPC code of an error."""
    return _CODES[type(error)]


def retry_info(error: UnavailableError) -> RetryInfo:
    """Say when a request may be sent again."""
    return RetryInfo(retry_delay=Duration(seconds=error.retry_after_s))


def status(code: Code, message: str, retry: RetryInfo | None = None) -> bytes:
    """Encode a failure as protobuf."""
    failure = Status(code=code, message=message)
    if retry is not None:
        failure.details.add().Pack(retry)
    return bytes(failure.SerializeToString())


def status_json(code: Code, message: str) -> bytes:
    """Encode a failure as JSON."""
    return msgspec.json.encode({"code": code, "message": message})


def success(accepted: Accepted) -> bytes:
    """Encode a success as protobuf: nothing at all when everything was accepted."""
    if not accepted.rejected:
        return b""
    # Only spans are ever rejected, so that this is the traces' response.
    partial = ExportTracePartialSuccess(
        rejected_spans=accepted.rejected, error_message=explain(accepted)
    )
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def success_json(accepted: Accepted) -> bytes:
    """Encode a success as JSON; a 64-bit number is a text there."""
    if not accepted.rejected:
        return b"{}"
    partial = {"rejectedSpans": str(accepted.rejected), "errorMessage": explain(accepted)}
    return msgspec.json.encode({"partialSuccess": partial})


def explain(accepted: Accepted) -> str:
    """Say which spans were rejected, and why, as far as there is room."""
    shown = "; ".join(accepted.reasons)
    unsaid = accepted.rejected - len(accepted.reasons)
    more = f"; and {unsaid} more" if unsaid else ""
    return f"{shown}{more}. A trace_id has 16 bytes, a span_id 8, and neither is all zero."
