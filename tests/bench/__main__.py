"""Measure the library and the collector beside their peers, by hand: `python -m tests.bench`.

Everything is a ratio taken in one run, on CPU time. Peers are installed in `.bench/`, once.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

from tests.bench import collector, library
from tests.bench.table import machine
from tests.bench.venvs import CHECKOUT


def main() -> None:
    """Run what is asked for and print the tables."""
    options = _options()
    cache = options.cache.resolve()
    today = dt.datetime.now(dt.UTC).date()
    parts = [f"{today}, {machine()}."]
    if options.what in {"library", "all"}:
        parts += ["### Library", library.run(cache, options.cycles)]
    if options.what in {"collector", "all"}:
        asked = collector.Load(
            traceai=options.spans,
            phoenix=options.phoenix_spans,
            mlflow=options.mlflow_spans,
            repeats=options.repeats,
        )
        parts += ["### Collector", collector.run(cache, asked)]
    print("\n\n".join(parts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "library", "collector"), default="all")
    parser.add_argument("--cache", type=Path, default=CHECKOUT / ".bench", help="peers' folder")
    parser.add_argument("--cycles", type=int, default=60, help="batches a peer and case")
    parser.add_argument("--spans", type=int, default=100_000, help="sent to traceai")
    parser.add_argument("--phoenix-spans", type=int, default=4_000, help="0: leave Phoenix out")
    parser.add_argument("--mlflow-spans", type=int, default=4_000, help="0: leave MLflow out")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each collector case")
    return parser.parse_args()


if __name__ == "__main__":
    main()
