"""Single attributes as canonical fields: what each kind of value is read as."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.model import Known
from collector_processor.processor.dialect_table import DETECTION, ROWS
from collector_processor.processor.mapping import NO_DIALECT, dialect_rank, map_field

COUNT, TEXT, REASONS = (
    "gen_ai.usage.input_tokens",
    "user.id",
    "gen_ai.response.finish_reasons",
)


def read(key: str, value: Any) -> Any:
    found = map_field(key, value)
    return found[0].field.value if found else None


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (TEXT, " u-1 ", "u-1"),
        (TEXT, 7, "7"),
        (TEXT, ["a", 1], "a,1"),
        (TEXT, True, None),
        (TEXT, "  ", None),
        (TEXT, [], None),
        (TEXT, {"a": 1}, None),
        (COUNT, 0, 0),
        (COUNT, "7", 7),
        (COUNT, 7.0, 7),
        (COUNT, "seven", None),
        (COUNT, float("nan"), None),
        (COUNT, float("inf"), None),
        (COUNT, True, None),
        (COUNT, [1], None),
        (REASONS, ["stop", "", None], ("stop",)),
        (REASONS, "stop, length", ("stop", "length")),
        (REASONS, '["stop", 1]', ("stop", "1")),
        (REASONS, '["stop"', ('["stop"',)),
        (REASONS, "[" * 100_000, ("[" * 100_000,)),
        (REASONS, 7, None),
        ("gen_ai.provider.name", " OpenAI ", "openai"),
        ("gen_ai.provider.name", 7, None),
        ("traceai.guardrail.verdict", "DENY", "fail"),
        ("traceai.guardrail.verdict", False, "pass"),
        ("traceai.guardrail.action", "deny", "block"),
        ("gen_ai.output.messages", "secret words", True),
        ("gen_ai.output.messages", [], None),
        ("nobody.knows.it", "x", None),
    ],
)
def test_a_value_is_read_as_the_type_of_its_field(key: str, value: Any, expected: Any) -> None:
    assert read(key, value) == expected


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([key for _, _, keys in ROWS for key in keys]), anything)
def test_any_value_is_read_or_absent(key: str, value: Any) -> None:
    for found in map_field(key.partition("@")[0], value):
        assert found.field.value is not None
        assert found.field.known is Known.STATED


def test_the_first_key_of_a_row_is_the_best() -> None:
    ranks = [
        mapped.rank
        for key in ("user.id", "enduser.id", "llm.user")
        for mapped in map_field(key, "u")
        if mapped.name == "user.id"
    ]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0


@pytest.mark.parametrize(
    ("key", "dialect"),
    [
        ("langfuse.observation.type", "langfuse"),
        ("langsmith.span.kind", "langsmith"),
        ("openinference.span.kind", "openinference"),
        ("gen_ai.span.kind", "traceai"),
        ("traceloop.entity.name", "traceloop"),
        ("llm.request.type", "traceloop"),
        ("ai.telemetry.functionId", "vercel"),
        ("logfire.msg", "logfire"),
        ("gen_ai.system", "opentelemetry"),
        ("http.route", None),
    ],
)
def test_a_dialect_is_told_by_its_keys(key: str, dialect: str | None) -> None:
    rank = dialect_rank(key)
    assert (None if rank == NO_DIALECT else DETECTION[rank][0]) == dialect
