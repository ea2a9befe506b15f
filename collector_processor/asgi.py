"""Serve an ASGI application on one address of the running event loop."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from collector_processor.listen import listen, name_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

# Longer than an SDK's export interval: a connection closed while it sends costs it a retry.
_KEEP_ALIVE_S = 120
_POLL_S = 0.002


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
                http="httptools",
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


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield
