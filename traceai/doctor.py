"""Try the real path: one canary span through recorder, exporter and collector, and read it back."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from traceai.call import AgentRun
from traceai.context import context
from traceai.instrumentation import flush, instrument, recorder, uninstrument
from traceai.semconv import Operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SERVICE: Final = "traceai-doctor"
_POLL_S: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was tried: whether it is well, and what to do if it is not."""

    name: str
    ok: bool
    said: str


def examine(
    *, endpoint: str | None, store: Sequence[str], timeout_s: float, version: str
) -> Iterator[Check]:
    """Yield what was found, in the order of the path; the last is the canary read back.

    Args:
        endpoint: where to send; None for what the environment says.
        store: how the reading command is told where the store is: `--data-dir D` or `--store URL`.
        timeout_s: how long to wait for the acknowledgement, and again for the verdict.
        version: of this program, as the canary's release.

    Raises:
        ConfigurationError: the environment, or the endpoint, is wrong.
    """
    handle = instrument(
        service=SERVICE, release=version, environment="doctor", endpoint=endpoint, isolated=True
    )
    where = handle.config.target.endpoint
    try:
        if (refusal := _refusal(where, timeout_s)) is not None:
            said = f"{where} cannot be reached ({refusal}): is `traceai collect` running there?"
            yield Check(name="send", ok=False, said=said)
            return
        before = flush(0)
        trace_id = _send()
        after = flush(timeout_s)
    finally:
        uninstrument()
    if after.sent == before.sent:
        said = f"{where} did not acknowledge the canary: is `traceai collect` running there?"
        yield Check(name="send", ok=False, said=said)
        return
    yield Check(name="send", ok=True, said=f"{where} acknowledged the canary")
    yield _read_back(trace_id, store, timeout_s)


def _refusal(endpoint: str, timeout_s: float) -> str | None:
    """Return why nobody answers at an address; None when somebody does."""
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout_s).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _send() -> str:
    """Record one step that is recognised and calls no model; return the id of its trace.

    A made-up model call would be judged, and counted, as one of the application's.
    """
    with context(user=SERVICE, route=SERVICE):
        recording = recorder().start(AgentRun(operation=Operation.INVOKE_WORKFLOW, name="canary"))
        recording.complete()
    return f"{recording.span.get_span_context().trace_id:032x}"


def _read_back(trace_id: str, store: Sequence[str], timeout_s: float) -> Check:
    deadline = time.monotonic() + timeout_s
    while True:
        # Its own process, as a user would run it: the library never imports the collector.
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "traceai", "trace", trace_id, "--json", *store],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return _judge(trace_id, json.loads(done.stdout))
        if time.monotonic() > deadline:
            said = done.stderr.strip().removeprefix("traceai: ")
            return Check(name="read back", ok=False, said=f"{said} (canary: trace {trace_id})")
        time.sleep(_POLL_S)


def _judge(trace_id: str, found: dict[str, Any]) -> Check:
    verdict = found["verdict"]
    missing = f": {', '.join(found['codes'])}" if found["codes"] else ""
    return Check(
        name="read back",
        ok=verdict == "complete",
        said=f"trace {trace_id} is stored and {verdict}{missing}",
    )
