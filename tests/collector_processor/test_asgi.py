from __future__ import annotations

import asyncio
import http.client
import signal
import socket
from typing import Any

import pytest

from collector_processor.asgi import ASGIServer, serve
from collector_processor.errors import PortInUseError
from collector_processor.listen import listen

FREE = "127.0.0.1:0"


async def hello(scope: Any, _receive: Any, send: Any) -> None:
    body = scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def get(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


async def test_an_application_answers_at_the_address_that_is_told() -> None:
    server = await serve(hello, FREE, "ui")
    assert await asyncio.to_thread(get, server.address, "/a") == (200, b"/a")
    await server.stop(1)


async def test_two_servers_share_a_loop() -> None:
    servers = [await serve(hello, FREE, flag) for flag in ("http", "ui")]
    answers = [await asyncio.to_thread(get, each.address, "/") for each in servers]
    assert answers == [(200, b"/"), (200, b"/")]
    for each in servers:
        await each.stop(1)


async def test_a_request_under_way_ends_before_it_stops() -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        reached.set()
        await release.wait()
        await hello(scope, receive, send)

    server = await serve(slow, FREE, "ui")
    request = asyncio.create_task(asyncio.to_thread(get, server.address, "/slow"))
    await reached.wait()
    stopping = asyncio.create_task(server.stop(30))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    release.set()
    assert await request == (200, b"/slow")
    await stopping


async def test_it_accepts_no_more_once_it_has_stopped() -> None:
    server = await serve(hello, FREE, "ui")
    await server.stop(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(get, server.address, "/")


async def test_signal_handlers_are_left_alone() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    server = await serve(hello, FREE, "ui")
    during = {number: signal.getsignal(number) for number in before}
    await server.stop(1)
    assert during == before


async def test_a_port_in_use_is_an_error_of_ours() -> None:
    server = await serve(hello, FREE, "ui")
    with pytest.raises(PortInUseError, match="--ui HOST:PORT"):
        await serve(hello, server.address, "ui")
    await server.stop(1)


async def test_a_server_that_cannot_start_says_why_and_is_not_waited_for() -> None:
    listener = listen(FREE, "ui")
    server = ASGIServer(hello, listener)
    listener.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        await server.started()


def talk(address: str, head: bytes) -> bytes:
    """Send a head of a request, and return what comes until the server hangs up."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        try:
            connection.sendall(head)
            return connection.recv(65536)
        except OSError:
            return b""


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 1_000_000, id="one endless header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200_000 + b"\r\n", id="many headers"),
        pytest.param(b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
    ],
)
async def test_a_head_that_does_not_end_is_not_listened_to(head: bytes) -> None:
    server = await serve(hello, FREE, "ui")
    assert await asyncio.to_thread(talk, server.address, head) == b""
    assert await asyncio.to_thread(get, server.address, "/a") == (200, b"/a")
    await server.stop(1)
