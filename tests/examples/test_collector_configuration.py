"""The collector accepts the example's configuration, and the inventory it names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector_processor.config import load
from traceai.policy.inventory import Inventory, Status

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_example_configuration_is_valid() -> None:
    config = load(EXAMPLES / "collector.yaml", environ={})
    assert config.policies == ("policy:POLICY",)
    assert config.inventory == "inventory.yaml"
    assert config.processors.assemble.settle_s == 0.5


@pytest.mark.parametrize(
    ("model", "host", "status"),
    [
        ("gpt-4o-mini-2024-07-18", "127.0.0.1", Status.APPROVED),
        ("gpt-4.1-mini", "api.openai.com", Status.APPROVED),
        ("text-embedding-3-small", "127.0.0.1", Status.APPROVED),
        ("gpt-4o-mini", "localhost", Status.UNAPPROVED_HOST),
        ("mixtral-8x7b", "localhost", Status.UNAPPROVED_MODEL),
    ],
)
def test_the_inventory_approves_what_the_healthy_requests_use(
    model: str, host: str, status: Status
) -> None:
    inventory = Inventory.load(EXAMPLES / "inventory.yaml")
    at = datetime(2026, 11, 24, tzinfo=UTC)
    assert inventory.find(provider="openai", model=model, host=host, at=at).status is status
