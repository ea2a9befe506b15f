from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from collector_processor.config import Config
from collector_processor.datadir import DataDir
from collector_processor.errors import ConfigError, StoreError
from collector_processor.settings import settle

POLICY = "import traceai\nPOLICY = traceai.Policy(id={id!r}, version='1')\n"
INVENTORY = "version: 1\nproviders:\n  - {provider: openai, models: [gpt-4o]}\n"


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, path: str = "collector.yaml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_without_a_file_everything_has_its_default() -> None:
    settings = settle()
    assert settings.config == Config()
    assert settings.place == DataDir.at(Path("traceai-data"))
    assert (settings.policies, settings.inventory) == ((), None)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")),
        ({"http": "127.0.0.1:9"}, ("127.0.0.1:9", "127.0.0.1:2", "127.0.0.1:3")),
        ({"grpc": "127.0.0.1:9"}, ("127.0.0.1:1", "127.0.0.1:9", "127.0.0.1:3")),
        ({"ui": "127.0.0.1:9"}, ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:9")),
    ],
)
def test_a_flag_overrides_the_file_and_nothing_besides(
    flags: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    file = write(
        "version: 1\n"
        "receivers: {otlp: {http: {endpoint: '127.0.0.1:1'}, grpc: {endpoint: '127.0.0.1:2'},"
        " max_request_mib: 5}}\n"
        "ui: {endpoint: '127.0.0.1:3'}\n"
    )
    config = settle(file, **flags).config
    otlp = config.receivers.otlp
    assert (otlp.http.endpoint, otlp.grpc.endpoint, config.ui.endpoint) == expected
    assert otlp.max_request_mib == 5


def test_the_file_says_where_journal_and_store_are_and_the_flag_puts_both_elsewhere() -> None:
    file = write("version: 1\njournal: {path: fast/j}\nstore: {url: 'sqlite:///big/e.db'}\n")
    assert settle(file).place == DataDir(
        path=Path("traceai-data"), journal=Path("fast/j"), store=Path("big/e.db")
    )
    assert settle(file, data_dir=Path("own")).place == DataDir.at(Path("own"))


def test_a_policy_is_looked_for_beside_the_file_first() -> None:
    write(POLICY.format(id="beside"), "etc/json.py")
    file = write("version: 1\npolicies: ['json:POLICY']\n", "etc/collector.yaml")
    assert [policy.id for policy in settle(file).policies] == ["beside"]
    assert "POLICY" not in vars(sys.modules["json"])


def test_policies_of_two_files_with_one_name_are_two() -> None:
    files = [
        write("version: 1\npolicies: ['rules:POLICY']\n", f"{folder}/collector.yaml")
        for folder in ("a", "b")
        if write(POLICY.format(id=folder), f"{folder}/rules.py")
    ]
    assert [settle(file).policies[0].id for file in files] == ["a", "b"]


def test_a_policy_may_come_from_the_python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    write(POLICY.format(id="installed"), "lib/traceai_test_rules.py")
    monkeypatch.syspath_prepend("lib")
    file = write("version: 1\npolicies: ['traceai_test_rules:POLICY']\n", "etc/collector.yaml")
    assert [policy.id for policy in settle(file).policies] == ["installed"]


def test_the_inventory_is_relative_to_the_file() -> None:
    write(INVENTORY, "etc/approved.yaml")
    file = write("version: 1\ninventory: approved.yaml\n", "etc/collector.yaml")
    assert settle(file).inventory is not None


def test_the_environment_fills_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "COLLECTOR_TEST_PORT", "5000")
    file = write("version: 1\nui: {endpoint: '127.0.0.1:${env:COLLECTOR_TEST_PORT}'}\n")
    assert settle(file).config.ui.endpoint == "127.0.0.1:5000"


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("from json import nothing", "ImportError: cannot import name 'nothing'"),
        ("def broken(:", "SyntaxError: "),
        ("undefined", "NameError: name 'undefined' is not defined"),
        ("None.x", "AttributeError: "),
        ("int(None)", "TypeError: "),
        ("int('x')", "ValueError: "),
        ("open('nowhere')", "FileNotFoundError: "),
        ("{}['missing']", "KeyError: 'missing'"),
        ("[][0]", "IndexError: "),
        ("1 / 0", "ZeroDivisionError: "),
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("assert False, 'unmet'", "AssertionError: unmet"),
        ("import traceai; traceai.Policy(id='', version='1')", "PolicyError: "),
    ],
)
def test_a_policy_that_cannot_be_imported_is_named_with_the_reason(module: str, said: str) -> None:
    write(module, "rules.py")
    file = write("version: 1\npolicies: ['rules:POLICY']\n")
    with pytest.raises(ConfigError) as refused:
        settle(file)
    assert str(refused.value).startswith(f"policies: 'rules:POLICY' cannot be imported: {said}")
    assert "Put rules.py beside the configuration file" in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("rules", "policies: 'rules' is no module:NAME."),
        ("rules:", "policies: 'rules:' is no module:NAME."),
        ("rules:OTHER", "policies: 'rules:OTHER' is not a traceai.Policy."),
        ("rules:NUMBER", "policies: 'rules:NUMBER' is not a traceai.Policy."),
        (":POLICY", "policies: ':POLICY' is no module:NAME."),
    ],
)
def test_what_is_no_policy_is_named(reference: str, said: str) -> None:
    write(POLICY.format(id="p") + "NUMBER = 7\n", "rules.py")
    file = write(f"version: 1\npolicies: ['{reference}']\n")
    with pytest.raises(ConfigError) as refused:
        settle(file)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("inventory: nowhere.yaml", ConfigError, "inventory: "),
        ("inventory: rules.py", ConfigError, "inventory: "),
        ("store: {url: 'postgresql://db/x'}", StoreError, "The store 'postgresql://db/x'"),
    ],
)
def test_what_the_file_refers_to_is_checked(text: str, error: type[Exception], said: str) -> None:
    write("7", "rules.py")
    with pytest.raises(error) as refused:
        settle(write(f"version: 1\n{text}\n"))
    assert str(refused.value).startswith(said)
