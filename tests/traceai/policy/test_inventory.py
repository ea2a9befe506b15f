"""The inventory rules on provider, model, host, data and moment of a call."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from traceai.errors import PolicyError
from traceai.policy import Inventory, Status

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
YAML = """\
version: 1
providers:
  - provider: openai
    models: ["gpt-4o*", o3]
    hosts: ["*.openai.com"]
    region: us
    data_classes: [customer]
    valid_from: 2026-01-01
    valid_to: 2027-01-01T00:00:00Z
    approver: cto@example.com
    reference: VENDOR-12
"""


def entry(**changes: Any) -> dict[str, Any]:
    return {"provider": "openai", "models": ["gpt-4o*"], **changes}


@pytest.mark.parametrize(
    ("entries", "call", "status"),
    [
        ([entry()], {}, Status.APPROVED),
        ([entry()], {"provider": "OPENAI", "model": "GPT-4o-mini"}, Status.APPROVED),
        ([entry()], {"provider": "azure"}, Status.UNAPPROVED_PROVIDER),
        ([entry()], {"model": "gpt-4"}, Status.UNAPPROVED_MODEL),
        ([entry(hosts=["api.openai.com"])], {"host": "api.openai.com"}, Status.APPROVED),
        ([entry(hosts=["api.openai.com"])], {"host": None}, Status.HOST_NOT_STATED),
        ([entry(hosts=["api.openai.com"])], {"host": ""}, Status.HOST_NOT_STATED),
        (
            [entry(hosts=["a"]), entry(hosts=["b"], valid_to="2026-01-01")],
            {},
            Status.HOST_NOT_STATED,
        ),
        ([entry(hosts=["a"]), entry()], {}, Status.APPROVED),
        ([entry(hosts=["a"], valid_to="2026-01-01")], {}, Status.EXPIRED),
        ([entry(hosts=["a"])], {"model": "gpt-4"}, Status.UNAPPROVED_MODEL),
        ([entry(data_classes=["pii"])], {"data_classes": ["PII"]}, Status.APPROVED),
        ([entry(data_classes=["pii"])], {"data_classes": ["pii", "phi"]}, Status.UNAPPROVED_DATA),
        ([entry(data_classes=["pii"])], {}, Status.DATA_CLASSES_NOT_STATED),
        ([entry()], {"data_classes": ["phi"]}, Status.APPROVED),
        ([entry(hosts=["api.openai.com"])], {"host": "evil.example"}, Status.UNAPPROVED_HOST),
        ([entry(valid_from="2026-11-25")], {}, Status.NOT_YET_VALID),
        ([entry(valid_to="2026-11-24")], {}, Status.EXPIRED),
        ([entry(valid_to="2026-11-24T12:00:00Z")], {}, Status.EXPIRED),
        ([entry(valid_from="2026-11-24T12:00:00Z")], {}, Status.APPROVED),
        ([entry(valid_to="2026-01-01"), entry(valid_from="2026-01-01")], {}, Status.APPROVED),
        ([entry(valid_to="2026-01-01"), entry(models=["o3"])], {}, Status.EXPIRED),
    ],
)
def test_each_call_is_ruled_on(
    entries: list[dict[str, Any]], call: dict[str, Any], status: Status
) -> None:
    asked = {"provider": "openai", "model": "gpt-4o", "at": NOW, **call}
    assert status == Inventory.parse(entries).find(**asked).status


def test_what_is_not_stated_is_neither_approved_nor_judged() -> None:
    inventory = Inventory.parse([entry(hosts=["api.openai.com"])])
    ruling = inventory.find(provider="openai", model="gpt-4o", at=NOW)
    assert (ruling.approved, ruling.judged) == (False, False)
    assert ruling.reason == "openai/gpt-4o is approved at some hosts only: host not stated"


def test_a_moment_counts_in_its_own_time_zone() -> None:
    inventory = Inventory.parse([entry(valid_from="2026-11-24")])
    tokyo = timezone(timedelta(hours=9))
    early = inventory.find(
        provider="openai", model="gpt-4o", at=datetime(2026, 11, 24, 8, tzinfo=tokyo)
    )
    assert early.status is Status.NOT_YET_VALID


@pytest.mark.parametrize("name", ["inventory.yaml", "inventory.json"])
def test_a_file_is_read_as_yaml_or_json(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    document = {"version": 1, "providers": [entry(reference="VENDOR-12")]}
    path.write_text(YAML if name.endswith("yaml") else json.dumps(document))
    ruling = Inventory.load(path).find(
        provider="openai",
        model="gpt-4o",
        host="api.openai.com",
        data_classes=("customer",),
        at=NOW,
    )
    assert (ruling.approved, ruling.reference) == (True, "VENDOR-12")


def test_every_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(YAML)
    (approval,) = Inventory.load(path).approvals
    assert (
        approval.region,
        approval.data_classes,
        approval.approver,
    ) == ("us", ("customer",), "cto@example.com")
    assert (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)) == (
        approval.valid_from,
        approval.valid_to,
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"provider": []}, "unknown key 'provider'. Did you mean 'providers'?"),
        ([entry(), entry(quux=1)], "inventory entry 2 has the unknown key 'quux'. Known: "),
        ({"version": 2, "providers": []}, "of version 2; version 1 alone can be read. Write"),
        (None, "holds no list of providers"),
        ({"providers": {}}, "holds no list of providers"),
    ],
)
def test_a_wrong_document_is_named_with_a_remedy(document: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Inventory.parse(document)
    assert message in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"none\.yaml: No such file or directory\. Check"):
        Inventory.load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="it is not UTF-8 text"):
        Inventory.load(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("providers: [", "line 1: not valid YAML: expected the node content, but found"),
        ("- {valid_to: 2026-13-45}", "not valid YAML: month must be in 1..12"),
    ],
)
def test_broken_yaml_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Inventory.load(path)
    assert message in str(caught.value)


def test_yaml_without_its_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)
    path = tmp_path / "inventory.yaml"
    path.write_text(YAML)
    with pytest.raises(PolicyError, match="write the inventory as JSON"):
        Inventory.load(path)
