"""The way out: the official OTLP exporters, and what they say of a batch.

They say success or failure, and why only in their log. Whether a failure is worth another attempt
decides if evidence is kept or lost, so that log is heard here, and not printed on top of it.
"""

from __future__ import annotations

import copy
import logging
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult

from traceai.errors import ConfigurationError
from traceai.sender import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from traceai.config import Target
    from traceai.sender import Deliver

_LOGGERS: Final = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
)
# Answers that ask for another attempt (OTLP 1.11); a batch too large may pass in parts.
_RETRY_HTTP: Final = frozenset({429, 502, 503, 504})
_TOO_LARGE_HTTP: Final = 413
_RETRY_GRPC: Final = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
        "RESOURCE_EXHAUSTED",
    }
)
_MAX_RESOURCES: Final = 64
_GRPC_MODULE: Final = "opentelemetry.exporter.otlp.proto.grpc"


def require(target: Target) -> None:
    """Raise `ConfigurationError` if what `target` needs is not installed."""
    if target.exporter == "otlp" and target.protocol == "grpc" and not _installed(_GRPC_MODULE):
        raise ConfigurationError(
            "The protocol is grpc, but the exporter for it is not installed.",
            remedy='Run: pip install "traceai-evidence[grpc]", or use http/protobuf.',
        )


def connect(target: Target, dress: Callable[[Resource], Resource]) -> Deliver:
    """Return the way to `target`; each span leaves with its resource completed by `dress`."""
    exporter = _exporter(target)
    ear = _placed_ear()
    dressed: dict[int, tuple[Resource, Resource]] = {}

    def deliver(spans: Sequence[ReadableSpan]) -> Delivery:
        ear.listen()
        outgoing = [_dressed(span, dressed, dress) for span in spans]
        if exporter.export(outgoing) is SpanExportResult.SUCCESS:
            return Delivery.SENT
        return judge(ear.heard) or _encodable(outgoing)

    return deliver


def judge(heard: Sequence[object]) -> Delivery | None:
    """Say what a failure means by the last status that was heard; None when there was none."""
    for word in reversed(heard):
        if isinstance(word, int):
            # A number beyond the status codes is a size that the exporter itself found too large.
            if word >= _TOO_LARGE_HTTP and word not in range(_TOO_LARGE_HTTP + 1, 600):
                return Delivery.SPLIT
            return Delivery.RETRY if word in _RETRY_HTTP else Delivery.REFUSED
        name = getattr(word, "name", None)
        if isinstance(name, str) and isinstance(getattr(word, "value", None), tuple):
            return Delivery.RETRY if name in _RETRY_GRPC else Delivery.REFUSED
    return None


class _Ear(logging.Filter):
    """Hear what is logged on the thread that listens, and keep it from being printed there."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []
        self._thread: int | None = None

    def listen(self) -> None:
        """Forget what was heard, and listen to the present thread."""
        self._thread = threading.get_ident()
        self.heard = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Let pass what other threads log."""
        if threading.get_ident() != self._thread:
            return True
        if isinstance(record.args, tuple):
            self.heard.extend(record.args)
        return False


def _placed_ear() -> _Ear:
    """Put a new ear to the exporters' logs, in place of that of an earlier connection."""
    ear = _Ear()
    for logger in map(logging.getLogger, _LOGGERS):
        for former in [known for known in logger.filters if isinstance(known, _Ear)]:
            logger.removeFilter(former)
        # First in line: a filter of the exporter's own keeps repetitions from those behind it.
        logger.filters.insert(0, ear)
    return ear


def _exporter(target: Target) -> SpanExporter:
    # The exporters take a quarter of a second to import: never in the application's way.
    if target.exporter == "console":
        return ConsoleSpanExporter(out=sys.stdout)
    return _grpc(target) if target.protocol == "grpc" else _http(target)


def _http(target: Target) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: PLC0415 - see _exporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(
        endpoint=target.endpoint,
        headers=dict(target.headers),
        certificate_file=target.certificate,
        client_key_file=target.client_key,
        client_certificate_file=target.client_certificate,
        timeout=target.timeout_s,
        compression=Compression(target.compression),
    )


def _grpc(target: Target) -> SpanExporter:
    import grpc  # noqa: PLC0415 - see _exporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    files = (target.certificate, target.client_key, target.client_certificate)
    read = [Path(name).read_bytes() if name else None for name in files]
    return OTLPSpanExporter(
        endpoint=target.endpoint,
        headers=dict(target.headers),
        credentials=grpc.ssl_channel_credentials(*read) if any(read) else None,
        timeout=target.timeout_s,
        compression=getattr(grpc.Compression, _GRPC_COMPRESSIONS[target.compression]),
    )


_GRPC_COMPRESSIONS: Final = {"none": "NoCompression", "gzip": "Gzip", "deflate": "Deflate"}


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _dressed(
    span: ReadableSpan,
    dressed: dict[int, tuple[Resource, Resource]],
    dress: Callable[[Resource], Resource],
) -> ReadableSpan:
    """Return a copy of `span` under its completed resource; other processors hold the original."""
    resource = span.resource
    known = dressed.get(id(resource))
    if known is None:
        if len(dressed) >= _MAX_RESOURCES:
            dressed.clear()
        # The resource itself is kept beside its id, which could otherwise be reused.
        dressed[id(resource)] = known = (resource, dress(resource))
    outgoing = copy.copy(span)
    outgoing._resource = known[1]  # noqa: SLF001 - a rebuilt span would lose its dropped counts
    return outgoing


def _encodable(spans: Sequence[ReadableSpan]) -> Delivery:
    """Tell a collector that cannot be reached from a span that no request can hold."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import (  # noqa: PLC0415 - see _exporter
        encode_spans,
    )

    try:
        encode_spans(spans)
    except (TypeError, ValueError):
        return Delivery.SPLIT
    return Delivery.RETRY
