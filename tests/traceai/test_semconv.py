"""The vocabulary: one name per thing, ours under our own prefix."""

from __future__ import annotations

from enum import Enum, EnumType
from typing import cast

from traceai import semconv

_NOT_NAMES = {"SCOPE", "SCHEMA_URL"}
_NAMES = {
    key: value
    for key, value in vars(semconv).items()
    if key.isupper() and isinstance(value, str) and key not in _NOT_NAMES
}


def test_no_two_constants_hold_the_same_name() -> None:
    assert len(_NAMES) == len(set(_NAMES.values()))


def test_names_are_dotted_lower_case() -> None:
    assert [name for name in _NAMES.values() if name != name.lower() or "." not in name] == []


def test_the_identity_is_made_of_known_names() -> None:
    assert semconv.IDENTITY - set(_NAMES.values()) == set()


def test_values_of_enumerations_are_unique() -> None:
    for kind in vars(semconv).values():
        if isinstance(kind, EnumType) and kind.__module__ == semconv.__name__:
            assert list(kind.__members__) == [member.name for member in cast("type[Enum]", kind)]


def test_every_model_call_is_an_operation() -> None:
    assert {str(operation) for operation in semconv.MODEL_CALLS} == {
        "chat",
        "embeddings",
        "generate_content",
        "text_completion",
    }
