"""Start each server on free loopback ports with an empty store, and ask what it has stored."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.store.reader import Reader
from tests.bench import send, venvs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.bench.send import Post

READY_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that is ready.

    Attributes:
        pid: its process.
        http: opens an OTLP/HTTP connection.
        grpc: opens an OTLP/gRPC connection; None where it is not measured.
        stored: how many spans are stored; for the collector, in traces that are sealed.
        ready_s: from the start of the process until it was ready.
    """

    pid: int
    http: Callable[[], Post]
    grpc: Callable[[], Post] | None
    stored: Callable[[], int]
    ready_s: float


@contextmanager
def traceai(folder: Path) -> Iterator[Server]:
    """Run `traceai collect`, with its defaults."""
    ports = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--json")
    command = [sys.executable, "-m", "traceai", "collect", "--data-dir", str(folder), *ports]
    with _announcing(command, lambda: _sealed(folder / "evidence.db")) as server:
        yield server


@contextmanager
def ingest(folder: Path) -> Iterator[Server]:
    """Run the collector's first half alone; all that it acknowledged is stored, in its journal."""
    command = [sys.executable, "-m", "tests.bench.ingest", str(folder)]
    with _announcing(command, lambda: sys.maxsize) as server:
        yield server


@contextmanager
def phoenix(cache: Path, folder: Path, requires: str) -> Iterator[Server]:
    """Run Phoenix on SQLite, with its defaults, and no word to the outside."""
    python = venvs.ensure(cache, "phoenix", (requires,))
    http, grpc = _free_port(), _free_port()
    environ = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(http),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    }
    command = [str(python.with_name("phoenix")), "serve"]
    address = f"127.0.0.1:{http}"
    with _answering(command, environ, f"http://{address}/healthz", folder) as (pid, ready_s):
        yield Server(
            pid=pid,
            http=lambda: send.http_connection(address),
            grpc=None,
            stored=lambda: _count(folder / "phoenix.db"),
            ready_s=ready_s,
        )


@contextmanager
def mlflow(cache: Path, folder: Path, requires: str) -> Iterator[Server]:
    """Run MLflow on SQLite with one worker, no job processes, and no word to the outside."""
    python = venvs.ensure(cache, "mlflow", (requires,))
    port, store = _free_port(), folder / "mlflow.db"
    environ = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    where = ("--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    command = [str(python), "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{store}"]
    address = f"127.0.0.1:{port}"
    health = f"http://{address}/health"
    with _answering([*command, *where], environ, health, folder) as (pid, ready_s):
        yield Server(
            pid=pid,
            http=lambda: send.http_connection(address, {"x-mlflow-experiment-id": "0"}),
            grpc=None,
            stored=lambda: _count(store),
            ready_s=ready_s,
        )


@contextmanager
def _announcing(command: list[str], stored: Callable[[], int]) -> Iterator[Server]:
    """Run a server that prints its addresses as JSON when it is ready."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=venvs.CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{' '.join(command)} does not start: run it by hand to see why")
            said = json.loads(line)
            yield Server(
                pid=process.pid,
                http=lambda: send.http_connection(said["http"]),
                grpc=lambda: send.grpc_connection(said["grpc"]),
                stored=stored,
                ready_s=time.perf_counter() - begun,
            )
        finally:
            process.terminate()


@contextmanager
def _answering(
    command: list[str], environ: Mapping[str, str], url: str, folder: Path
) -> Iterator[tuple[int, float]]:
    """Run a server until its health page answers; yield its process and how long that took."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not _answers(url):
                if process.poll() is not None or time.perf_counter() - begun > READY_S:
                    raise RuntimeError(f"{command[0]} does not start: run it by hand to see why")
                time.sleep(0.1)
            yield process.pid, time.perf_counter() - begun
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _sealed(store: Path) -> int:
    """Return how many spans are stored in sealed traces; none while a trace is open."""
    with Reader(store) as reader:
        totals = reader.totals()
    return 0 if totals.traces_open else totals.spans


def _count(store: Path) -> int:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        found: int = database.execute("SELECT count(*) FROM spans").fetchone()[0]
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
