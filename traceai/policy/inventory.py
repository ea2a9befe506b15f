"""Keep the approved inventory: which provider, model and host may be called, and when."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from traceai.errors import PolicyError

_EXAMPLE: Final = 'Write entries such as {provider: openai, models: ["gpt-4o*"]}.'


class Status(StrEnum):
    """Name what the inventory says of a call."""

    APPROVED = "approved"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    UNAPPROVED_HOST = "unapproved_host"
    UNAPPROVED_MODEL = "unapproved_model"
    UNAPPROVED_PROVIDER = "unapproved_provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Hold one approval.

    Attributes:
        provider: as in `gen_ai.provider.name`, compared without case.
        models: patterns such as `gpt-4o*`.
        hosts: patterns of host names; empty approves any.
        region: where it computes, for the reader.
        data_classes: the classes of data it may see.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Hold what the inventory says of one call, with the approval that decided it."""

    status: Status
    reason: str
    approval: Approval | None = None

    @property
    def approved(self) -> bool:
        """Say whether the call was allowed."""
        return self.status is Status.APPROVED

    @property
    def reference(self) -> str | None:
        """Say where the approval is written down."""
        return self.approval.reference if self.approval else None


@dataclass(frozen=True, slots=True)
class Inventory:
    """Hold all approvals."""

    approvals: tuple[Approval, ...]

    @classmethod
    def load(cls, path: str | Path) -> Inventory:
        """Read a YAML or JSON file.

        Raises:
            PolicyError: the file cannot be read or does not hold an inventory.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(
                f"cannot read the inventory {path}: {type(error).__name__}.",
                remedy="Check the path and its permissions.",
            ) from error
        return cls.parse(_parse_text(text, str(path)))

    @classmethod
    def parse(cls, document: object) -> Inventory:
        """Read `{"providers": [entry, …]}` or the list of entries alone.

        Raises:
            PolicyError: a key is unknown or missing, or a value is of the wrong kind.
        """
        if isinstance(document, Mapping):
            _refuse_unknown(document, {"version", "providers"}, "the inventory")
            document = document.get("providers")
        if not isinstance(document, (list, tuple)):
            raise PolicyError("the inventory holds no list of providers.", remedy=_EXAMPLE)
        return cls(tuple(_parse_entry(entry, n) for n, entry in enumerate(document, start=1)))

    def find(self, *, provider: str, model: str, host: str | None = None, at: datetime) -> Ruling:
        """Rule on one call; the refusal that came nearest to an approval gives the reason.

        A host that the call does not state is not held against it. `at` without a time zone is
        read as UTC.
        """
        moment = _as_utc(at)
        mine = [a for a in self.approvals if a.provider.casefold() == provider.casefold()]
        if not mine:
            return Ruling(
                status=Status.UNAPPROVED_PROVIDER, reason=f"provider {provider} is not approved"
            )
        rulings = [_rule(approval, model, host, moment) for approval in mine]
        return min(rulings, key=lambda ruling: _NEARNESS.index(ruling.status))


_NEARNESS: Final = (
    Status.APPROVED,
    Status.EXPIRED,
    Status.NOT_YET_VALID,
    Status.UNAPPROVED_HOST,
    Status.UNAPPROVED_MODEL,
)


def _rule(approval: Approval, model: str, host: str | None, moment: datetime) -> Ruling:
    """Rule on one call by one approval of its provider."""
    name = f"{approval.provider}/{model}"

    def say(status: Status, reason: str) -> Ruling:
        return Ruling(status=status, reason=reason, approval=approval)

    if not _matches(model, approval.models):
        return say(Status.UNAPPROVED_MODEL, f"model {name} is not approved")
    if host and approval.hosts and not _matches(host, approval.hosts):
        return say(Status.UNAPPROVED_HOST, f"{name} is not approved at host {host}")
    if approval.valid_from and moment < approval.valid_from:
        return say(Status.NOT_YET_VALID, f"{name} is approved from {approval.valid_from:%F} on")
    if approval.valid_to and moment >= approval.valid_to:
        return say(Status.EXPIRED, f"the approval of {name} ended on {approval.valid_to:%F}")
    return say(Status.APPROVED, name)


def _matches(value: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a value fits any pattern, without case."""
    folded = value.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


def _parse_text(text: str, path: str) -> object:
    """Parse YAML, of which JSON is a part; the standard library reads JSON alone."""
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            pass  # flow style YAML begins like JSON
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415 - the library does without YAML
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise PolicyError(
            f"reading {path} as YAML needs ruamel.yaml, which is not installed.",
            remedy="Install traceai-evidence[collector], or write the inventory as JSON.",
        ) from error
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise PolicyError(
            f"{path} is not valid YAML: {error}.", remedy="Mend the line it names."
        ) from error


def _parse_entry(entry: object, number: int) -> Approval:
    """Parse one approval, naming the entry and key of the first wrong value."""
    where = f"inventory entry {number}"
    if not isinstance(entry, Mapping):
        raise PolicyError(f"{where} is {entry!r}.", remedy=_EXAMPLE)
    _refuse_unknown(entry, {field.name for field in fields(Approval)}, where)
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
        raise PolicyError(f"{where} names no {missing}.", remedy=_EXAMPLE)
    if approval.valid_from and approval.valid_to and approval.valid_from >= approval.valid_to:
        raise PolicyError(
            f"{where} ends before it begins.", remedy="Put valid_from before valid_to."
        )
    return approval


def _refuse_unknown(entry: Mapping[Any, Any], known: set[str], where: str) -> None:
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
    raise PolicyError(f"{where}: {key} is {value!r}.", remedy=f"Write {key} as text, in quotes.")


def _texts(entry: Mapping[Any, Any], key: str, where: str) -> tuple[str, ...]:
    """Read an optional list of texts."""
    value = entry.get(key)
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise PolicyError(
            f"{where}: {key} is {value!r}.", remedy=f"Write {key} as a list of texts."
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
        return value and _as_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise PolicyError(
        f"{where}: {key} is {entry[key]!r}.", remedy=f"Write {key} as 2026-11-24, or with a time."
    )


def _as_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, reading one without a zone as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
