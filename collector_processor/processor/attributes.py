"""Read raw attributes: key, value and the canonical fields they hold. Pure.

Most attributes of a service are the same from span to span (provider, model, route, policy …):
what was read from the same bytes before is not read again, by the gate for personal data and
secrets neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector_processor.processor.mapping import CONTENT, Mapped, dialect_rank, map_field
from traceai.evaluators.detect import gate

if TYPE_CHECKING:
    from collections.abc import Iterable

# Longer ones are content, which seldom repeats.
_KEPT_BYTES = 160
_KEPT = 8192
_kept: dict[bytes, Attribute] = {}


class Attribute(NamedTuple):
    """An attribute and what it means.

    Attributes:
        rank: which dialect its key tells of, as an index of `DETECTION`.
        mapped: the canonical fields that it may hold.
        kinds: what the gate found in it; None when it has not looked.
        structural: it names, numbers or counts: its value is not something that was said.
    """

    key: str
    value: Any
    rank: int
    mapped: tuple[Mapped, ...]
    kinds: frozenset[str] | None
    structural: bool


def read_attributes(raws: Iterable[bytes]) -> tuple[list[Attribute], list[bytes]]:
    """Read protobuf `KeyValue` messages.

    Returns:
        The attributes, and the raw ones that the gate has yet to look at.

    Raises:
        google.protobuf.message.DecodeError: one of them is damaged.
    """
    known = _kept.get
    read: list[Attribute] = []
    unseen: list[bytes] = []
    for raw in raws:
        attribute = known(raw)
        if attribute is None:
            attribute = _read(raw)
            if attribute.kinds is None:
                unseen.append(raw)
        read.append(attribute)
    return read, unseen


def decode_attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return attributes as Python values; an empty value is None; the first of a key counts."""
    decoded: dict[str, Any] = {}
    for pair in pairs:
        if pair.key not in decoded:
            decoded[pair.key] = _value(pair.value)
    return decoded


def _read(raw: bytes) -> Attribute:
    pair = KeyValue.FromString(raw)
    key, value = pair.key, _value(pair.value)
    mapped = map_field(key, value)
    structural = bool(mapped) and CONTENT.isdisjoint([found.name for found in mapped])
    keep = len(raw) <= _KEPT_BYTES
    kinds = gate(_as_field(key, value, raw)) if keep else None
    attribute = Attribute(key, value, dialect_rank(key), mapped, kinds, structural)
    if keep:
        if len(_kept) >= _KEPT:
            _kept.clear()
        _kept[raw] = attribute
    return attribute


def _as_field(key: str, value: Any, raw: bytes) -> bytes:
    """Write a single value beneath its key, which may say that it is a password."""
    if isinstance(value, str | int | float):
        return f'"{key}": "{value}"'.encode("utf-8", "surrogatepass")
    return raw


def _value(value: AnyValue) -> Any:
    # Most attributes are texts, and asking for the kind first costs as much again.
    text = value.string_value
    if text:
        return text
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return decode_attributes(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)
