"""OTLP over HTTP: a raw ASGI application (OTLP 1.11, "OTLP/HTTP").

POST /v1/traces and /v1/logs, in protobuf or JSON, answered in the encoding that was asked in. A
success is sent when the request is durable, and not before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from collector_processor.errors import RequestError, UnavailableError, UnsupportedMediaTypeError
from collector_processor.model import Signal
from collector_processor.receiver import answer
from collector_processor.receiver.compression import decompress, too_large
from collector_processor.receiver.otlp_json import to_protobuf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from collector_processor.receiver.intake import Intake

    Scope = Mapping[str, Any]
    Receive = Callable[[], Awaitable[Mapping[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Header = tuple[bytes, bytes]

_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_SIGNALS = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS}
_LINGER_S = 1.0
# A sender that stops in the middle of its body would keep its room for ever.
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """A response; `unread` when the request's body was not read to its end."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[Header, ...] = ()
    unread: bool = False


class _GoneError(Exception):
    """The client went away before its request was whole."""


class HTTPReceiver:
    """The application that an ASGI server runs."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        signal = _SIGNALS.get(scope["path"])
        try:
            if signal is None or scope["method"] != "POST":
                response = _misdirected(scope["method"], scope["path"], _asked_in(headers))
            else:
                response = await self._export(signal, headers, receive)
        except _GoneError:
            return
        await _respond(response, b"expect" in headers, receive, send)

    async def _export(
        self, signal: Signal, headers: Mapping[bytes, bytes], receive: Receive
    ) -> _Answer:
        body = _Body(self._intake, receive)
        media_type = _asked_in(headers)
        try:
            decode = self._decoder(signal, headers)
            raw = await body.read(headers.get(b"content-length"))
            accepted = await self._intake.take(signal, raw, decode)
        except RequestError as error:
            self._intake.refuse(signal, error)
            return _refused(error, media_type, unread=not body.whole)
        finally:
            body.let_go()
        encode = answer.success_json if media_type == _JSON else answer.success
        return _Answer(status=200, media_type=media_type, body=encode(accepted))

    def _decoder(
        self, signal: Signal, headers: Mapping[bytes, bytes]
    ) -> Callable[[bytes], bytes] | None:
        """Return what turns the body into protobuf, None when it is that already."""
        media_type = _media_type(headers)
        if media_type not in (_PROTOBUF, _JSON):
            raise UnsupportedMediaTypeError(
                f"Content-Type {media_type!r} is not supported.",
                remedy=f"Send {_PROTOBUF} or {_JSON}.",
            )
        encoding = headers.get(b"content-encoding", b"").decode("latin-1")
        if media_type == _PROTOBUF and not encoding:
            return None
        limit = self._intake.max_request_bytes
        unpack = partial(decompress, encoding=encoding, limit=limit)
        if media_type == _PROTOBUF:
            return unpack
        return lambda body: to_protobuf(signal, unpack(body))


class _Body:
    """A request's body, read within the limits. Its room must be let go of in the end."""

    def __init__(self, intake: Intake, receive: Receive) -> None:
        self.whole = False
        self._intake = intake
        self._receive = receive
        self._held = 0

    async def read(self, announced: bytes | None) -> bytes:
        """Return the body; one that announces too much is refused before it is read."""
        if announced is not None and int(announced) > self._intake.max_request_bytes:
            raise too_large(self._intake.max_request_bytes)
        chunks = []
        while not self.whole:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise _GoneError
            chunk = message.get("body", b"")
            self._hold(len(chunk))
            chunks.append(chunk)
            self.whole = not message.get("more_body", False)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _next(self) -> Mapping[str, Any]:
        try:
            return await asyncio.wait_for(self._receive(), _PATIENCE_S)
        except TimeoutError:
            raise UnavailableError(
                f"Nothing of the body came for {_PATIENCE_S} seconds.", remedy="Send it again."
            ) from None

    def let_go(self) -> None:
        """Give back the room."""
        self._intake.let_go(self._held)
        self._held = 0

    def _hold(self, size: int) -> None:
        if self._held + size > self._intake.max_request_bytes:
            raise too_large(self._intake.max_request_bytes)
        self._intake.hold(size)
        self._held += size


def _media_type(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def _asked_in(headers: Mapping[bytes, bytes]) -> str:
    """Return the encoding to answer in: the request's, JSON when it is neither of ours."""
    return _PROTOBUF if _media_type(headers) == _PROTOBUF else _JSON


def _misdirected(method: str, path: str, media_type: str) -> _Answer:
    """Answer what is no export."""
    if path == "/healthz" and method in ("GET", "HEAD"):
        return _Answer(status=200, media_type=_JSON, body=b'{"status":"ok"}')
    if path in _SIGNALS:
        allow = ((b"allow", b"POST"),)
        text = f"{path} takes POST, not {method}."
        return _failure(405, answer.Code.UNIMPLEMENTED, text, media_type, headers=allow)
    if path == "/v1/metrics":
        return _failure(404, answer.Code.UNIMPLEMENTED, answer.METRICS_REFUSAL, media_type)
    text = (
        f"Nothing is at {path}. Send traces to /v1/traces and logs to /v1/logs: an endpoint set "
        "with OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it stands, path and all."
    )
    return _failure(404, answer.Code.NOT_FOUND, text, media_type)


def _refused(error: RequestError, media_type: str, *, unread: bool) -> _Answer:
    status, code = answer.codes_of(error)
    headers: tuple[Header, ...] = ()
    if isinstance(error, UnavailableError):
        headers = ((b"retry-after", b"%d" % error.retry_after_s),)
    return _failure(status, code, str(error), media_type, headers=headers, unread=unread)


def _failure(
    status: int,
    code: answer.Code,
    text: str,
    media_type: str,
    *,
    headers: tuple[Header, ...] = (),
    unread: bool = True,
) -> _Answer:
    encode = answer.status_json if media_type == _JSON else answer.status
    return _Answer(
        status=status,
        media_type=media_type,
        body=encode(code, text),
        headers=headers,
        unread=unread,
    )


async def _respond(response: _Answer, expects: bool, receive: Receive, send: Send) -> None:  # noqa: FBT001
    headers = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", b"%d" % len(response.body)),
        *response.headers,
    ]
    if response.unread:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": response.unread})
    if response.unread:
        if not expects:
            await _linger(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _linger(receive: Receive) -> None:
    """Throw away for a moment what the client still sends.

    A connection closed with unread bytes is reset, and the client may lose the answer.
    """
    try:
        async with asyncio.timeout(_LINGER_S):
            message = await receive()
            while message["type"] != "http.disconnect" and message.get("more_body", False):
                message = await receive()
    except TimeoutError:
        return
