"""One peer in a process of its own: told a case on standard input, it answers what it cost.

{"case": "chat", "calls": 40}   ->  {"thread": ns a call, "process": ns a call}
{"weigh": "chat"}               ->  {"spans": a call, "size": bytes of attributes a call}
{"count": "chat"}               ->  {"codes": executed bytecodes of one call}
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.bench import adapters, calls

if TYPE_CHECKING:
    from types import FrameType

    from tests.bench.calls import Case


def measure(case: Case, times: int) -> dict[str, float]:
    """Return the CPU of one call: of the calling thread, and of the process."""
    thread, process = time.thread_time_ns(), time.process_time_ns()
    for _ in range(times):
        case()
    thread, process = time.thread_time_ns() - thread, time.process_time_ns() - process
    return {"thread": thread / times, "process": process / times}


def weigh(case: Case, sink: adapters.Sink, flush: adapters.Flush) -> dict[str, int]:
    """Return how many spans one call emits, and how large."""
    flush()
    sink.weighing, sink.spans, sink.size = True, 0, 0
    case()
    flush()
    sink.weighing = False
    return {"spans": sink.spans, "size": sink.size}


def count(case: Case) -> dict[str, int]:
    """Return the bytecodes that one call executes, in this thread and those that it starts."""
    return {"codes": min(_codes(case) for _ in range(3))}


def _codes(case: Case) -> int:
    seen = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal seen
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            seen += 1
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    try:
        case()
    finally:
        sys.settrace(None)
        threading.settrace(None)
    return seen


def main(name: str) -> None:
    """Serve until standard input ends."""
    out, sys.stdout = sys.stdout, sys.stderr
    sink = adapters.Sink()
    flush = adapters.install(name, sink)
    cases = calls.cases(asyncio.new_event_loop())
    for line in sys.stdin:
        asked = json.loads(line)
        if "weigh" in asked:
            told: Any = weigh(cases[asked["weigh"]], sink, flush)
        elif "count" in asked:
            told = count(cases[asked["count"]])
        else:
            told = measure(cases[asked["case"]], asked["calls"])
        out.write(json.dumps(told) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
