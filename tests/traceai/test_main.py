from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "traceai", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def test_it_is_the_command_line(tmp_path: Path) -> None:
    done = run(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (
        0,
        f"traceai, version {version('traceai-evidence')}\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code"), [((), 2), (("--help",), 0), (("nothing",), 2), (("db", "status"), 3)]
)
def test_its_exit_code_is_that_of_the_command(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    assert run(tmp_path, *arguments).returncode == code


def test_it_calls_itself_by_the_name_of_the_command(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.stdout.splitlines()[0].startswith("Usage: ")
    assert {"collect", "config", "db", "doctor", "report", "run", "trace"} <= set(
        done.stdout.split()
    )
