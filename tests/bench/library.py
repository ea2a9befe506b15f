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
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


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
PEER_TO_BEAT = "genai"
ABOUT_TIME = """\
CPU added to one call, µs: 10th percentile of the batches [median], over the bare call. One process
a peer, its batches interleaved with the others'. Of the calling thread; of the whole process for
agents, whose tools run on threads of LangGraph's. 2 KB prompt, 1 KB answer, content recorded,
answers from memory, spans batched to an exporter that discards. *floor* is a hand-written span,
*none* that a peer records no span of the case."""
ABOUT_PROCESS = """\
CPU added by all threads of the process, µs, mean of all batches: what a library does in the
background counts, save encoding and sending, which the discarding exporters leave out for all."""


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
        codes: bytecodes a call executes; 0 where they are not counted.
    """

    thread: list[float]
    process: list[float]
    spans: int
    size: int
    codes: int


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
    versions = {each.replace("==", " ") for each in peers.CLIENTS}
    for peer in peers.PEERS:
        if peer.shows:
            versions.add(f"{peer.shows} {venvs.version(pythons[peer.name], peer.shows)}")
    return "\n\n".join((f"Versions: {', '.join(sorted(versions))}.", *_tables(costs)))


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
            codes=int(worker.ask(count=case)["codes"]) if case in COUNTED else 0,
        )
        for name, worker in workers.items()
    }


def _tables(costs: Mapping[str, Mapping[str, Cost]]) -> list[str]:
    names = [peer.name for peer in peers.PEERS[1:]]
    ours = [f"{name} / {PEER_TO_BEAT}" for name in names if name.startswith("traceai")]
    return [
        ABOUT_TIME,
        markdown(["", "bare", *names, *ours], _time_rows(costs, names)),
        ABOUT_PROCESS,
        markdown(["", *names], _rows(costs, names, _of_process)),
        "Executed bytecodes added to one call, which no load of the machine can change:",
        markdown(["", "bare", *names], _code_rows(costs, names)),
        "What one call emits: spans, and characters of their attributes:",
        markdown(["", *names], _rows(costs, names, _weight)),
    ]


def _time_rows(costs: Mapping[str, Mapping[str, Cost]], names: Sequence[str]) -> list[list[str]]:
    rows = []
    for case, of in costs.items():
        kind = "process" if case in WHOLE_PROCESS else "thread"
        low = {name: _added(of, name, kind, _tenth) for name in names}
        mid = {name: _added(of, name, kind, statistics.median) for name in names}
        theirs = low[PEER_TO_BEAT]
        ratios = [f"{low[name] / theirs:.2f}" for name in names if name.startswith("traceai")]
        cells = [f"{low[name]:,.0f} [{mid[name]:,.0f}]" for name in names]
        bare = f"{_tenth(getattr(of['bare'], kind)) / 1e3:,.0f}"
        rows.append([case, bare, *_where_recorded(of, names, cells), *ratios])
        if case == "stream":
            each = [f"{low[name] / CHUNKS:.1f}" for name in names]
            rows.append(["one chunk", "", *_where_recorded(of, names, each), *ratios])
    return rows


def _code_rows(costs: Mapping[str, Mapping[str, Cost]], names: Sequence[str]) -> list[list[str]]:
    return [
        [
            case,
            f"{costs[case]['bare'].codes:,}",
            *(f"{costs[case][name].codes - costs[case]['bare'].codes:,}" for name in names),
        ]
        for case in COUNTED
    ]


def _rows(
    costs: Mapping[str, Mapping[str, Cost]],
    names: Sequence[str],
    cell: Callable[[Mapping[str, Cost], str], str],
) -> list[list[str]]:
    return [
        [case, *_where_recorded(of, names, [cell(of, name) for name in names])]
        for case, of in costs.items()
    ]


def _where_recorded(
    of: Mapping[str, Cost], names: Sequence[str], cells: Sequence[str]
) -> list[str]:
    """Leave out the figures of a peer that records no span of the case: it costs nothing, too."""
    return [cell if of[name].spans else "none" for name, cell in zip(names, cells, strict=True)]


def _of_process(of: Mapping[str, Cost], name: str) -> str:
    return f"{_added(of, name, 'process', statistics.fmean):,.0f}"


def _weight(of: Mapping[str, Cost], name: str) -> str:
    return f"{of[name].spans}, {of[name].size:,}"


def _added(
    of: Mapping[str, Cost], name: str, kind: str, typical: Callable[[Sequence[float]], float]
) -> float:
    """Return what `name` adds to the bare call, in µs."""
    return (typical(getattr(of[name], kind)) - typical(getattr(of["bare"], kind))) / 1e3


def _tenth(values: Sequence[float]) -> float:
    """Return the 10th percentile."""
    return sorted(values)[len(values) // 10]
