"""Start and stop both OTLP servers in the running event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from collector_processor import asgi
from collector_processor.errors import CollectorError
from collector_processor.listen import in_use, listen, name_of
from collector_processor.receiver.grpc import make_server
from collector_processor.receiver.http import HTTPReceiver

if TYPE_CHECKING:
    import grpc

    from collector_processor.receiver.intake import Intake


class Receivers:
    """The servers that are up.

    Attributes:
        http: the address that OTLP/HTTP is served at, `host:port`; None when it is not served.
        grpc: the same of OTLP/gRPC.
    """

    def __init__(self) -> None:
        self.http: str | None = None
        self.grpc: str | None = None
        self._http: asgi.ASGIServer | None = None
        self._grpc: grpc.aio.Server | None = None

    async def stop(self, grace_s: float) -> None:
        """Accept no more, and give the requests under way `grace_s` to end."""
        stops = []
        if self._http is not None:
            stops.append(asyncio.ensure_future(self._http.stop(grace_s)))
        if self._grpc is not None:
            stops.append(asyncio.ensure_future(self._grpc.stop(grace_s)))
        await asyncio.gather(*stops)

    async def start_http(self, intake: Intake, endpoint: str) -> None:
        """Serve OTLP/HTTP; see `start`."""
        self._http = await asgi.serve(HTTPReceiver(intake), endpoint, "http")
        self.http = self._http.address

    async def start_grpc(self, intake: Intake, endpoint: str) -> None:
        """Serve OTLP/gRPC; see `start`."""
        # gRPC tells only that it failed, not why: a socket of our own finds that out, and resolves
        # port 0 too.
        with listen(endpoint, "grpc") as probe:
            address = name_of(probe)
        self._grpc = make_server(intake)
        try:
            self._grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise in_use(address, "grpc") from error
        await self._grpc.start()
        self.grpc = address


async def start(intake: Intake, *, http: str | None, grpc: str | None) -> Receivers:
    """Serve OTLP at the given endpoints, `host:port`; port 0 takes a free one.

    Neither server touches signal handlers: the caller stops them.

    Raises:
        ConfigError: an endpoint is no `host:port`, or one that others can reach.
        PortInUseError: another process listens there.
        ListenError: the address cannot be listened on for another reason.
    """
    receivers = Receivers()
    try:
        if grpc is not None:
            await receivers.start_grpc(intake, grpc)
        if http is not None:
            await receivers.start_http(intake, http)
    except CollectorError:
        await receivers.stop(0)
        raise
    return receivers
