"""Make an environment a peer, once, in a folder of its own: nothing enters the project's."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def ensure(cache: Path, name: str, requires: tuple[str, ...]) -> Path:
    """Return the interpreter of the environment `name`, made anew when what it needs changed.

    Raises:
        subprocess.CalledProcessError: a package cannot be installed.
    """
    home = cache / "venvs" / name
    python = home / "bin" / "python"
    stamp = home / "requires.sha256"
    wanted = hashlib.sha256("\n".join((sys.version, *requires)).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print(f"installing {name} (once)", file=sys.stderr)
    venv.create(home, clear=True, with_pip=True)
    named = [part for each in requires for part in _argument(each)]
    install = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([*install, *named], check=True, cwd=CHECKOUT)
    stamp.write_text(wanted)
    return python


def version(python: Path, distribution: str) -> str:
    """Return the version of a distribution in an environment."""
    ask = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    asked = [str(python), "-c", ask, distribution]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def _argument(requirement: str) -> tuple[str, ...]:
    """Install the checkout editable, so that what is measured is what stands in it."""
    return ("--editable", requirement) if requirement.startswith(".") else (requirement,)
