"""A policy and a prompt are identified by what they demand and say."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.errors import PolicyError
from traceai.evaluators import PII, Secrets
from traceai.policy import Policy, Prompt


def test_a_policys_digest_is_the_same_in_every_process() -> None:
    lists: dict[str, Any] = {"controls": ["C-04"], "checks": [PII()]}
    policy = Policy("answers", "3", approved_providers=("openai",), **lists)
    canonical = (
        '{"approved_providers":["openai"],"checks":[["pii","1"]],"controls":["C-04"],'
        '"id":"answers","on_error":"block","version":"3"}'
    )
    assert "sha256:" + hashlib.sha256(canonical.encode()).hexdigest() == policy.digest


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"version": "4"},
        {"controls": ("C-04",)},
        {"checks": (Secrets(),)},
        {"approved_providers": ("azure",)},
        {"on_error": "review"},
    ],
)
def test_whatever_decides_a_verdict_changes_the_digest(change: dict[str, Any]) -> None:
    before: dict[str, Any] = {"id": "answers", "version": "3", "checks": (PII(),)}
    assert Policy(**before).digest != Policy(**before | change).digest


def test_a_new_owner_leaves_the_digest() -> None:
    assert Policy("a", "1", owner="x").digest == Policy("a", "1", owner="y").digest


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"id": "", "version": "1"}, "a policy needs a id"),
        ({"id": "a", "version": " "}, "a policy needs a version"),
        ({"id": "a", "version": 3}, "a policy needs a version, not 3"),
        ({"id": "a", "version": "1", "controls": "C-04"}, "controls must be several values"),
        ({"id": "a", "version": "1", "on_error": "ignore"}, "Write one of block"),
        (
            {"id": "a", "version": "1", "checks": (len,)},
            "a check needs a name|a check needs a version",
        ),
    ],
)
def test_a_policy_that_means_nothing_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Policy(**values)


def test_a_prompt_fills_its_template() -> None:
    prompt = Prompt("refund", "7", "Dear {name}, {{not}} {amount:.2f}")
    assert (
        "Dear Ann, {not} 3.50"
        == prompt(name="Ann", amount=3.5)
        == prompt.format(name="Ann", amount=3.5)
    )


def test_a_prompt_names_what_is_missing() -> None:
    with pytest.raises(PolicyError, match=r"prompt 'refund' needs amount, name\."):
        Prompt("refund", "7", "{name} {amount}")(other=1)


def test_a_prompt_without_template_has_no_digest_and_cannot_be_filled() -> None:
    prompt = Prompt("refund", "7")
    assert prompt.digest is None
    with pytest.raises(PolicyError, match="has no template"):
        prompt()


@given(st.text())
def test_a_digest_is_of_the_template_alone(text: str) -> None:
    template = text.replace("{", "{{").replace("}", "}}")
    expected = "sha256:" + hashlib.sha256(template.encode()).hexdigest()
    assert expected == Prompt("a", "1", template).digest == Prompt("b", None, template).digest


@pytest.mark.parametrize("template", ["{user.password}", "{items[0]}", "{0}", "{}", "{open", "}"])
def test_a_template_cannot_reach_into_its_variables(template: str) -> None:
    with pytest.raises(PolicyError, match="the template of prompt 'p'"):
        Prompt("p", "1", template)


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("p", "")])
def test_a_prompt_without_identity_is_refused(name: str, version: str) -> None:
    with pytest.raises(PolicyError, match="a prompt needs a"):
        Prompt(name, version)
