"""The collector's commands; `traceai` finds them by the entry-point group `traceai.commands`.

Exit codes: 0 ok, 2 usage or configuration, 3 could not run, 4 evidence incomplete.
"""

from __future__ import annotations

import io
import json
import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, NoReturn, ParamSpec

import click
import httptools  # noqa: F401 - the extra [collector] is installed, or this module cannot be loaded

from collector_processor.errors import CollectorError, ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from collector_processor.store.reader import Reader

P = ParamSpec("P")

DATA_DIR: Final = "traceai-data"
CANNOT_RUN: Final = 3
INCOMPLETE: Final = 4

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def _with_store(
    command: Callable[Concatenate[Reader, P], None],
) -> Callable[P, None]:
    """Give a command the store that --data-dir or --store names, opened for reading."""

    @click.option("--data-dir", type=click.Path(path_type=Path), help="The collector's folder.")
    @click.option("--store", help="The store's URL: sqlite:///PATH.")
    @wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        from collector_processor.datadir import DataDir  # noqa: PLC0415 - --help stays fast
        from collector_processor.store.reader import Reader  # noqa: PLC0415

        data_dir, store = kwargs.pop("data_dir"), kwargs.pop("store")
        try:
            place = DataDir.at(
                Path(str(data_dir or DATA_DIR)), store_url=str(store) if store else None
            )
            with Reader(place.store) as reader:
                command(reader, *args, **kwargs)
        except CollectorError as error:
            _fail(error)

    return call


@click.command()
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="A YAML file.")
@click.option("--data-dir", type=click.Path(path_type=Path), help=f"Default: {DATA_DIR}.")
@click.option("--http", metavar="HOST:PORT", help="OTLP/HTTP; default 127.0.0.1:4318.")
@click.option("--grpc", metavar="HOST:PORT", help="OTLP/gRPC; default 127.0.0.1:4317.")
@click.option("--ui", metavar="HOST:PORT", help="Health of every part; default: not served.")
@_as_json
def collect(
    *,
    config_file: Path | None,
    data_dir: Path | None,
    http: str | None,
    grpc: str | None,
    ui: str | None,
    as_json: bool,
) -> None:
    """Receive OTLP, judge every trace, keep the verdicts, forward."""
    from collector_processor import serve, settings  # noqa: PLC0415 - --help stays fast

    try:
        chosen = settings.settle(config_file, data_dir=data_dir, http=http, grpc=grpc, ui=ui)
        serve.run(chosen, announce=_announce_json if as_json else _announce)
    except CollectorError as error:
        _fail(error)


@click.group()
def report() -> None:
    """Report on what is stored."""


@report.command()
@_as_json
@_with_store
def completeness(reader: Reader, *, as_json: bool) -> None:
    """Say what is missing, where, since when, and what to do; exit code 4 when anything is."""
    from collector_processor.report import completeness as reports  # noqa: PLC0415
    from collector_processor.report import render  # noqa: PLC0415

    found = reports.build(reader)
    if as_json:
        _print_json(reports.to_json(found))
    else:
        _print(render.completeness(found))
    if found.incomplete:
        sys.exit(INCOMPLETE)


@report.command()
@_as_json
@_with_store
def rates(reader: Reader, *, as_json: bool) -> None:
    """Say how often each evaluator failed, by service and route."""
    from collector_processor.report import rates as reports  # noqa: PLC0415
    from collector_processor.report import render  # noqa: PLC0415

    groups = reader.evaluation_groups()
    if as_json:
        _print_json(reports.to_json(groups))
    else:
        _print(render.rates(groups))


@click.command()
@click.argument("trace_id")
@_as_json
@_with_store
def trace(reader: Reader, *, trace_id: str, as_json: bool) -> None:
    """Show one trace: its tree, how each value is known, the verdicts."""
    from collector_processor.report import render  # noqa: PLC0415
    from collector_processor.report import trace as reports  # noqa: PLC0415

    revisions = reader.revisions(trace_id.lower())
    if not revisions:
        raise StoreError(
            f"No sealed trace {trace_id} is stored.",
            remedy="A trace is sealed when it is quiet; `traceai traces` lists those that are.",
        )
    view = reports.view(revisions)
    if as_json:
        _print_json(reports.to_json(view))
    else:
        _print(render.trace(view))


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@_as_json
@_with_store
def traces(reader: Reader, *, limit: int, as_json: bool) -> None:
    """List the newest traces, with their ids."""
    from collector_processor.report import render  # noqa: PLC0415
    from collector_processor.report import traces as reports  # noqa: PLC0415

    newest = tuple(reader.newest(limit))
    if as_json:
        _print_json(reports.to_json(newest))
    else:
        _print(render.traces(newest))


@click.group()
def db() -> None:
    """Look at the store."""


@db.command()
@_as_json
@_with_store
def status(reader: Reader, *, as_json: bool) -> None:
    """Say how much is stored."""
    from collector_processor.report import status as statuses  # noqa: PLC0415

    document = statuses.to_json(reader)
    if as_json:
        _print_json(document)
    else:
        click.echo(statuses.to_text(document))


@click.group()
def config() -> None:
    """Check the collector's configuration."""


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a configuration file, its policies and its inventory, without starting anything."""
    from collector_processor import serve, settings  # noqa: PLC0415

    try:
        serve.evaluators(settings.settle(file))
    except CollectorError as error:
        _fail(error)
    click.echo(f"{file}: ok")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from collector_processor import config as configuration  # noqa: PLC0415

    _print_json(configuration.schema())


commands = (collect, report, trace, traces, db, config)


def _announce(lines: dict[str, str]) -> None:
    for name, value in lines.items():
        click.echo(f"{name:<10} {value}")
    click.echo("ready      `traceai report completeness` reads what is found; Ctrl-C stops")


def _announce_json(lines: dict[str, str]) -> None:
    _print_json({"schema_version": 1, **lines})


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False))


def _print(what: RenderableType) -> None:
    from rich.console import Console  # noqa: PLC0415 - 130 ms that --json need not pay

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of another alphabet is no failure

    Console().print(what)


def _fail(error: CollectorError) -> NoReturn:
    click.echo(f"traceai: {error}", err=True)
    sys.exit(2 if isinstance(error, ConfigError) else CANNOT_RUN)
