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
# Besides `traceai.errors.guard`, which catches as a context manager.
CATCHES_BROADLY = {
    "traceai/evaluators/runner.py",  # an evaluator that crashes gives a verdict of its own
    "collector_processor/processor/boundary.py",  # a trace that provokes a failure costs no other
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
READS_ENVIRONMENT = {"traceai/config.py", "collector_processor/config.py"}
# One of these words in its docstring says that a function has no code on purpose.
EMPTY_ON_PURPOSE = {"no", "nothing", "nothing.", "nothing:"}
# What builds a value from values, and what declares a name.
PURE = {
    *("bytes", "dict", "enumerate", "frozenset", "getattr", "len", "list", "ord", "range"),
    *("reversed", "sorted", "tuple", "b64encode", "compile", "decode", "digest", "encode"),
    *("fromkeys", "items", "join", "partial", "sha256"),
    *("auto", "create_key", "field", "getLogger", "get_args", "lru_cache", "option"),
}
WORK_AT_IMPORT = {
    "collector_processor/processor/dialect_table.py:_told": "spells places out, in a table",
    "collector_processor/processor/mapping.py:_index": "turns the table of dialects into an index",
    "collector_processor/processor/raw.py:_declare": "declares the messages that it reads",
}
# Smaller files are tested with what uses them.
SMALL = 60
# The other test file, in the mirrored folder, that these are tested in.
TESTED_THROUGH = {
    "collector_processor/journal/committer.py": "test_segments.py",
    "collector_processor/journal/files.py": "test_segments.py",
    "collector_processor/journal/tail.py": "test_segments.py",
    "collector_processor/processor/attributes.py": "test_mapping.py",
    "collector_processor/processor/reread.py": "test_seal.py",
    "collector_processor/receiver/answer.py": "test_http.py",
    "collector_processor/store/sqlite.py": "test_store.py",
    "traceai/evaluators/disclosure.py": "test_pii.py",
    "traceai/evaluators/entropy.py": "test_credentials.py",
    "traceai/evaluators/phone.py": "test_personal.py",
    "traceai/evaluators/shape.py": "test_detect.py",
    "traceai/given.py": "test_config.py",
}
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


def test_only_three_places_catch_broadly() -> None:
    broad = {
        name(path)
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node)
    }
    assert broad == CATCHES_BROADLY


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
        name(path) for path in SOURCES for node in ast.walk(tree(path)) if _reads_environment(node)
    }
    assert readers == READS_ENVIRONMENT


def _reads_environment(node: ast.AST) -> bool:
    """Say whether `os.environ` and its like are used; a mapping that was passed is none of them."""
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in {f"os.{each}" for each in ENVIRONMENT}
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in ENVIRONMENT for alias in node.names)
    return isinstance(node, ast.Import) and any(
        alias.name == "os" and alias.asname for alias in node.names
    )


def test_importing_does_no_work() -> None:
    """A module defines: nothing is looped over, opened or called for its effect when it is read."""
    working = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in _defining(tree(path).body)
        if isinstance(node, ast.For | ast.While | ast.With | ast.Try)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    ]
    assert set(working) <= _allowed_at_import()


def test_what_a_module_calls_to_define_a_value_is_pure() -> None:
    """Classes are made, and what is named here builds tables; anything else is work at import."""
    called = {
        f"{name(path)}:{ast.unparse(call.func)}"
        for path in SOURCES
        for node in _defining(tree(path).body)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for call in ast.walk(node.value)
        if isinstance(call, ast.Call) and not _makes_a_value(call.func)
    }
    assert called == set(WORK_AT_IMPORT)


def _defining(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements that run at import: those of classes too, those for types not."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            found += _defining(node.body)
        elif not isinstance(node, ast.If):
            found.append(node)
        elif "TYPE_CHECKING" not in ast.dump(node.test) and "__main__" not in ast.dump(node.test):
            found += _defining([*node.body, *node.orelse])
    return found


def _makes_a_value(function: ast.expr) -> bool:
    """Say whether a call makes an object of a class, or is one of the pure builders."""
    if isinstance(function, ast.Call):
        return _makes_a_value(function.func)
    last = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    return last in PURE or last.lstrip("_")[:1].isupper()


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
    """No stub: a function without code is declared by a protocol, or says that it does nothing."""
    declared = {
        node
        for path in SOURCES
        for kind in ast.walk(tree(path))
        if isinstance(kind, ast.ClassDef) and any("Protocol" in ast.dump(b) for b in kind.bases)
        for node in kind.body
    }
    stubs = [
        f"{name(path)}:{node.name}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node not in declared
        and _is_stub(node)
    ]
    assert stubs == []


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether a function has no code yet."""
    said = ast.get_docstring(function) or ""
    code = function.body[1:] if said else function.body
    decorators = " ".join(map(ast.unparse, function.decorator_list))
    on_purpose = not code and EMPTY_ON_PURPOSE & set(said.lower().split())
    if on_purpose or "group(" in decorators or "overload" in decorators:
        return False
    return all(
        isinstance(each, ast.Pass)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        or (isinstance(each, ast.Raise) and "NotImplementedError" in ast.dump(each))
        for each in code
    )


def test_no_function_changes_a_global() -> None:
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


def test_every_source_file_has_a_test_that_names_it() -> None:
    """In its own name, or by importing from it; what is tested through another is listed above."""
    imported = {module for path in TESTS for module in _imported(tree(path))}
    untested = {
        name(path)
        for path in SOURCES
        if len(path.read_text(encoding="utf-8").splitlines()) > SMALL
        and _dotted(path.relative_to(ROOT)) not in imported
        and not _has_a_test_of_its_name(path.relative_to(ROOT))
    }
    assert untested - set(TESTED_THROUGH) == set()
    listed = [(ROOT / "tests" / each).parent / test for each, test in TESTED_THROUGH.items()]
    assert [name(test) for test in listed if not test.exists()] == []
    assert [each for each in TESTED_THROUGH if not (ROOT / each).exists()] == []


def _dotted(source: Path) -> str:
    return ".".join(source.with_suffix("").parts).removesuffix(".__init__")


def _has_a_test_of_its_name(source: Path) -> bool:
    own = f"test_{source.stem}"
    tests = (ROOT / "tests" / source.parent).glob(f"{own}*.py")
    return any(f"{test.stem}_".startswith(f"{own}_") for test in tests)


def _imported(module: ast.Module) -> set[str]:
    """Return the dotted names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
