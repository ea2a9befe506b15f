"""Which process speaks, and at which revision of the code."""

from __future__ import annotations

import subprocess
import sysconfig
import uuid
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource

from traceai import resource
from traceai.config import Config


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_instance_id_is_a_uuid_of_version_7_that_holds_its_time(
    now_ms: int, random: bytes
) -> None:
    made = uuid.UUID(resource.uuid7(now_ms, random))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now_ms


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10))
def test_instance_ids_sort_by_time(now_ms: int, random: bytes) -> None:
    assert resource.uuid7(now_ms, random) < resource.uuid7(now_ms + 1, b"\0" * 10)


@pytest.mark.parametrize(
    ("own", "stated", "known", "name"),
    [
        (
            {"service.name": "app"},
            {"service.name": "argument"},
            {"service.name": "env"},
            "argument",
        ),
        ({"service.name": "app"}, {}, {"service.name": "env"}, "app"),
        ({"service.name": "unknown_service"}, {}, {"service.name": "env"}, "env"),
        ({"service.name": "unknown_service:python"}, {}, {}, "unknown_service:python"),
        ({}, {}, {"service.name": "env"}, "env"),
    ],
)
def test_the_name_of_a_service_comes_from_the_nearest_word(
    own: dict[str, str], stated: dict[str, str], known: dict[str, str], name: str
) -> None:
    completed = resource.complete(Resource(own), stated, known)
    assert completed.attributes["service.name"] == name


def test_what_the_application_says_of_itself_stays() -> None:
    own = Resource({"team": "x", "service.instance.id": "i"}, "schema")
    completed = resource.complete(own, {}, {"service.instance.id": "ours"})
    assert completed == own


def test_an_instance_id_that_the_sdk_made_up_is_left_out() -> None:
    made = Resource({"service.instance.id": "i", "team": "x"}, "schema")
    assert resource.nameless(made) == Resource({"team": "x"}, "schema")


def test_arguments_are_stated_and_the_environment_is_known() -> None:
    config = Config(service="s", release="1", environment="prod", resource={"team": "x"})
    assert resource.stated(config) == {
        "service.name": "s",
        "service.version": "1",
        "deployment.environment.name": "prod",
    }
    assert resource.known(config, revision="abc") == {
        "vcs.ref.head.revision": "abc",
        "team": "x",
    }


@pytest.mark.parametrize(
    ("attributes", "missing"),
    [
        ({}, ["service.name", "release", "environment"]),
        ({"service.name": "unknown_service"}, ["service.name", "release", "environment"]),
        ({"service.name": "s", "service.version": "1"}, ["environment"]),
    ],
)
def test_what_is_missing_is_named(attributes: dict[str, str], missing: list[str]) -> None:
    assert resource.missing(Resource(attributes)) == missing


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "--quiet", "--initial-branch=main")
    _git(tmp_path, "commit", "--quiet", "--allow-empty", "--message=first")
    return tmp_path


def _git(directory: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    command = ["git", "-C", str(directory), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _check(directory: Path) -> None:
    assert resource.revision(directory / "app.py") == _git(directory, "rev-parse", "HEAD")


def test_the_revision_of_a_branch_is_read(repository: Path) -> None:
    (repository / "deep" / "down").mkdir(parents=True)
    _check(repository / "deep" / "down")


def test_the_revision_of_a_detached_head_is_read(repository: Path) -> None:
    _git(repository, "checkout", "--quiet", "--detach")
    _check(repository)


def test_a_packed_revision_is_read(repository: Path) -> None:
    _git(repository, "pack-refs", "--all")
    _check(repository)


def test_the_revision_of_a_linked_work_tree_is_read(repository: Path) -> None:
    _git(repository, "worktree", "add", "--quiet", "linked", "-b", "other")
    _git(repository / "linked", "commit", "--quiet", "--allow-empty", "--message=second")
    _check(repository / "linked")


@pytest.mark.parametrize("head", ["", "ref:", "ref: refs/heads/none", "not a commit", "\0"])
def test_a_repository_without_a_commit_has_no_revision(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert resource.revision(tmp_path / "app.py") is None


def test_a_broken_link_to_a_repository_has_no_revision(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    assert resource.revision(tmp_path / "app.py") is None


def test_the_scope_has_the_version_that_is_installed() -> None:
    assert resource.scope_version() == version("traceai-evidence")


def _main(file: object) -> ModuleType:
    module = ModuleType("__main__")
    module.__dict__["__file__"] = file
    return module


def test_the_program_is_the_file_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resource.program(_main("app.py")) == tmp_path.resolve() / "app.py"
    assert resource.program(_main(str(tmp_path / "app.py"))) == tmp_path.resolve() / "app.py"


@pytest.mark.parametrize(
    "main",
    [
        None,
        ModuleType("__main__"),
        _main(None),
        _main("a\0b"),
        _main(pytest.__file__),
        _main(subprocess.__file__),
        _main(str(Path(sysconfig.get_path("scripts")) / "uvicorn")),
    ],
    ids=["none", "session", "no file", "no path", "installed", "standard library", "script"],
)
def test_what_tells_nothing_of_the_application_is_no_program(main: ModuleType | None) -> None:
    assert resource.program(main) is None


def test_without_a_program_there_is_no_revision() -> None:
    assert resource.revision(None) is None
