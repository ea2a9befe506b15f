"""The application runs as a newcomer runs it: one process, no key, no collector."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from faults import FAULTS

EXAMPLES = Path(__file__).parents[2] / "examples"
HEALTHY = ["refund_agent", "sync_chat", "async_chat", "streamed_chat", "embedding", "response"]


def test_it_serves_every_request_and_commits_every_fault(tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    ran = subprocess.run(
        [sys.executable, EXAMPLES / "support_agent.py"],
        env={
            **given,
            "OTEL_TRACES_EXPORTER": "none",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(EXAMPLES.parent),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    words = [line.split() for line in ran.stdout.splitlines() if line.startswith("trace ")]
    assert [word[2] for word in words] == [*HEALTHY, *FAULTS]
    assert len({word[1] for word in words}) == len(HEALTHY) + len(FAULTS)
    assert "OPENAI_API_KEY is not set" in ran.stdout
