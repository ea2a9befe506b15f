"""PII and Secrets judge a call place by place and keep no value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from traceai.errors import PolicyError
from traceai.evaluators import PII, Secrets

KEY = "glpat-" + "Ab3dEf6hIj9kLm2nOp5q"


def test_a_clean_call_passes() -> None:
    result = PII().evaluate(input="hello", output="hi")
    assert (
        result.passed,
        result.score,
        result.reason,
    ) == (True, 1.0, "no personal data in input, output")


def test_personal_data_anywhere_fails_by_default_and_is_counted_by_place() -> None:
    result = PII().evaluate(
        input="I am alice@example.com", context=["bob@example.com, SSN 123-45-6789"], output="ok"
    )
    assert (result.passed, result.score) == (False, 0.0)
    assert (
        result.reason
        == "personal data in input: 1 EMAIL_ADDRESS; context: 1 EMAIL_ADDRESS, 1 US_SSN"
    )
    counts = {place: seen["counts"] for place, seen in result.evidence["places"].items()}  # type: ignore[call-overload]
    assert counts == {
        "input": {"EMAIL_ADDRESS": 1},
        "context": {"EMAIL_ADDRESS": 1, "US_SSN": 1},
        "output": {},
    }


def test_other_places_are_counted_and_do_not_fail() -> None:
    result = PII(places=("output",)).evaluate(input="alice@example.com", output="ok")
    assert result.passed is True
    assert result.evidence["places"]["input"]["counts"] == {"EMAIL_ADDRESS": 1}  # type: ignore[call-overload]


@pytest.mark.parametrize("given", [{}, {"output": None}, {"input": "x"}])
def test_nothing_to_judge_is_no_pass(given: dict[str, Any]) -> None:
    result = PII(places=("output",)).evaluate(**given)
    assert (result.passed, result.label, result.score) == (None, "not_evaluated", None)


def test_an_empty_text_discloses_nothing() -> None:
    assert PII().evaluate(output="").passed is True


def too_deep(value: Any) -> Any:
    for _ in range(100):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ([], "nothing to judge: output is empty"),
        (
            [{"role": "assistant", "parts": [{"type": "blob", "modality": "image"}]}],
            "could not be read: output[0].parts[0] (blob)",
        ),
        (
            [{"role": "user", "content": ["look:", {"type": "image_url"}]}],
            "could not be read: output[0].content[1] (image_url)",
        ),
        (b"alice@example.com", "could not be read: output (bytes)"),
        ([b""] * 5, "could not be read: output[0] (bytes), output[1] (bytes), output[2] (bytes)"),
        (too_deep("alice@example.com"), f"could not be read: output{'[0]' * 65} (too deep)"),
    ],
)
@pytest.mark.parametrize("check", [PII(places=("output",)), Secrets(places=("output",))])
def test_what_cannot_be_read_is_never_a_pass(check: Any, output: Any, reason: str) -> None:
    result = check.evaluate(output=output)
    assert (result.passed, result.label, result.score) == (None, "not_evaluated", None)
    assert result.reason.removesuffix(" and 2 more") == reason


def test_a_finding_fails_whatever_else_could_not_be_read() -> None:
    parts = [{"type": "blob"}, {"type": "text", "content": "alice@example.com"}]
    result = PII().evaluate(output=[{"role": "assistant", "parts": parts}])
    assert result.passed is False
    assert result.evidence["places"]["output"]["unread"] == [  # type: ignore[call-overload]
        {"path": "[0].parts[0]", "what": "blob"}
    ]


def test_what_cannot_be_read_where_nothing_is_judged_does_not_matter() -> None:
    assert PII(places=("output",)).evaluate(input=b"", output="ok").passed is True


def test_a_key_is_said_like_any_other_text() -> None:
    result = PII().evaluate(output={"alice@example.com": {"orders": 3}})
    (finding,) = result.evidence["places"]["output"]["findings"]  # type: ignore[call-overload]
    assert (result.passed, finding["path"], finding["length"]) == (False, "…", 17)


@pytest.mark.parametrize(
    ("check", "value"),
    [(PII(), "alice@example.com"), (PII(), "123-45-6789"), (Secrets(), KEY)],
)
def test_no_evidence_holds_the_value(check: Any, value: str) -> None:
    messages = [{"role": "user", "parts": [{"content": f"it is {value}", value: value}]}]
    result = check.evaluate(input=messages, output=value, tools={"args": {"x": value}})
    assert result.passed is False
    assert value not in json.dumps(result.evidence) + result.reason


def test_a_finding_says_where_it_is() -> None:
    result = Secrets().evaluate(input=[{"role": "user", "content": f"my token: {KEY}"}], output="")
    (finding,) = result.evidence["places"]["input"]["findings"]  # type: ignore[call-overload]
    assert {
        "path": "[0].content",
        "kind": "GITLAB_TOKEN",
        "start": 10,
        "length": len(KEY),
        "confidence": 0.9,
        "validated": False,
        "redacted": False,
    } == finding


@pytest.mark.parametrize("mark", ["<IBAN_CODE>", "<IBAN_CODE:k1:ABCDEFGHIJKLMNOP>"])
def test_what_was_redacted_before_it_was_judged_still_counts(mark: str) -> None:
    result = PII().evaluate(output=f"Your account is {mark}.")
    place = result.evidence["places"]["output"]  # type: ignore[call-overload]
    assert (result.passed, place["counts"]) == (False, {"IBAN_CODE": 1})
    assert place["findings"][0]["redacted"] is True


def test_a_mark_of_another_kind_is_not_ours_to_judge() -> None:
    assert Secrets().evaluate(output="Your account is <IBAN_CODE>.").passed is True


def test_counts_are_exact_where_the_list_is_bounded() -> None:
    result = PII().evaluate(output="a@example.com " * 150)
    place = result.evidence["places"]["output"]  # type: ignore[call-overload]
    assert (place["counts"], len(place["findings"])) == ({"EMAIL_ADDRESS": 150}, 100)


def test_kinds_narrow_what_is_judged() -> None:
    assert PII(["US_SSN"]).evaluate(output="a@example.com").passed is True


def test_secrets_are_not_personal_data_nor_the_reverse() -> None:
    assert PII().evaluate(output=KEY).passed is True
    assert Secrets().evaluate(output="alice@example.com").passed is True


@pytest.mark.parametrize("make", [PII, Secrets])
def test_an_unknown_kind_or_place_is_refused(make: Any) -> None:
    with pytest.raises(PolicyError, match="unknown kind 'EMAIL'"):
        make(["EMAIL"])
    with pytest.raises(PolicyError, match="places must be some of"):
        make(places=("outputs",))
    with pytest.raises(PolicyError, match="places must be some of"):
        make(places=())
