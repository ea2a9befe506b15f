"""Read one approval of the inventory: a provider, its models, and what limits them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any, Final

from traceai.errors import PolicyError

EXAMPLE: Final = 'Write entries such as {provider: openai, models: ["gpt-4o*"]}.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Hold one approval.

    Attributes:
        provider: as in `gen_ai.provider.name`, compared without case.
        models: patterns such as `gpt-4o*`.
        hosts: patterns of host names; empty approves any.
        region: where it computes: a note for the reader, shown and not judged, since no call tells.
        data_classes: patterns of the classes of data it may see; empty approves any.
        valid_from: first moment; None is always.
        valid_to: first moment at which it is over; None is never.
        approver: who approved it.
        reference: where the approval is written down.
    """

    provider: str
    models: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    region: str | None = None
    data_classes: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    approver: str | None = None
    reference: str | None = None


def parse_approval(entry: object, where: str) -> Approval:
    """Parse one entry of an inventory.

    Args:
        entry: what the file holds.
        where: names the entry in errors.

    Raises:
        PolicyError: a key is unknown or missing, or a value is of the wrong kind; it names the
            first.
    """
    if not isinstance(entry, Mapping):
        raise PolicyError(f"{where} is {entry!r}, not a mapping.", remedy=EXAMPLE)
    refuse_unknown(entry, {field.name for field in fields(Approval)}, where)
    approval = Approval(
        provider=_text(entry, "provider", where) or "",
        models=_texts(entry, "models", where),
        hosts=_texts(entry, "hosts", where),
        region=_text(entry, "region", where),
        data_classes=_texts(entry, "data_classes", where),
        valid_from=_moment(entry, "valid_from", where),
        valid_to=_moment(entry, "valid_to", where),
        approver=_text(entry, "approver", where),
        reference=_text(entry, "reference", where),
    )
    if not approval.provider or not approval.models:
        missing = "models" if approval.provider else "provider"
        raise PolicyError(f"{where} names no {missing}.", remedy=EXAMPLE)
    if approval.valid_from and approval.valid_to and approval.valid_from >= approval.valid_to:
        raise PolicyError(
            f"{where} ends before it begins: it would approve nothing.",
            remedy="Put valid_from before valid_to.",
        )
    return approval


def refuse_unknown(entry: Mapping[Any, Any], known: set[str], where: str) -> None:
    """Refuse a key that means nothing, suggesting the one that was meant."""
    for key in entry:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(sorted(known))}."
            raise PolicyError(f"{where} has the unknown key {key!r}.", remedy=hint)


def _text(entry: Mapping[Any, Any], key: str, where: str) -> str | None:
    """Read an optional text."""
    value = entry.get(key)
    if value is None or isinstance(value, str):
        return value
    raise PolicyError(
        f"{where}: {key} is {value!r}, not text.", remedy=f"Write {key} as text, in quotes."
    )


def _texts(entry: Mapping[Any, Any], key: str, where: str) -> tuple[str, ...]:
    """Read an optional list of texts."""
    value = entry.get(key)
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise PolicyError(
            f"{where}: {key} is {value!r}, not a list of texts.",
            remedy=f"Write {key} as a list, such as [{value!r}]."
            if isinstance(value, str)
            else f"Write {key} as a list of texts, in quotes.",
        )
    return tuple(value)


def _moment(entry: Mapping[Any, Any], key: str, where: str) -> datetime | None:
    """Read an optional date or time; a date is its first moment in UTC."""
    value = entry.get(key)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            value = object()
    if value is None or isinstance(value, datetime):
        return value and as_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise PolicyError(
        f"{where}: {key} is {entry[key]!r}, not a date.",
        remedy=f"Write {key} as 2026-11-24, or with a time.",
    )


def as_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, reading one without a zone as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
