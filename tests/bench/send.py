"""Send the load: a number of requests over some connections, each as fast as it is answered."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.load import Corpus

    Post = Callable[[bytes], bool]

CONNECTIONS = 8
TIMEOUT_S = 120.0
_PAUSE_S = 0.05
_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def send(corpus: Corpus, connect: Callable[[], Post], *, first: int, requests: int) -> None:
    """Send the requests `first` … until all are accepted; what is refused for now is sent again.

    Raises:
        OSError: the server refuses for good, or is gone.
    """
    numbers = iter(range(first, first + requests))
    taking = threading.Lock()

    def take() -> bytes | None:
        with taking:
            number = next(numbers, None)
            return None if number is None else corpus.request(number)

    def work() -> None:
        post = connect()
        while (body := take()) is not None:
            while not post(body):
                time.sleep(_PAUSE_S)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(work) for _ in range(CONNECTIONS)]:
            done.result()


def http_connection(address: str, headers: dict[str, str] | None = None) -> Post:
    """Return what posts a body over one kept HTTP connection, and says whether it was accepted."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    told = {"content-type": "application/x-protobuf", **(headers or {})}

    def post(body: bytes) -> bool:
        connection.request("POST", "/v1/traces", body, told)
        response = connection.getresponse()
        said = response.read()
        if response.status in {429, 502, 503, 504}:
            return False
        if response.status != http.client.OK:
            raise OSError(f"{address} answered {response.status}: {said[:200]!r}")
        return True

    return post


def grpc_connection(address: str) -> Post:
    """Return what posts a body over one gRPC connection, and says whether it was accepted."""
    channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
    export: Callable[..., bytes] = channel.unary_unary(_METHOD)

    def post(body: bytes) -> bool:
        try:
            export(body, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            if error.code() not in _RETRYABLE:
                raise OSError(f"{address} answered {error.code()}") from error
            return False
        return True

    return post
