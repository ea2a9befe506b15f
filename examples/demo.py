"""Run the whole: a collector with a fresh store, the support agent, and what the collector found.

    make demo

The collector and the agent are processes of their own, on free ports of this machine. What the
report must name is written in `faults.py`; this says whether it named that and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DATA = Path("demo-data")
TRACEAI = [sys.executable, "-m", "traceai"]
FREE = "127.0.0.1:0"
WAIT_S = 30


def main() -> int:
    """Run the demo; return 0 when the report named every planted fault and nothing else."""
    shutil.rmtree(DATA, ignore_errors=True)
    print("Six healthy requests and these faults, planted to see whether each is named:\n")
    print("\n".join(f"  {name}" for name in FAULTS))
    with collector() as endpoint:
        print(f"\n── the agent, sending to {endpoint}\n")
        names = agent(endpoint)
        wait_until_sealed()
    print("\n── one healthy trace: traceai trace ID\n")
    healthy = next(trace_id for trace_id, name in names.items() if name == "refund_agent")
    show("trace", healthy)
    print("\n── what is missing: traceai report completeness\n")
    show("report", "completeness")
    print("\n── how the evaluators judged: traceai report rates")
    show("report", "rates")
    print("\n── planted and found\n")
    wrong = compare(names)
    print("\n".join(wrong) or "\nEvery planted fault was named, and nothing else.")
    by_name = {name: trace_id for trace_id, name in names.items()}
    interesting = by_name.get("leaked_account_and_key", by_name["orphan_span"])
    command = os.path.relpath(Path(sys.executable).with_name("traceai"))
    print(f"\nLook further:\n  {command} traces --data-dir {DATA}")
    print(f"  {command} trace {interesting} --data-dir {DATA}")
    return 1 if wrong else 0


@contextmanager
def collector() -> Iterator[str]:
    """Run a collector; yield the address to send to."""
    command = [*TRACEAI, "collect", "--config", str(HERE / "collector.yaml")]
    command += ["--data-dir", str(DATA), "--http", FREE, "--grpc", FREE, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            ready = process.stdout.readline() if process.stdout else ""
            if not ready:
                raise SystemExit(process.wait())
            yield f"http://{json.loads(ready)['http']}"
        finally:
            process.terminate()


def agent(endpoint: str) -> dict[str, str]:
    """Run the agent; return the names of its traces by their ids."""
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(HERE / "support_agent.py")],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(done.stdout, end="")
    lines = (line.split() for line in done.stdout.splitlines() if line.startswith("trace "))
    return {trace_id: name for _, trace_id, name in lines}


def wait_until_sealed() -> None:
    """Return when the collector has sealed every trace it has received."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        traces = ask("db", "status")["traces"]
        if traces["sealed"] and not traces["open"]:
            return
        time.sleep(0.2)
    raise SystemExit("The collector has not sealed every trace in time; see its messages above.")


def compare(names: dict[str, str]) -> list[str]:
    """Return one line for each trace that was judged otherwise than planted."""
    wrong = []
    for trace_id, name in names.items():
        fault = FAULTS.get(name)
        found = ask("trace", trace_id)
        codes = [fault.code] if fault and fault.code else []
        failed = sorted(fault.evaluations) if fault else []
        seen = sorted(
            {
                evaluation["name"]
                for span in found["spans"]
                for evaluation in span["evaluations"]
                if evaluation["passed"] is False
            }
        )
        outcomes = {
            span["fields"].get("traceai.outcome", {}).get("value") for span in found["spans"]
        }
        expected_outcome = fault.outcome if fault else None
        if found["codes"] != codes or seen != failed or not {expected_outcome} <= {None, *outcomes}:
            wrong.append(
                f"{name}: planted {codes} {failed} {expected_outcome or ''}, "
                f"found {found['codes']} {seen} in trace {trace_id}"
            )
        elif fault:
            print(f"✓ {name}:\n    {fault.says}")
    return wrong


def ask(*command: str) -> dict[str, Any]:
    """Return the JSON document that a command prints."""
    done = subprocess.run(  # noqa: S603
        [*TRACEAI, *command, "--json", "--data-dir", str(DATA)],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise SystemExit(done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def show(*command: str) -> None:
    """Let a command print for a reader."""
    sys.stdout.flush()
    subprocess.run([*TRACEAI, *command, "--data-dir", str(DATA)], check=False)  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
