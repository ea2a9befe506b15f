"""Say whether the collector lives and whether it can do its work: `/healthz` and `/readyz`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from collector_processor.journal.segments import SegmentJournal
    from collector_processor.pipeline import Pipeline

    Send = Callable[[dict[str, Any]], Awaitable[None]]


class Health:
    """The application that an ASGI server runs: 200 when well, 503 when a part is not."""

    def __init__(self, journal: SegmentJournal, pipeline: Pipeline) -> None:
        self._journal = journal
        self._pipeline = pipeline

    async def __call__(self, scope: Mapping[str, Any], _receive: object, send: Send) -> None:
        """Answer one request."""
        parts = self.parts()
        if scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            ready = parts["pipeline"]["ok"]
            await _answer(send, 200 if ready else 503, {"ready": ready, **parts})
        else:
            await _answer(send, 404, {"error": "Ask for /healthz or /readyz."})

    def parts(self) -> dict[str, Any]:
        """Return the state of each part."""
        failure = self._pipeline.failure
        return {
            "journal": {"kept_bytes": self._journal.kept_bytes},
            "pipeline": {
                "ok": self._pipeline.running and failure is None,
                "failure": str(failure) if failure else None,
                "behind_bytes": self._journal.end_position - self._pipeline.position,
                "open_traces": self._pipeline.open_traces,
            },
        }


async def _answer(send: Send, status: int, document: Mapping[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
