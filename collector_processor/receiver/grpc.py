"""OTLP over gRPC: bytes in, bytes out, no generated stubs (OTLP 1.11, "OTLP/gRPC")."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import grpc

from collector_processor.errors import RequestError, UnavailableError
from collector_processor.model import Signal
from collector_processor.receiver import answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from collector_processor.receiver.intake import Intake

    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = Callable[[bytes, Context], Awaitable[bytes]]

_PACKAGE = "opentelemetry.proto.collector"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def make_server(intake: Intake) -> grpc.aio.Server:
    """Return a server of the three OTLP services; metrics are refused in words."""
    server = grpc.aio.server(
        options=(
            # A message over the limit is refused by gRPC itself: RESOURCE_EXHAUSTED, no RetryInfo.
            ("grpc.max_receive_message_length", intake.max_request_bytes),
            # Else a second collector would share the port and take half of the requests.
            ("grpc.so_reuseport", 0),
        )
    )
    server.add_generic_rpc_handlers(
        (
            _service("trace.v1.TraceService", _export(intake, Signal.TRACES)),
            _service("logs.v1.LogsService", _export(intake, Signal.LOGS)),
            _service("metrics.v1.MetricsService", _refuse_metrics),
        )
    )
    return server


def _service(name: str, export: Handler) -> grpc.GenericRpcHandler:
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(export)
    return grpc.method_handlers_generic_handler(f"{_PACKAGE}.{name}", {"Export": method})


def _export(intake: Intake, signal: Signal) -> Handler:
    async def export(body: bytes, context: Context) -> bytes:
        held = 0
        try:
            intake.hold(len(body))
            held = len(body)
            return answer.success(await intake.take(signal, body))
        except RequestError as error:
            intake.refuse(signal, error)
            await _abort(context, error)
        finally:
            intake.let_go(held)

    return export


async def _refuse_metrics(_body: bytes, context: Context) -> bytes:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, answer.METRICS_REFUSAL)


async def _abort(context: Context, error: RequestError) -> NoReturn:
    _, code = answer.codes_of(error)
    retry = answer.retry_info(error) if isinstance(error, UnavailableError) else None
    metadata = [("grpc-status-details-bin", answer.status(code, str(error), retry))]
    if retry is not None:
        # The OpenTelemetry SDK for Python looks here, and not into the details.
        metadata.append(("google.rpc.retryinfo-bin", retry.SerializeToString()))
    await context.abort(_CODES[code], str(error), tuple(metadata))
