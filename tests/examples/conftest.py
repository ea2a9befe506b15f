"""A fake provider, and an OpenAI client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai import OpenAI

from fake_provider import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[OpenAI]:
    with OpenAI(base_url=provider.base_url, api_key="none") as made:
        yield made
