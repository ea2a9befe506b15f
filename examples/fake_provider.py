"""A local server that speaks the OpenAI protocol over real HTTP, with answers known in advance.

    python examples/fake_provider.py --port 0      # prints its base URL; SIGTERM ends it

In a test, `with FakeProvider(script) as provider:` also keeps what it received, and the script may
replace any part of any answer: status, headers, body, stream events, delays, a dropped connection.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from fake_openai import frame, identifier
from fake_script import Answer, Request, Script, scripted_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from fake_answers import JSON

__all__ = ["Answer", "FakeProvider", "Request", "Script"]


_POLL_S = 0.01  # how soon `stop` is noticed: a test-suite starts hundreds


class FakeProvider:
    """The server, on a thread of its own: `with FakeProvider() as provider: provider.base_url`.

    Args:
        script: decides over each answer; `None` from it means the usual answer.
        host: address to listen at.
        port: 0 for a free one.
    """

    def __init__(
        self, script: Script | None = None, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.script = script
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._server = _Server((host, port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), daemon=True
        )

    @property
    def base_url(self) -> str:
        """Return what a client takes as `base_url`."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def receive(self, method: str, path: str, headers: Mapping[str, str], body: JSON) -> Request:
        """Number a request and keep it."""
        with self._lock:
            request = Request(
                number=len(self.requests), method=method, path=path, headers=headers, json=body
            )
            self.requests.append(request)
        return request

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, and cut the connections that clients keep open."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut_connections()

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: FakeProvider) -> None:
        self.provider = provider
        self.connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def cut_connections(self) -> None:
        for connection in tuple(self.connections):
            _cut(connection)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was quicker


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def handle(self) -> None:
        """Answer requests until the client leaves, as clients do, between two or within one."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        """Keep quiet: the requests are kept, not printed."""

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        provider = self.server.provider
        request = provider.receive(self.command, self.path, headers, body)
        answer = scripted_answer(request, provider.script)
        time.sleep(answer.delay_s)
        self._send(request, answer)

    def _send(self, request: Request, answer: Answer) -> None:
        if answer.events is None and answer.drop_after == 0:
            self._drop()
        elif answer.events is None:
            said = answer.body
            body = said if isinstance(said, bytes) else json.dumps(said or {}).encode()
            self._start(request, answer, {"content-type": "application/json"}, len(body))
            self.wfile.write(body)
        else:
            self._start(request, answer, {"content-type": "text/event-stream; charset=utf-8"}, None)
            self._stream(answer, answer.events)

    def _start(
        self, request: Request, answer: Answer, kind: Mapping[str, str], length: int | None
    ) -> None:
        usual = {
            **kind,
            "x-request-id": identifier("req_", request.number, 32),
            "openai-processing-ms": "12",
            "openai-version": "2020-10-01",
            "openai-organization": "example-organisation",
            "x-ratelimit-remaining-requests": "9999",
        }
        framing = {"transfer-encoding": "chunked"} if length is None else {"content-length": length}
        own = {name.lower(): value for name, value in answer.headers.items()}
        self.send_response(answer.status or 200)
        for name, value in {**usual, **framing, **own}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def _stream(self, answer: Answer, events: Sequence[JSON | str]) -> None:
        for number, event in enumerate(events):
            if number == answer.drop_after:
                self._drop()
                return
            if answer.pause:
                answer.pause(number)
            text = event if isinstance(event, str) else frame(event)
            data = text.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _drop(self) -> None:
        self.close_connection = True
        _cut(self.connection)


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Serve the OpenAI protocol with known answers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with FakeProvider(host=options.host, port=options.port) as provider:
        print(provider.base_url, flush=True)
        ended.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
