"""An approval is read whole, and refused with a remedy where it cannot mean anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from traceai.errors import PolicyError
from traceai.policy.approval import Approval, parse_approval


def entry(**changes: Any) -> dict[str, Any]:
    return {"provider": "openai", "models": ["gpt-4o*"], **changes}


def test_every_field_is_read() -> None:
    given = entry(
        hosts=["*.openai.com"],
        region="us",
        data_classes=["customer"],
        valid_from="2026-01-01",
        valid_to="2027-01-01T00:00:00Z",
        approver="cto@example.com",
        reference="VENDOR-12",
    )
    assert parse_approval(given, "entry 1") == Approval(
        provider="openai",
        models=("gpt-4o*",),
        hosts=("*.openai.com",),
        region="us",
        data_classes=("customer",),
        valid_from=datetime(2026, 1, 1, tzinfo=UTC),
        valid_to=datetime(2027, 1, 1, tzinfo=UTC),
        approver="cto@example.com",
        reference="VENDOR-12",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (entry(model=["x"]), "entry 1 has the unknown key 'model'. Did you mean 'models'?"),
        (entry(quux=1), "entry 1 has the unknown key 'quux'. Known: approver, data_classes, "),
        ({"models": ["x"]}, "entry 1 names no provider. Write entries such as {provider: openai"),
        ({"provider": "x"}, "entry 1 names no models. Write entries such as"),
        (
            entry(models="gpt-4o"),
            "models is 'gpt-4o', not a list of texts. Write models as a list, such as ['gpt-4o'].",
        ),
        (entry(hosts=[1]), "hosts is [1], not a list of texts. Write hosts as a list of texts"),
        (entry(provider=7), "provider is 7, not text. Write provider as text, in quotes."),
        (entry(valid_to="soon"), "valid_to is 'soon', not a date. Write valid_to as 2026-11-24"),
        (
            entry(valid_from="2027-01-01", valid_to="2026-01-01"),
            "ends before it begins: it would approve nothing. Put valid_from before valid_to.",
        ),
        ("openai", "entry 1 is 'openai', not a mapping. Write entries such as"),
    ],
)
def test_a_wrong_value_is_named_with_a_remedy(given: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_approval(given, "entry 1")
    assert message in str(caught.value)
