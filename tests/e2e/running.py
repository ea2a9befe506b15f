"""Programs under test, each a process of its own: the collector, and what is asked of its store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TRACEAI = [sys.executable, "-m", "traceai"]
FREE = "127.0.0.1:0"
PATIENCE_S = 60


@dataclass
class Collector:
    """A collector on loopback, with a folder of its own.

    Attributes:
        addresses: what it said it is bound to, `http` and `grpc`; empty until it is ready.
    """

    folder: Path
    http: str = FREE
    grpc: str = FREE
    config: Path | None = None
    environ: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.errors = self.folder.parent / f"{self.folder.name}.log"

    def __enter__(self) -> Self:
        command = [*TRACEAI, "collect", "--data-dir", str(self.folder), "--json"]
        command += ["--http", self.http, "--grpc", self.grpc]
        command += ["--config", str(self.config)] if self.config else []
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self.errors.open("ab"),
            text=True,
            cwd=self.folder.parent,
            env={**os.environ, **(self.environ or {})},
        )
        assert self.process.stdout is not None
        ready = self.process.stdout.readline()
        assert ready, self.errors.read_text()
        self.addresses = json.loads(ready)
        # A restart must be found where the senders look for it.
        self.http, self.grpc = self.addresses["http"], self.addresses["grpc"]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill it as `kill -9` does: it cannot save anything."""
        self.process.kill()
        self.process.wait()

    @property
    def url(self) -> str:
        return f"http://{self.http}"

    def ask(self, *command: str) -> dict[str, Any]:
        """Return the JSON document that a reading command prints."""
        done = run(*command, "--json", "--data-dir", str(self.folder))
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def wait_until_sealed(self, spans: int = 1) -> dict[str, Any]:
        """Return the store's state when at least so many spans are stored and none is waiting."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            state = self.ask("db", "status")
            if state["spans"] >= spans and not state["traces"]["open"]:
                return state
            assert time.monotonic() < deadline, (state, self.errors.read_text())
            time.sleep(0.1)


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of `traceai`."""
    return subprocess.run(
        [*TRACEAI, *command], capture_output=True, text=True, check=False, cwd=cwd
    )


def named(document: Any, names: dict[str, str]) -> Any:
    """Replace what differs from run to run: trace ids by names, times by a word."""
    if isinstance(document, dict):
        times = {"first_seen", "last_seen"}
        return {k: "TIME" if k in times else named(v, names) for k, v in document.items()}
    if isinstance(document, list):
        return [named(item, names) for item in document]
    return names.get(document, document) if isinstance(document, str) else document


def traces_of(output: str) -> dict[str, str]:
    """Return the names that the example agent has printed, by trace id."""
    lines = (line.split() for line in output.splitlines() if line.startswith("trace "))
    return {words[1]: words[2] for words in lines if len(words) == 3}
