"""The demo, as `make demo` runs it: its report is exactly what was planted."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running import EXAMPLES, Collector, named, traces_of

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collector, str]:
    folder = tmp_path_factory.mktemp("demo")
    for _ in range(2):  # it works a second time, over what the first has left
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "demo.py")],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return Collector(folder / "demo-data"), done.stdout


@pytest.mark.parametrize("report", ["completeness", "rates"])
def test_the_report_names_the_planted_faults_and_nothing_else(
    demo: tuple[Collector, str], report: str
) -> None:
    collector, output = demo
    found = named(collector.ask("report", report), traces_of(output))
    assert found == json.loads((GOLDEN / f"demo_{report}.json").read_text())


def test_the_demo_says_where_to_look_next(demo: tuple[Collector, str]) -> None:
    _, output = demo
    assert "Every planted fault was named, and nothing else." in output
    assert re.search(r"traceai trace [0-9a-f]{32} --data-dir demo-data", output)
