"""Say whether the collector lives and whether it can do its work: `/healthz` and `/readyz`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from collector_processor.exporter.otlp import Forwarder
    from collector_processor.journal.segments import SegmentJournal
    from collector_processor.pipeline import Pipeline
    from collector_processor.receiver.intake import Intake

    Send = Callable[[dict[str, Any]], Awaitable[None]]


class Health:
    """The application that an ASGI server runs: 200 when well, 503 when a part is not."""

    def __init__(
        self,
        journal: SegmentJournal,
        pipeline: Pipeline,
        forwarders: Sequence[Forwarder],
        intake: Intake,
    ) -> None:
        self._journal = journal
        self._pipeline = pipeline
        self._forwarders = forwarders
        self._intake = intake

    async def __call__(self, scope: Mapping[str, Any], _receive: object, send: Send) -> None:
        """Answer one request."""
        parts = self.parts()
        if scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            ready = all(part["ok"] for part in parts.values())
            await _answer(send, 200 if ready else 503, {"ready": ready, **parts})
        else:
            await _answer(send, 404, {"error": "Ask for /healthz or /readyz."})

    def parts(self) -> dict[str, Any]:
        """Return the state of each part, and what it has done since start."""
        failure, counts = self._pipeline.failure, self._intake.counts
        return {
            "receiver": {
                "ok": not self._intake.refusing,
                "accepted": {str(signal): number for signal, number in counts.accepted.items()},
                "rejected_spans": sum(counts.rejected.values()),
                "refused_requests": sum(counts.refused.values()),
            },
            "journal": {
                "ok": self._journal.accepts,
                "kept_bytes": self._journal.kept_bytes,
                "damaged": len(self._journal.damages),
            },
            "pipeline": {
                "ok": self._pipeline.running and failure is None,
                "failure": str(failure) if failure else None,
                "behind_bytes": self._journal.end_position - self._pipeline.position,
                "open_traces": self._pipeline.open_traces,
                **asdict(self._pipeline.counts),
            },
            "forwarders": {
                "ok": all(forwarder.running for forwarder in self._forwarders),
                "backends": [asdict(forwarder.counts) for forwarder in self._forwarders],
            },
        }


async def _answer(send: Send, status: int, document: Mapping[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
