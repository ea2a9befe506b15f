"""The house style, where a machine can tell: budgets, names, and what code may not do."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("traceai", "collector_processor")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EVERYTHING = [*SOURCES, *EXAMPLES, *TESTS]
MAX_LINES = 300
MAX_FUNCTION = 50
MAX_COLUMNS = 100
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core"}
CATCHES_BROADLY = {"traceai/evaluators/runner.py", "collector_processor/processor/evaluation.py"}
READS_ENVIRONMENT = {"traceai/config.py", "collector_processor/config.py"}
# Tests of a whole rather than of a file.
WHOLES = {
    "tests/test_tidy.py",
    "tests/test_docs.py",
    "tests/collector_processor/journal/test_crash.py",  # a process that dies while it journals
    "tests/traceai/evaluators/test_corpus.py",  # every evaluator on one labelled corpus
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def faults(paths: list[Path], nodes: type[ast.AST] | tuple[type[ast.AST], ...]) -> list[str]:
    """Return where a kind of node stands, as `path:line`."""
    return [
        f"{name(path)}:{getattr(node, 'lineno', 0)}"
        for path in paths
        for node in ast.walk(tree(path))
        if isinstance(node, nodes)
    ]


def test_a_file_holds_one_idea() -> None:
    sizes = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path: size for path, size in sizes.items() if size > MAX_LINES} == {}


def test_a_function_does_one_thing() -> None:
    long = {
        f"{name(path)}:{node.name}": size
        for path in [*SOURCES, *EXAMPLES]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := _statements(node)) >= MAX_FUNCTION
    }
    assert long == {}


def _statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines the code of a function takes, its signature and docstring aside."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_a_line_fits_a_screen() -> None:
    long = [
        f"{name(path)}:{number}"
        for path in EVERYTHING
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        # A pragma with its reason may stick out: it cannot be broken.
        if len(line.partition("  # noqa")[0].partition("  # type:")[0]) > MAX_COLUMNS
    ]
    assert long == []


def test_a_module_is_named_after_what_it_does() -> None:
    assert [name(path) for path in SOURCES if path.stem in VAGUE or path.parent.name in VAGUE] == []


def test_only_two_places_catch_broadly() -> None:
    broad = {
        name(path)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    }
    assert broad <= CATCHES_BROADLY


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler swallows any failure; one that passes it on does not."""
    kinds = [] if handler.type is None else [n.id for n in _names(handler.type)]
    broad = handler.type is None or {"Exception", "BaseException"} & set(kinds)
    return bool(broad) and not _passes_on(handler)


def _names(node: ast.AST) -> list[ast.Name]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Name)]


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """Say whether the exception goes on: raised again, or handed to what it is thrown into."""
    for node in ast.walk(ast.Module(body=handler.body, type_ignores=[])):
        if isinstance(node, ast.Raise) and node.exc is None:
            return True
        if isinstance(node, ast.Attribute) and node.attr in {"throw", "athrow"}:
            return True
    return False


def test_only_the_command_lines_print() -> None:
    printing = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and "cli" not in path.stem
    ]
    assert printing == []


def test_only_the_configuration_reads_the_environment() -> None:
    readers = {
        name(path)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"})
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and any(alias.name in {"environ", "getenv", "environb"} for alias in node.names)
        )
    }
    # `given.environ` and the like are a mapping that was passed.
    assert {path for path in readers if "os.environ" in (ROOT / path).read_text()} <= (
        READS_ENVIRONMENT
    )


def test_importing_does_no_work() -> None:
    """A module defines; nothing is called for its effect, looped over or opened when it is read."""
    working = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in tree(path).body
        if isinstance(node, ast.For | ast.While | ast.With | ast.Try)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    ]
    assert set(working) <= _allowed_at_import()


def _allowed_at_import() -> set[str]:
    """Return where a logger is given the handler that keeps Python from printing by itself."""
    return {
        f"{name(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.endswith(".addHandler(logging.NullHandler())")
    }


def test_nothing_is_left_to_do() -> None:
    marks = tuple("".join(letters) for letters in (("TO", "DO"), ("FIX", "ME"), ("XX", "X")))
    left = [
        f"{name(path)}:{number}"
        for path in EVERYTHING
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(mark in line for mark in marks)
    ]
    assert left == []


def test_every_function_has_something_in_it() -> None:
    """No stub: an ellipsis stands in a protocol or an overload only, `pass` nowhere alone."""
    stubs = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(node.body[-1], ast.Raise)
        and "NotImplementedError" in ast.dump(node.body[-1])
    ]
    assert stubs == []
    assert faults(SOURCES, ast.Global) == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def test_every_test_file_mirrors_a_source_file() -> None:
    files = [*SOURCES, *(ROOT / "examples").rglob("*.*")]
    sources = {path.relative_to(ROOT).with_suffix("") for path in files}
    packages = {path.parent for path in sources}
    strays = [
        name(path)
        for path in TESTS
        if path.name.startswith("test_")
        and name(path) not in WHOLES
        and not {"e2e", "bench"} & set(path.parts)
        and not _mirrored(path, sources, packages)
    ]
    assert strays == []


def _mirrored(path: Path, sources: set[Path], packages: set[Path]) -> bool:
    """Say whether `tests/a/test_b.py`, or `test_b_something.py`, has a file `a/b.py`."""
    place = path.relative_to(ROOT / "tests").parent
    stem = path.stem.removeprefix("test_")
    if stem in {"init", place.name}:
        return place in packages
    if stem == "main":
        return place / "__main__" in sources
    words = stem.split("_")
    beginnings = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
    found = any(place / beginning in sources for beginning in beginnings)
    return found or any(place / beginning in packages for beginning in beginnings)
