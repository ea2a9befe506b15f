from __future__ import annotations

import pytest

from collector_processor.processor.codes import PROFILES, SOC2, TABLE, Code, Profile

# DESIGN section 6: names that scripts of users rely on.
CONTRACT = {
    "tree": "missing_root orphan_span open_intent late_span duplicate_conflict dropped_data sampled"
    " invalid_time",
    "model call": "no_provider no_request_model no_response_model no_response_id no_finish_reason"
    " no_usage no_user no_route no_prompt_version no_policy no_release no_environment"
    " unknown_service no_content_state model_mismatch retry_without_reason"
    " fallback_without_reason evaluation_missing evaluation_error",
    "tool call": "no_tool_call_id no_tool_result no_tool_authorization",
    "guardrail": "guardrail_without_policy guardrail_without_reason",
}


def test_the_codes_are_those_of_the_contract() -> None:
    assert {code.value for code in Code} == {
        code for codes in CONTRACT.values() for code in codes.split()
    }


def test_every_code_has_a_rule_and_no_other() -> None:
    assert set(TABLE) == set(Code)


@pytest.mark.parametrize("code", Code)
def test_a_remedy_is_one_sentence_that_fits_a_line(code: Code) -> None:
    remedy = TABLE[code].remedy
    assert remedy == remedy.strip()
    assert remedy.endswith(".")
    assert "\n" not in remedy
    assert len(remedy) <= 100


def test_no_two_codes_have_the_same_remedy() -> None:
    assert len({rule.remedy for rule in TABLE.values()}) == len(TABLE)


def test_soc2_requires_everything_but_what_is_late_or_says_nothing_of_its_content() -> None:
    assert {code.value for code in Code if not SOC2.requires(code, None)} == {
        "late_span",
        "no_content_state",
    }
    assert {"soc2": SOC2} == PROFILES


@pytest.mark.parametrize(
    ("code", "route", "expected"),
    [
        ("no_user", None, True),
        ("no_user", "support", True),
        ("no_user", "batch", False),
        ("late_span", None, False),
        ("late_span", "support", False),
        # A route that is named has its own list, and not the general one besides.
        ("late_span", "batch", True),
    ],
)
def test_a_route_may_have_a_list_of_its_own(
    code: str, route: str | None, *, expected: bool
) -> None:
    profile = Profile(
        name="own",
        observed=frozenset({"late_span"}),
        routes={"batch": frozenset({"no_user"})},
    )
    assert profile.requires(code, route) is expected
