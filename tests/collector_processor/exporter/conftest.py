"""A backend over real HTTP that answers as it is told."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Backend(HTTPServer):
    """Answers as told, and keeps what it was sent.

    Attributes:
        answer: status, headers and body of every answer that is not among `answers`.
        answers: statuses of the next answers, before it is back to `answer`.
        got: path, headers in lower case, and body of each request, in order.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b"")
        self.answers: list[int] = []
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        """Answer, in a thread, until it is stopped."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening: whoever connects is refused."""
        self.shutdown()
        self.server_close()

    def bodies(self, path: str = "/v1/traces") -> list[bytes]:
        """Return the bodies that came to a path, in order."""
        return [body for where, _, body in self.got if where == path]


class Handler(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, headers, said = self.server.answer
        if self.server.answers:
            status = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(said))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[Backend]:
    server = Backend()
    server.start()
    yield server
    server.stop()
