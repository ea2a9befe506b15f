"""The command line: `traceai run`, and what the collector adds through an entry-point group.

Exit codes: 0 ok, 1 a gate failed, 2 usage or configuration, 3 could not run or judge, 4 evidence
incomplete, 5 verification failed. `run` exits as the program does.
"""

from __future__ import annotations

import importlib.machinery
import json
import runpy
import sys
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import click

from traceai.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from click import Command, Context

USAGE: Final = 2
CANNOT_RUN: Final = 3
_GROUP: Final = "traceai.commands"


class _Program(BaseException):
    """Leave the command line to run a program: click would answer its exceptions in its own way."""

    def __init__(self, start: Callable[[], object]) -> None:
        self.start = start


class Commands(click.Group):
    """A group whose further commands are found when they are needed, by their entry points."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the arguments say; a program runs after click has done its part."""
        try:
            return super().main(*args, **kwargs)
        except _Program as program:
            start = program.start
        return start()

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names there are, in order."""
        return sorted({*super().list_commands(ctx), *_installed()[0]})

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command; where some could not be loaded, say what they lack."""
        if command := super().get_command(ctx, cmd_name):
            return command
        commands, lacking = _installed()
        return commands.get(cmd_name) or (_missing(cmd_name, lacking) if lacking else None)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="traceai-evidence", prog_name="traceai")
def main() -> None:
    """Prove what an LLM application did."""


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-m", "--module", is_flag=True, help="TARGET is a module, as for python -m.")
@click.argument("target")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(target: str, arguments: tuple[str, ...], *, module: bool) -> None:
    """Run a Python program with its model calls recorded.

    The set-up comes from OTEL_* and TRACEAI_* variables; the exit code is the program's own.
    """
    from traceai.instrumentation import start  # noqa: PLC0415 - --help must not wait for it

    if not module and not Path(target).is_file():
        raise click.BadParameter(f"there is no file {target!r}.", param_hint="TARGET")
    try:
        start()
    except ConfigurationError as error:
        click.echo(f"traceai: {error}", err=True)
        sys.exit(USAGE)
    sys.argv = [target, *arguments]
    raise _Program(partial(_run_module if module else _run_file, target))


@main.command()
@click.option("--endpoint", help="Where to send; default: what the environment says.")
@click.option("--data-dir", help="The collector's folder, to read the canary back.")
@click.option("--store", help="The store's URL, instead of --data-dir.")
@click.option("--timeout", "timeout_s", type=float, default=10.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(
    *,
    endpoint: str | None,
    data_dir: str | None,
    store: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Send one canary span through the real path and read it back; exit code 3 if it is lost."""
    from traceai.doctor import examine  # noqa: PLC0415 - --help must not wait for it

    place = [
        *(["--data-dir", data_dir] if data_dir else []),
        *(["--store", store] if store else []),
    ]
    checks = []
    try:
        for check in examine(
            endpoint=endpoint,
            store=place,
            timeout_s=timeout_s,
            version=version("traceai-evidence"),
        ):
            checks.append(check)
            if not as_json:
                click.echo(f"{'✓' if check.ok else '✗'} {check.name}: {check.said}")
    except ConfigurationError as error:
        click.echo(f"traceai: {error}", err=True)
        sys.exit(USAGE)
    if as_json:
        said = [{"name": c.name, "ok": c.ok, "said": c.said} for c in checks]
        click.echo(json.dumps({"schema_version": 1, "checks": said}))
    if not all(check.ok for check in checks):
        sys.exit(CANNOT_RUN)


def _run_module(name: str) -> None:
    if not sys.flags.safe_path:
        sys.path[0] = str(Path.cwd())
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_file(target: str) -> None:
    """Run a script as the module `__main__`, which stays: threads and exit functions use it yet."""
    path = Path(target)
    if not sys.flags.safe_path:
        sys.path[0] = str(path.resolve().parent)
    module = ModuleType("__main__")
    module.__file__ = str(path.absolute())
    module.__loader__ = importlib.machinery.SourceFileLoader("__main__", target)
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    exec(compile(path.read_bytes(), target, "exec"), module.__dict__)  # noqa: S102 - the user's own program


def _installed() -> tuple[dict[str, Command], str | None]:
    """Return the commands of the installed packages, and a module that one of them lacks."""
    found: dict[str, Command] = {}
    lacking: str | None = None
    for point in entry_points(group=_GROUP):
        try:
            commands: list[Command] = point.load()
        except ModuleNotFoundError as error:
            lacking = lacking or error.name
            continue
        found.update({command.name: command for command in commands if command.name})
    return found, lacking


def _missing(name: str, lacking: str) -> Command:
    def explain(**_: Any) -> None:
        click.echo(
            f"traceai: the command {name!r} is not here: its package lacks {lacking!r}."
            ' Run: pip install "traceai-evidence[collector]"'
            ' (in a checkout: pip install -e ".[collector]")',
            err=True,
        )
        sys.exit(CANNOT_RUN)

    rest = click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)
    anything = {"ignore_unknown_options": True}
    return click.Command(
        name, callback=explain, params=[rest], context_settings=anything, add_help_option=False
    )
