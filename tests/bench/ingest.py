"""The collector's first half alone: receive, check, journal with fsync, acknowledge.

In `traceai collect` the second half, from assembling to storing, runs in the same process; this is
what tells the cost of the one from the cost of the other.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

import uvloop

from collector_processor.journal.segments import SegmentJournal
from collector_processor.receiver import server
from collector_processor.receiver.intake import Intake

_MAX_REQUEST_BYTES = 64 << 20


async def serve(folder: Path) -> None:
    """Serve on free ports until SIGTERM; print them when ready, as the collector does."""
    journal = SegmentJournal(folder / "journal")
    intake = Intake(journal, clock_ns=time.time_ns, max_request_bytes=_MAX_REQUEST_BYTES)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    receivers = await server.start(intake, http="127.0.0.1:0", grpc="127.0.0.1:0")
    print(json.dumps({"http": receivers.http, "grpc": receivers.grpc}), flush=True)
    await stop.wait()
    await receivers.stop(1.0)
    journal.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1])))
