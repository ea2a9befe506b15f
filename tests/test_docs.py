"""The README says what is true: commands exist, names are public, variables are read."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import traceai
from traceai.cli import main
from traceai.config import Config

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in FENCE.finditer(README)]
VARIABLE = re.compile(r"`((?:OTEL|TRACEAI)_[A-Z_{},]+)`")


def marked(name: str) -> str:
    """Return what stands between `<!-- name -->` and `<!-- /name -->`."""
    found = re.search(rf"<!-- {name} -->(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README.md has no block {name!r}"
    return found[1]


def shell_lines() -> list[str]:
    text = "".join(body for kind, body in BLOCKS if kind in {"sh", "bash", "shell", "console"})
    lines = text.replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ").strip() for line in lines]


def commands(line: str) -> list[list[str]]:
    """Return the words of each `traceai …` in a line of shell."""
    parts = re.split(r"\s*(?:&&|\|\||\||;|&)\s*", line.partition(" #")[0])
    words = [shlex.split(part) for part in parts if "traceai" in part]
    return [found[found.index("traceai") + 1 :] for found in words if "traceai" in found]


COMMANDS = [found for line in shell_lines() for found in commands(line)]


def test_the_readme_shows_commands() -> None:
    assert COMMANDS


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_readme_exists_with_its_options(words: list[str]) -> None:
    command: click.Command = main
    context = click.Context(main, info_name="traceai")
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(context, rest.pop(0))
        assert found is not None, f"traceai {' '.join(words)} does not exist"
        command, context = found, click.Context(found, parent=context, info_name=found.name)
        if command.name == "run":
            return
    known = {option for each in command.get_params(context) for option in each.opts}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given - known == set()


def test_help_lists_exactly_the_commands_that_there_are() -> None:
    context = click.Context(main)
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:\n")[2]
    found = [line.split()[0] for line in listed.splitlines() if re.match(r"  \w", line)]
    visible = [
        name
        for name in main.list_commands(context)
        if (command := main.get_command(context, name)) and not command.hidden
    ]
    assert found == visible


@pytest.mark.parametrize("name", traceai.__all__)
def test_every_public_name_is_in_the_readme(name: str) -> None:
    assert re.search(rf"\b{name}\b", README), f"README.md does not mention {name}"


def test_every_target_of_make_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    wanted = {
        word
        for line in shell_lines()
        if line.startswith("make")
        for word in line.partition("#")[0].split()[1:]
        if "=" not in word and not word.startswith("-")
    }
    assert wanted - targets == set()


def _expanded(name: str) -> list[str]:
    """Write `A_{,B_}{C,D}` out."""
    match = re.search(r"\{([^{}]*)\}", name)
    if match is None:
        return [name]
    choices = match[1].split(",")
    return [
        each
        for choice in choices
        for each in _expanded(name[: match.start()] + choice + name[match.end() :])
    ]


class _Recording(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def _variables() -> set[str]:
    environ = _Recording()
    Config.resolve(environ)
    return environ.asked


def test_the_table_of_variables_is_what_is_read() -> None:
    table = {
        each
        for name in VARIABLE.findall(marked("library-configuration"))
        for each in _expanded(name)
    }
    assert table == _variables()


def test_the_table_of_arguments_is_what_instrument_takes() -> None:
    source = (ROOT / "traceai" / "instrumentation.py").read_text(encoding="utf-8")
    (function,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "instrument"
    )
    arguments = {argument.arg for argument in function.args.kwonlyargs}
    rows = re.findall(r"^\| `(\w+)=?` \|", marked("library-configuration"), re.MULTILINE)
    assert {row for row in rows if row.islower()} == arguments


@pytest.mark.parametrize(
    "body", [body for kind, body in BLOCKS if kind == "python"], ids=lambda body: body[:40]
)
def test_the_python_of_the_readme_is_python(body: str) -> None:
    ast.parse(body)


def test_every_link_to_a_file_leads_there() -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
