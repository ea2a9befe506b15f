"""The collector's commands over a real store: what they print, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from collector_processor import cli
from collector_processor.config import schema
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.drawings import GOLDEN
from tests.collector_processor.report.scenes import Recorded, call, record_everything

if TYPE_CHECKING:
    from click.testing import Result

RUN = Otlp.trace_id("run").hex()


@click.group(commands={command.name or "": command for command in cli.commands})
def main() -> None:
    """Stand for `traceai`, which finds the commands by their entry point."""


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(main, arguments)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a collector's folder with one trace of each kind."""
    path = tmp_path_factory.mktemp("data")
    with Recorded(path) as store:
        record_everything(store)
    return str(path)


@pytest.fixture
def complete(tmp_path: Path) -> str:
    """Return a folder in which nothing is missing."""
    with Recorded(tmp_path) as store:
        store.receive(call())
        store.wait()
    return str(tmp_path)


def document(result: Result) -> dict[str, Any]:
    assert result.output.count("\n") == 1
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_the_commands_are_those_of_the_contract() -> None:
    assert {
        command.name: sorted(command.commands) if isinstance(command, click.Group) else None
        for command in cli.commands
    } == {
        "collect": None,
        "report": ["completeness", "rates"],
        "trace": None,
        "traces": None,
        "db": ["status"],
        "config": ["check", "schema"],
    }


@pytest.mark.parametrize(
    ("command", "code", "golden"),
    [
        (("report", "completeness"), 4, "completeness"),
        (("report", "rates"), 0, "rates"),
        (("trace", RUN), 0, "trace"),
        (("trace", RUN.upper()), 0, "trace"),
        (("traces",), 0, "traces"),
    ],
)
def test_a_command_draws_its_golden(
    folder: str, command: tuple[str, ...], code: int, golden: str
) -> None:
    result = run(*command, "--data-dir", folder)
    drawn = "".join(f"{line.rstrip()}\n" for line in result.output.splitlines())
    assert (result.exit_code, drawn) == (
        code,
        (GOLDEN / f"{golden}.txt").read_text(encoding="utf-8"),
    )


@pytest.mark.parametrize(
    ("command", "code", "keys"),
    [
        (("report", "completeness"), 4, {"traces", "findings", "observed", "streams"}),
        (("report", "rates"), 0, {"rates"}),
        (
            ("trace", RUN),
            0,
            {"trace_id", "revision", "verdict", "codes", "observed", "findings", "spans"},
        ),
        (("traces",), 0, {"traces"}),
        (
            ("db", "status"),
            0,
            {"spans", "traces", "rows", "evaluations", "undecodable", "log"},
        ),
    ],
)
def test_json_is_one_document_on_one_line(
    folder: str, command: tuple[str, ...], code: int, keys: set[str]
) -> None:
    result = run(*command, "--json", "--data-dir", folder)
    found = document(result)
    assert (result.exit_code, found["schema_version"], set(found)) == (
        code,
        1,
        {"schema_version", *keys},
    )


def test_the_newest_traces_are_listed_up_to_the_limit(folder: str) -> None:
    everything = document(run("traces", "--json", "--data-dir", folder))["traces"]
    two = document(run("traces", "--limit", "2", "--json", "--data-dir", folder))["traces"]
    assert (len(everything), two) == (5, everything[:2])
    assert run("traces", "--limit", "0", "--data-dir", folder).exit_code == 2


def test_a_store_may_be_named_by_its_url(folder: str) -> None:
    by_folder = run("db", "status", "--data-dir", folder)
    by_url = run("db", "status", "--store", f"sqlite:///{folder}/evidence.db")
    assert (by_url.exit_code, by_url.output) == (0, by_folder.output)
    assert by_url.output.startswith("spans        11\ntraces       5 sealed, 1 open\n")


def test_the_folder_is_the_one_here_when_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("traceai-data").mkdir()
    with Recorded(Path("traceai-data")) as store:
        store.receive(call())
        store.wait()
    assert document(run("db", "status", "--json"))["spans"] == 1


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_complete_report_exits_with_0(complete: str, how: tuple[str, ...]) -> None:
    assert run("report", "completeness", *how, "--data-dir", complete).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trace", "ab" * 16, "--data-dir", "DATA"), f"No sealed trace {'ab' * 16} is stored. A"),
        (("db", "status", "--data-dir", "nowhere"), "There is no evidence store at nowhere/evid"),
        (("report", "rates", "--store", "mysql://x"), "The store 'mysql://x' is of a kind that"),
        (("report", "completeness", "--store", "sqlite:///FILE"), "file is not a database"),
    ],
)
def test_what_cannot_be_read_exits_with_3_and_a_remedy(
    folder: str, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    file = tmp_path / "other"
    file.write_text("no store " * 100)
    given = [part.replace("DATA", folder).replace("FILE", str(file)) for part in arguments]
    result = run(*given)
    assert result.exit_code == 3
    assert result.stderr.startswith("traceai: ")
    assert said in result.stderr
    assert result.stdout == ""


def test_a_good_configuration_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "collector.yaml"
    file.write_text("version: 1\n")
    result = run("config", "check", str(file))
    assert (result.exit_code, result.output) == (0, f"{file}: ok\n")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("version: 2", 2, "line 1: `version`: "),
        ("version: 1\npolicies: [nowhere_at_all:POLICY]", 2, "cannot be imported"),
        ("version: 1\nprocessors: {evaluators: [provider_approval]}", 2, "there is no inventory"),
        ("version: 1\nreceivers: {otlp: {http: {endpoint: 'x'}}}", 2, "is no host:port"),
        ("version: 1\nreceivers: {otlp: {grpc: {endpoint: '0.0.0.0:1'}}}", 2, "other machines"),
        ("version: 1\nui: {endpoint: '[::]:80'}", 2, "other machines"),
        ("version: 1\nstore: {url: 'mysql://x'}", 3, "Use sqlite:///PATH"),
    ],
)
def test_a_configuration_that_would_not_start_does_not_pass_the_check(
    tmp_path: Path, text: str, code: int, said: str
) -> None:
    file = tmp_path / "collector.yaml"
    file.write_text(f"{text}\n")
    result = run("config", "check", str(file))
    assert result.exit_code == code
    assert result.stderr.startswith("traceai: ")
    assert said in result.stderr


def test_the_schema_is_printed_as_json() -> None:
    assert document(run("config", "schema")) == json.loads(json.dumps(schema()))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--config", "nowhere.yaml"), 2, "Cannot read the configuration nowhere.yaml"),
        (("--http", "0.0.0.0:0"), 2, "can be reached from other machines"),
        (("--data-dir", "/proc/nowhere"), 3, "Cannot make the data directory /proc/nowhere"),
    ],
)
def test_a_collector_that_cannot_start_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("collect", *arguments)
    assert result.exit_code == code
    assert result.stderr.startswith("traceai: ")
    assert said in result.stderr


def test_a_wrong_configuration_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("version: 1\nprocessors: {evaluators: [provider_approval]}\n")
    for arguments in (("--config", "c.yaml"), ("--http", "0.0.0.0:1"), ("--ui", "x")):
        assert run("collect", *arguments).exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml"]
