"""Write the golden reports of the demo: `python -m tests.e2e.golden`, then read the diff."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.running import EXAMPLES, Collector, named, traces_of

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "demo.py")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            check=True,
        )
        collector = Collector(Path(folder) / "demo-data")
        for report in ("completeness", "rates"):
            found = named(collector.ask("report", report), traces_of(done.stdout))
            text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
            (GOLDEN / f"demo_{report}.json").write_text(text)


if __name__ == "__main__":
    main()
