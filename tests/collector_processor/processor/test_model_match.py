from __future__ import annotations

import pytest

from collector_processor.processor.model_match import serves

ALIASES = {"support-model": {"gpt-4o"}, "gpt-4o-eu": {"gpt-4o"}}


@pytest.mark.parametrize(
    ("requested", "served", "expected"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "GPT-4o", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4", "gpt-4-0613", True),
        ("claude-3-5-sonnet", "claude-3-5-sonnet-20241022", True),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", True),
        ("mistral-large", "mistral-large-latest", True),
        ("gemini-1.5-pro", "gemini-1.5-pro-002", True),
        ("openai/gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o", "openai/gpt-4o", True),
        ("support-model", "gpt-4o-2024-08-06", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13", False),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("support-model", "gpt-4o-mini", False),
        ("gpt-4o", "claude-3-5-sonnet", False),
    ],
)
def test_a_snapshot_an_alias_or_a_prefix_is_the_same_model(
    requested: str, served: str, *, expected: bool
) -> None:
    assert serves(requested, served, ALIASES) is expected
