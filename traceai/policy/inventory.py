"""Keep the approved inventory: who may be called, with which data, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from traceai.errors import PolicyError
from traceai.policy.approval import EXAMPLE, Approval, as_utc, parse_approval, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime


class Status(StrEnum):
    """Name what the inventory says of a call; `…_not_stated` is neither approval nor refusal."""

    APPROVED = "approved"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    HOST_NOT_STATED = "host_not_stated"
    DATA_CLASSES_NOT_STATED = "data_classes_not_stated"
    UNAPPROVED_DATA = "unapproved_data"
    UNAPPROVED_HOST = "unapproved_host"
    UNAPPROVED_MODEL = "unapproved_model"
    UNAPPROVED_PROVIDER = "unapproved_provider"


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
    def judged(self) -> bool:
        """Say whether the call stated enough to be ruled on."""
        return self.status not in (Status.HOST_NOT_STATED, Status.DATA_CLASSES_NOT_STATED)

    @property
    def reference(self) -> str | None:
        """Say where the approval is written down."""
        return self.approval.reference if self.approval else None

    @property
    def region(self) -> str | None:
        """Say where the approval has it that the provider computes."""
        return self.approval.region if self.approval else None


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
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise PolicyError(
                f"cannot read the inventory {path}: {why}.",
                remedy="Check the path, its permissions and that it is a YAML or JSON file.",
            ) from error
        return cls.parse(_parse_text(text, str(path)))

    @classmethod
    def parse(cls, document: object) -> Inventory:
        """Read `{"providers": [entry, …]}` or the list of entries alone.

        Raises:
            PolicyError: a key is unknown or missing, or a value is of the wrong kind.
        """
        if isinstance(document, Mapping):
            refuse_unknown(document, {"version", "providers"}, "the inventory")
            if (version := document.get("version", 1)) != 1:
                raise PolicyError(
                    f"the inventory is of version {version!r}; version 1 alone can be read.",
                    remedy="Write version: 1.",
                )
            document = document.get("providers")
        if not isinstance(document, (list, tuple)):
            raise PolicyError("the inventory holds no list of providers.", remedy=EXAMPLE)
        return cls(
            tuple(
                parse_approval(entry, f"inventory entry {n}")
                for n, entry in enumerate(document, start=1)
            )
        )

    def find(
        self,
        *,
        provider: str,
        model: str,
        host: str | None = None,
        data_classes: Collection[str] = (),
        at: datetime,
    ) -> Ruling:
        """Rule on one call; the ruling that came nearest to an approval is given.

        What an approval limits and the call does not state, be it the host or the classes of its
        data, is neither approved nor refused. `at` without a time zone is read as UTC.
        """
        mine = [a for a in self.approvals if a.provider.casefold() == provider.casefold()]
        if not mine:
            return Ruling(
                status=Status.UNAPPROVED_PROVIDER, reason=f"provider {provider} is not approved"
            )
        call = _Call(model, host, frozenset(data_classes), as_utc(at))
        rulings = [_rule(approval, call) for approval in mine]
        return min(rulings, key=lambda ruling: _NEARNESS.index(ruling.status))


class _Call(NamedTuple):
    """What a call to some provider states."""

    model: str
    host: str | None
    data_classes: frozenset[str]
    moment: datetime


_NEARNESS: Final = (
    Status.APPROVED,
    Status.HOST_NOT_STATED,
    Status.DATA_CLASSES_NOT_STATED,
    Status.EXPIRED,
    Status.NOT_YET_VALID,
    Status.UNAPPROVED_DATA,
    Status.UNAPPROVED_HOST,
    Status.UNAPPROVED_MODEL,
)


def _rule(approval: Approval, call: _Call) -> Ruling:
    """Rule on one call by one approval of its provider."""
    status, reason = next(_say(approval, call, f"{approval.provider}/{call.model}"))
    return Ruling(status=status, reason=reason, approval=approval)


def _say(approval: Approval, call: _Call, name: str) -> Iterator[tuple[Status, str]]:
    """Yield what speaks against a call: refusals, then what it does not state, then nothing."""
    alien = sorted(c for c in call.data_classes if not _matches(c, approval.data_classes))
    if not _matches(call.model, approval.models):
        yield Status.UNAPPROVED_MODEL, f"model {name} is not approved"
    if call.host and approval.hosts and not _matches(call.host, approval.hosts):
        yield Status.UNAPPROVED_HOST, f"{name} is not approved at host {call.host}"
    if approval.data_classes and alien:
        yield Status.UNAPPROVED_DATA, f"{name} is not approved for data of class {alien[0]}"
    if approval.valid_from and call.moment < approval.valid_from:
        yield Status.NOT_YET_VALID, f"{name} is approved from {approval.valid_from:%F} on"
    if approval.valid_to and call.moment >= approval.valid_to:
        yield Status.EXPIRED, f"the approval of {name} ended on {approval.valid_to:%F}"
    if approval.hosts and not call.host:
        yield Status.HOST_NOT_STATED, f"{name} is approved at some hosts only: host not stated"
    if approval.data_classes and not call.data_classes:
        yield (
            Status.DATA_CLASSES_NOT_STATED,
            f"{name} is approved for some data only: data classes not stated",
        )
    yield Status.APPROVED, name


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
    except (YAMLError, ValueError) as error:  # a ValueError: a date that no calendar has
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else path
        why = getattr(error, "problem", None) or str(error)
        raise PolicyError(
            f"{where}: not valid YAML: {why}.", remedy="Mend the line, or what stands before it."
        ) from error
