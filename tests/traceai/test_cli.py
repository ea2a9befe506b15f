"""The command line runs programs as if it were not there, and finds commands by entry points."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from traceai import cli

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import OtlpSink

COMMAND = [sys.executable, "-c", "from traceai.cli import main; main(prog_name='traceai')"]


def run(
    directory: Path, *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_program_runs_recorded(tmp_path: Path, otlp_sink: OtlpSink) -> None:
    (tmp_path / "app.py").write_text(
        "from opentelemetry import trace\n"
        "trace.get_tracer('a').start_span('call', attributes={'gen_ai.system': 'x'}).end()\n"
    )
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.url, "OTEL_SERVICE_NAME": "s"}
    result = run(tmp_path, "run", "app.py", environ=environ)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.startswith("traceai: ")
    assert otlp_sink.names() == ["call"]
    assert otlp_sink.resources()[0]["service.name"] == "s"


@pytest.mark.parametrize("how", [("app.py",), ("-m", "app")])
def test_the_revision_is_that_of_the_program_and_not_of_the_command(
    tmp_path: Path, otlp_sink: OtlpSink, how: tuple[str, ...]
) -> None:
    commit = "0123456789" * 4
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(commit)
    (tmp_path / "app.py").write_text(
        "import os, traceai\n"
        "from opentelemetry import trace\n"
        "os.chdir('/')\n"
        "trace.get_tracer('a').start_span('call', attributes={'gen_ai.system': 'x'}).end()\n"
        "traceai.flush(10)\n"
    )
    run(tmp_path, "run", *how, environ={"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_sink.url})
    assert otlp_sink.resources()[0]["vcs.ref.head.revision"] == commit


def test_what_is_missing_is_left_to_the_program_to_say(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import traceai\ntraceai.instrument(service='s', release='1', environment='e')\n"
    )
    first, second = run(
        tmp_path, "run", "app.py", environ={"OTEL_TRACES_EXPORTER": "none"}
    ).stderr.splitlines()
    assert "(unless the program says it): service.name, release, environment" in first
    assert "missing" not in second


@pytest.mark.parametrize("how", [("app/main.py",), ("-m", "app.main")])
def test_a_program_sees_what_it_would_see_alone(tmp_path: Path, how: tuple[str, ...]) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(
        "import sys, json\n"
        "main = sys.modules['__main__']\n"
        "print(json.dumps([__name__, __package__, sys.argv[1:], sys.path[0], main.__dict__ is "
        "globals(), __file__.endswith('main.py')]))\n"
    )
    arguments = ["one", "--help", "-m", "--", "x"]
    environ = {"OTEL_TRACES_EXPORTER": "none"}
    ours = run(tmp_path, "run", *how, *arguments, environ=environ)
    bare = subprocess.run(
        [sys.executable, *how, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ours.stdout.replace('"__main__", null', '"__main__", ""') == bare.stdout.replace(
        '"__main__", null', '"__main__", ""'
    )


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("import sys; sys.exit('sorry')", 1, "sorry"),
        ("raise EOFError('end')", 1, "EOFError: end"),
        ("import errno; raise OSError(errno.EPIPE, 'pipe')", 1, "BrokenPipeError: [Errno 32] pipe"),
        ("raise KeyboardInterrupt", -2, "KeyboardInterrupt"),
        ("def broken(:", 1, "SyntaxError"),
    ],
)
def test_a_program_ends_as_it_would_alone(
    tmp_path: Path, program: str, code: int, said: str
) -> None:
    (tmp_path / "app.py").write_text(program)
    result = run(tmp_path, "run", "app.py", environ={"OTEL_TRACES_EXPORTER": "none"})
    assert result.returncode == code
    assert said in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (("run", "absent.py"), {}, "there is no file 'absent.py'"),
        (("run",), {}, "Missing argument 'TARGET'"),
        (("run", "app.py"), {"TRACEAI_CONTENT": "x"}, "TRACEAI_CONTENT is 'x'"),
        (("rnu",), {}, "No such command 'rnu'"),
    ],
)
def test_a_wrong_usage_exits_with_2(
    tmp_path: Path, arguments: tuple[str, ...], environ: dict[str, str], said: str
) -> None:
    (tmp_path / "app.py").write_text("")
    result = run(tmp_path, *arguments, environ=environ)
    assert result.returncode == 2
    assert said in result.stderr


def _points(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    def found(**_: Any) -> list[EntryPoint]:
        return [EntryPoint("collector", value, "traceai.commands")]

    monkeypatch.setattr(cli, "entry_points", found)


@click.command()
def hello() -> None:
    """Say hello."""
    click.echo("hello")


def test_a_command_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "our_commands", [hello], raising=False)
    _points(monkeypatch, "click:our_commands")
    assert CliRunner().invoke(cli.main, ["hello"]).output == "hello\n"
    assert "  hello   Say hello.\n  run " in CliRunner().invoke(cli.main, ["--help"]).output


def test_a_command_whose_package_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _points(monkeypatch, "not_installed.cli:commands")
    result = CliRunner().invoke(cli.main, ["collect", "--config", "x"])
    assert result.exit_code == 3
    assert result.stderr == (
        "traceai: the command 'collect' is not here: its package lacks 'not_installed'."
        ' Run: pip install "traceai-evidence[collector]"'
        ' (in a checkout: pip install -e ".[collector]")\n'
    )


def test_help_does_not_load_the_sdk(tmp_path: Path) -> None:
    (tmp_path / "help.py").write_text(
        "import sys\n"
        "from traceai.cli import main\n"
        "main(['run', '--help'], standalone_mode=False)\n"
        "print(*sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "help.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "opentelemetry.sdk" not in result.stdout.split()
