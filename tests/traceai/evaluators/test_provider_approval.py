"""A call to whom nobody approved fails, and the reason names whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from traceai.evaluators import ProviderApproval
from traceai.policy import Inventory

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOST = "api.openai.com"
CHECK = ProviderApproval(
    Inventory.parse(
        [
            {
                "provider": "openai",
                "models": ["gpt-4o*"],
                "hosts": ["*.openai.com"],
                "region": "us",
                "reference": "V-7",
            },
            {"provider": "mistral_ai", "models": ["*"], "valid_to": "2026-10-01"},
            {"provider": "anthropic", "models": ["*"], "data_classes": ["public"]},
        ]
    )
)


@pytest.mark.parametrize(
    ("call", "passed", "reason"),
    [
        (
            {"provider": "openai", "request_model": "gpt-4o", "server_address": HOST},
            True,
            "approved: openai/gpt-4o",
        ),
        (
            {"provider": "openai", "request_model": "gpt-4o", "response_model": "gpt-3.5-turbo"},
            False,
            "model openai/gpt-3.5-turbo is not approved",
        ),
        (
            {"provider": "deepseek", "request_model": "chat"},
            False,
            "provider deepseek is not approved",
        ),
        (
            {
                "provider": "openai",
                "request_model": "gpt-4o",
                "server_address": "proxy.example.com",
            },
            False,
            "openai/gpt-4o is not approved at host proxy.example.com",
        ),
        (
            {"provider": "mistral_ai", "response_model": "large"},
            False,
            "the approval of mistral_ai/large ended on 2026-10-01",
        ),
        (
            {"provider": "anthropic", "request_model": "claude", "data_classes": "public"},
            True,
            "approved: anthropic/claude",
        ),
        (
            {"provider": "anthropic", "request_model": "claude", "data_classes": ["restricted"]},
            False,
            "anthropic/claude is not approved for data of class restricted",
        ),
    ],
)
def test_each_call_is_ruled_on(*, call: dict[str, Any], passed: bool, reason: str) -> None:
    result = CHECK.evaluate(**call, at=NOW)
    assert (passed, reason) == (result.passed, result.reason)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"request_model": "gpt-4o", "at": NOW}, "the call states no provider"),
        ({"provider": "openai", "at": NOW}, "the call states no model"),
        ({"provider": "openai", "request_model": "gpt-4o"}, "the call states no time"),
        ({}, "the call states no provider and no model and no time"),
        (
            {"provider": "openai", "request_model": "gpt-4o", "at": NOW},
            "openai/gpt-4o is approved at some hosts only: host not stated",
        ),
        (
            {"provider": "anthropic", "request_model": "claude", "at": NOW},
            "anthropic/claude is approved for some data only: data classes not stated",
        ),
    ],
)
def test_what_the_call_does_not_state_cannot_be_judged(call: dict[str, Any], reason: str) -> None:
    result = CHECK.evaluate(**call)
    assert (None, "not_evaluated", reason) == (result.passed, result.label, result.reason)


def test_the_evidence_names_the_approval_and_its_region() -> None:
    call = {"provider": "OpenAI", "request_model": "gpt-4o", "server_address": HOST}
    assert CHECK.evaluate(**call, at=NOW).evidence == {
        "gpt-4o": {"status": "approved", "reference": "V-7", "region": "us"}
    }
