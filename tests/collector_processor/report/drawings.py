"""Draw the goldens: `python -m tests.collector_processor.report.drawings`, then read the diff."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from collector_processor.report import completeness, render, trace
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.scenes import Recorded, record_everything

if TYPE_CHECKING:
    from rich.console import RenderableType

    from collector_processor.store.reader import Reader

GOLDEN: Final = Path(__file__).parent / "golden"
COLUMNS: Final = 80


def draw(what: RenderableType) -> str:
    """Return what a terminal of 80 columns without colours shows."""
    console = Console(file=io.StringIO(), width=COLUMNS, color_system=None, legacy_windows=False)
    with console.capture() as shown:
        console.print(what)
    return "".join(f"{line.rstrip()}\n" for line in shown.get().splitlines())


def drawings(reader: Reader) -> dict[str, str]:
    """Return every drawing of a store, by the name of its golden file."""
    run = reader.revisions(Otlp.trace_id("run").hex())
    return {
        "completeness": draw(render.completeness(completeness.build(reader))),
        "rates": draw(render.rates(reader.evaluation_groups())),
        "trace": draw(render.trace(trace.view(run))),
        "traces": draw(render.traces(tuple(reader.newest()))),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Recorded(Path(folder)) as store:
        record_everything(store)
        for name, drawn in drawings(store.reader).items():
            (GOLDEN / f"{name}.txt").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
