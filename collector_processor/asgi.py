"""Serve an ASGI application on one address of the running event loop."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector_processor.listen import listen, name_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

# Longer than an SDK's export interval: a connection closed while it sends costs it a retry.
_KEEP_ALIVE_S = 120
_POLL_S = 0.002
_MOST_HEAD_BYTES = 64 << 10
# What one read may bring: a head is told from its body only once it is parsed.
_ONE_READ = 256 << 10


class ASGIServer:
    """A server that is up.

    Attributes:
        address: what it is bound to, `host:port`.
    """

    def __init__(self, application: Callable[..., Any], listener: socket.socket) -> None:
        self.address = name_of(listener)
        self._server = _Server(
            uvicorn.Config(
                application,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
            )
        )
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def started(self) -> None:
        """Return when it accepts connections."""
        while not self._server.started:
            if self._task.done():
                await self._task
            await asyncio.sleep(_POLL_S)

    async def stop(self, grace_s: float) -> None:
        """Accept no more, and give the requests under way `grace_s` to end."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace_s))
        self._server.should_exit = True
        await self._task


async def serve(application: Callable[..., Any], endpoint: str, flag: str) -> ASGIServer:
    """Serve at `host:port`, as `listen` takes it. Signal handlers are left alone."""
    server = ASGIServer(application, listen(endpoint, flag))
    await server.started()
    return server


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with a limit on the request line and the headers, which the parser has not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse what came; leave a client whose head does not end."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _MOST_HEAD_BYTES:
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Answer, unless the head was too large."""
        self._in_head = False
        if self._head_bytes > _MOST_HEAD_BYTES + _ONE_READ:
            self.transport.close()
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the head of the next request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield
