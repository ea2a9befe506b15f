"""Measure what each library adds to a call: one process a peer, the batches interleaved."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from tests.bench import peers, venvs
from tests.bench.table import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.bench.peers import Peer

# How many calls a batch holds: about 40 ms of work.
CALLS = {
    "chat": 40,
    "chat async": 40,
    "stream": 5,
    "responses": 40,
    "embeddings": 40,
    "agent": 10,
    "agent async": 10,
    "agent on ChatOpenAI": 5,
}
CHUNKS = 97
COUNTED = ("chat", "stream", "agent")
# LangGraph runs tools on threads of its own: there, the process is what the caller waits for.
WHOLE_PROCESS = ("agent", "agent async", "agent on ChatOpenAI")
WARM_UP = 3


class Worker:
    """A peer's process: ask it, and it answers."""

    def __init__(self, python: Path, name: str) -> None:
        self._process = subprocess.Popen(
            [str(python), "-m", "tests.bench.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=venvs.CHECKOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, **what: Any) -> dict[str, float]:
        """Return the answer to one question.

        Raises:
            RuntimeError: the process died.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(what) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"a worker died of {what}; run it by hand to see why")
        answer: dict[str, float] = json.loads(line)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one case costs in one peer's process.

    Attributes:
        thread: ns of the calling thread a call, one figure a batch.
        process: ns of all threads a call, one figure a batch.
        spans: emitted by a call.
        size: bytes of their attributes.
        codes: bytecodes a call executes; None where they are not counted.
    """

    thread: list[float]
    process: list[float]
    spans: int
    size: int
    codes: int | None


def run(cache: Path, cycles: int) -> str:
    """Measure every case of every peer; return the tables."""
    pythons = {
        peer.name: venvs.ensure(cache, peer.venv, (*peers.CLIENTS, *peer.requires))
        for peer in peers.PEERS
    }
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(python, name)) for name, python in pythons.items()
        }
        costs = {case: _case(workers, case, cycles) for case in CALLS}
    versions = [
        f"{peer.name} {venvs.version(pythons[peer.name], peer.shows)}" for peer in peers.PEERS[1:]
    ]
    return "\n".join((f"Versions: {', '.join(versions)}.", "", *_tables(costs)))


def _case(workers: Mapping[str, Worker], case: str, cycles: int) -> dict[str, Cost]:
    print(f"{case}: {cycles} batches of {CALLS[case]} calls a peer", file=sys.stderr)
    weights = {name: worker.ask(weigh=case) for name, worker in workers.items()}
    batches: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
    for cycle in range(cycles + WARM_UP):
        for name, worker in workers.items():
            told = worker.ask(case=case, calls=CALLS[case])
            if cycle >= WARM_UP:
                batches[name].append(told)
    return {
        name: Cost(
            thread=[told["thread"] for told in batches[name]],
            process=[told["process"] for told in batches[name]],
            spans=int(weights[name]["spans"]),
            size=int(weights[name]["size"]),
            codes=int(worker.ask(count=case)["codes"]) if case in COUNTED else None,
        )
        for name, worker in workers.items()
    }


def _tables(costs: Mapping[str, Mapping[str, Cost]]) -> list[str]:
    names = [peer.name for peer in peers.PEERS[1:]]
    return [
        "CPU added to one call, µs: 10th percentile of the batches [median]. Of the calling",
        "thread; of the whole process for agents, whose tools run on threads of LangGraph's.",
        "",
        markdown(["", "bare", *names, "traceai ÷ genai"], _time_rows(costs, names)),
        "",
        "CPU added by all threads, µs, median of the batches (what runs in the background counts):",
        "",
        markdown(["", *names], _process_rows(costs, names)),
        "",
        "Executed bytecodes added to one call:",
        "",
        markdown(["", "bare", *names], _code_rows(costs, names)),
        "",
        "What one call emits: spans, and bytes of their attributes:",
        "",
        markdown(["", *names], _weight_rows(costs, names)),
    ]


def _time_rows(costs: Mapping[str, Mapping[str, Cost]], names: Sequence[str]) -> list[list[str]]:
    rows = []
    for case, of in costs.items():
        kind = "process" if case in WHOLE_PROCESS else "thread"
        low = {name: _added(of, name, kind, low=True) for name in names}
        mid = {name: _added(of, name, kind, low=False) for name in names}
        ratios = [f"{low[name] / low['genai']:.2f}" for name in names if name.startswith("traceai")]
        cells = [f"{low[n]:,.0f} [{mid[n]:,.0f}]" if of[n].spans else "–" for n in names]
        bare = f"{_tenth(getattr(of['bare'], kind)) / 1e3:,.0f}"
        rows.append([case, bare, *cells, " / ".join(ratios)])
        if case == "stream":
            each = [f"{low[n] / CHUNKS:.1f}" if of[n].spans else "–" for n in names]
            rows.append(["one chunk", "", *each, ""])
    return rows


def _process_rows(costs: Mapping[str, Mapping[str, Cost]], names: Sequence[str]) -> list[list[str]]:
    return [
        [case]
        + [
            f"{_added(of, name, 'process', low=False):,.0f}" if of[name].spans else "–"
            for name in names
        ]
        for case, of in costs.items()
    ]


def _code_rows(costs: Mapping[str, Mapping[str, Cost]], names: Sequence[str]) -> list[list[str]]:
    rows = []
    for case in COUNTED:
        of = costs[case]
        bare = of["bare"].codes or 0
        rows.append([case, f"{bare:,}", *(f"{(of[n].codes or 0) - bare:,}" for n in names)])
    return rows


def _weight_rows(costs: Mapping[str, Mapping[str, Cost]], names: Sequence[str]) -> list[list[str]]:
    return [
        [case]
        + [f"{of[name].spans}, {of[name].size:,}" if of[name].spans else "–" for name in names]
        for case, of in costs.items()
    ]


def _added(of: Mapping[str, Cost], name: str, kind: str, *, low: bool) -> float:
    """Return what `name` adds to the bare call, in µs."""
    typical = _tenth if low else statistics.median
    return (typical(getattr(of[name], kind)) - typical(getattr(of["bare"], kind))) / 1e3


def _tenth(values: Sequence[float]) -> float:
    """Return the 10th percentile."""
    return sorted(values)[len(values) // 10]
