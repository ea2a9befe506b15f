"""Measure what each server uses for the same load: until acknowledged, and until stored."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import accounts, load, peers, send, servers
from tests.bench.load import SPANS_A_REQUEST, Corpus
from tests.bench.servers import Server
from tests.bench.table import markdown

IDLE_S = 2.0
STARTS = 5
WARM_UP = 40
DRAIN_S = 900.0
POLL_S = 0.25
# They store nothing but the journal: no ratio to a server that does is a fair one.
INGEST = ("traceai, durable ingest only, HTTP", "traceai, durable ingest only, gRPC")
PHOENIX = "Phoenix, SQLite, HTTP"
ABOUT = f"""\
{send.CONNECTIONS} connections, {SPANS_A_REQUEST} spans a request, 26 attributes and 2,965 bytes a
span, 8 spans a trace. Medians of the runs. CPU is user and system time of the server's processes
from the first request until every accepted span is found in its store (for `traceai collect`: in
a sealed, judged trace; all of them are, or the run fails). *Durable ingest only* is receive,
check, journal with fsync, acknowledge, without the rest of the collector."""

Start = Callable[[Path], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many spans are sent to each server, and how often; 0 leaves it out."""

    traceai: int
    phoenix: int
    mlflow: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one server.

    Attributes:
        spans: accepted, and then found in the store.
        acknowledged_s: until the last was acknowledged.
        stored_s: until the last was stored.
        cpu_s: of the server, until then.
        peak_mib: the highest memory.
    """

    spans: int
    acknowledged_s: float
    stored_s: float
    cpu_s: float
    peak_mib: float

    @property
    def cpu_a_million(self) -> float:
        """CPU seconds a million spans."""
        return self.cpu_s / self.spans * 1e6


def run(cache: Path, asked: Load) -> str:
    """Measure every server; return the tables."""
    corpus = load.build()
    phoenix = partial(servers.phoenix, cache, requires=peers.PHOENIX)
    mlflow = partial(servers.mlflow, cache, requires=peers.MLFLOW)
    cases: list[tuple[str, Start, bool, int]] = [
        (INGEST[0], servers.ingest, False, asked.traceai),
        (INGEST[1], servers.ingest, True, asked.traceai),
        ("traceai collect, until sealed, HTTP", servers.traceai, False, asked.traceai),
        ("traceai collect, until sealed, gRPC", servers.traceai, True, asked.traceai),
        (PHOENIX, phoenix, False, asked.phoenix),
        ("MLflow, SQLite, HTTP", mlflow, False, asked.mlflow),
    ]
    wanted = [case for case in cases if case[3]]
    runs: dict[str, list[Run]] = {case[0]: [] for case in wanted}
    for repeat in range(asked.repeats):
        for name, start, over_grpc, spans in wanted:
            print(f"{name}: {spans:,} spans, run {repeat + 1}", file=sys.stderr)
            runs[name].append(_run(start, corpus, spans, over_grpc=over_grpc))
    versions = f"Versions: {peers.PHOENIX}, {peers.MLFLOW}.".replace("==", " ")
    return "\n\n".join((versions, ABOUT, _table(runs), _starts()))


def _run(start: Start, corpus: Corpus, spans: int, *, over_grpc: bool) -> Run:
    with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as server:
        connect = server.grpc if over_grpc and server.grpc else server.http
        send.send(corpus, connect, first=0, requests=WARM_UP)
        _drain(server, WARM_UP * SPANS_A_REQUEST)
        requests = spans // SPANS_A_REQUEST
        before, begun = accounts.usage(server.pid), time.perf_counter()
        send.send(corpus, connect, first=WARM_UP, requests=requests)
        acknowledged_s = time.perf_counter() - begun
        _drain(server, (WARM_UP + requests) * SPANS_A_REQUEST)
        stored_s, after = time.perf_counter() - begun, accounts.usage(server.pid)
    return Run(
        spans=requests * SPANS_A_REQUEST,
        acknowledged_s=acknowledged_s,
        stored_s=stored_s,
        cpu_s=after.cpu_s - before.cpu_s,
        peak_mib=after.peak_mib,
    )


def _drain(server: Server, spans: int) -> None:
    """Wait until all that was accepted is stored.

    Raises:
        RuntimeError: it is not, after a long time: the figures would be of something else.
    """
    until = time.perf_counter() + DRAIN_S
    while (stored := server.stored()) < spans:
        if time.perf_counter() > until:
            raise RuntimeError(f"{stored:,} of {spans:,} accepted spans were stored")
        time.sleep(POLL_S)


def _table(runs: Mapping[str, list[Run]]) -> str:
    head = [
        *("", "spans sent", "acknowledged a second", "stored a second"),
        *("CPU s a million spans", "its range", "peak RSS MiB", "Phoenix's CPU / its"),
    ]
    phoenix = [each.cpu_a_million for each in runs.get(PHOENIX, ())]
    return markdown(head, [_row(name, of, phoenix) for name, of in runs.items()])


def _row(name: str, of: list[Run], phoenix: list[float]) -> list[str]:
    cpu = [each.cpu_a_million for each in of]
    compares = phoenix and name not in INGEST
    ratio = statistics.median(phoenix) / statistics.median(cpu) if compares else None
    return [
        name,
        f"{of[0].spans:,}",
        _median([each.spans / each.acknowledged_s for each in of]),
        _median([each.spans / each.stored_s for each in of]),
        f"{statistics.median(cpu):,.1f}",
        f"{min(cpu):,.1f} to {max(cpu):,.1f}",
        _median([each.peak_mib for each in of]),
        "" if ratio is None else f"{ratio:,.1f}",
    ]


def _starts() -> str:
    """Return how long `traceai collect` takes to be ready, and what it holds when idle."""
    ready, idle = [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder, servers.traceai(Path(folder)) as server:
            time.sleep(IDLE_S)
            ready.append(server.ready_s)
            idle.append(accounts.usage(server.pid).rss_mib)
    return (
        f"`traceai collect` is ready after {statistics.median(ready):.2f} s "
        f"(at most {max(ready):.2f}) and holds {statistics.median(idle):.0f} MiB when idle."
    )


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f}"
