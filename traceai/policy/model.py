"""Identify what governs a call: the policy in force and the prompt in use."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from traceai.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traceai.evaluators.registry import Check

OnError = Literal["block", "fallback", "review", "record"]
_ON_ERROR: Final = get_args(OnError)


def _require(what: str, owner: str, value: object) -> None:
    """Refuse an identity that is empty or no text."""
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(
            f"a {owner} needs a {what}, not {value!r}.", remedy=f"Give its {what} as text."
        )


def _as_tuple(what: str, values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values as a tuple, refusing one text where several values belong."""
    if isinstance(values, (str, bytes)):
        raise PolicyError(
            f"{what} must be several values, not the text {values!r}.",
            remedy=f"Write ({values!r},).",
        )
    return tuple(values)


@dataclass(frozen=True, slots=True)
class Policy:
    """Say what must hold of a call, and what to do when that cannot be judged.

    Attributes:
        id: the policy's name, stable over its versions.
        version: changes whenever what it demands changes.
        controls: ids of the controls that it is evidence for.
        owner: who answers for it.
        checks: evaluators that judge a call, run in order.
        approved_providers: `provider` or `provider/model` that calls may go to.
        on_error: block, fallback, review or record, when a check could not judge.

    Raises:
        PolicyError: id or version is empty, or a value cannot mean anything.
    """

    id: str
    version: str
    controls: tuple[str, ...] = ()
    owner: str | None = None
    checks: tuple[Check, ...] = ()
    approved_providers: tuple[str, ...] = ()
    on_error: OnError = "block"

    def __post_init__(self) -> None:
        """Check the identity and freeze what was given as lists."""
        _require("id", "policy", self.id)
        _require("version", "policy", self.version)
        for name in ("controls", "checks", "approved_providers"):
            object.__setattr__(self, name, _as_tuple(name, getattr(self, name)))
        for check in self.checks:
            for part in ("name", "version"):
                _require(part, "check", getattr(check, part, None))
        if self.on_error not in _ON_ERROR:
            raise PolicyError(
                f"on_error is {self.on_error!r}.", remedy=f"Write one of {', '.join(_ON_ERROR)}."
            )

    @property
    def digest(self) -> str:
        """Digest all that decides verdicts, as `sha256:…` of canonical JSON.

        The owner is left out: a policy that changes hands demands the same.
        """
        body = {
            "approved_providers": self.approved_providers,
            "checks": [[check.name, check.version] for check in self.checks],
            "controls": self.controls,
            "id": self.id,
            "on_error": self.on_error,
            "version": self.version,
        }
        return _digest(json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Prompt:
    """Identify a prompt, and fill its template.

    Attributes:
        name: the prompt's name, stable over its versions.
        version: which text of it; None when the digest alone tells.
        template: text with `{name}` placeholders; `{{` and `}}` write braces.

    Raises:
        PolicyError: the name is empty, or the template cannot be filled.
    """

    name: str
    version: str | None = None
    template: str | None = None

    def __post_init__(self) -> None:
        """Check the identity and that the template can be filled."""
        _require("name", "prompt", self.name)
        if self.version is not None:
            _require("version", "prompt", self.version)
        if self.template is not None:
            self._placeholders()

    def __call__(self, **variables: object) -> str:
        """Fill the template."""
        return self.format(**variables)

    @property
    def digest(self) -> str | None:
        """Digest the template as `sha256:…`; None without one."""
        return None if self.template is None else _digest(self.template)

    def format(self, **variables: object) -> str:
        """Fill the template, reading nothing of the variables but their text.

        Raises:
            PolicyError: there is no template, or a placeholder has no variable.
        """
        if self.template is None:
            raise PolicyError(
                f"prompt {self.name!r} has no template to fill.",
                remedy="Give it one: Prompt(name, version, template).",
            )
        missing = sorted(self._placeholders() - variables.keys())
        if missing:
            raise PolicyError(
                f"prompt {self.name!r} needs {', '.join(missing)}.",
                remedy=f"Pass {missing[0]}=… as well.",
            )
        return self.template.format_map(variables)

    def _placeholders(self) -> set[str]:
        """Return the names in the template, refusing whatever is more than a name.

        `{user.secret}` or `{0}` would reach into the variables: a template is data, not code.
        """
        try:
            fields = [field for _, field, _, _ in Formatter().parse(self.template or "")]
        except ValueError as error:
            raise PolicyError(
                f"the template of prompt {self.name!r} cannot be read: {error}.",
                remedy="Write {{ and }} for braces that are text.",
            ) from error
        names = {field for field in fields if field is not None}
        bad = sorted(name for name in names if not name.isidentifier())
        if bad:
            raise PolicyError(
                f"the template of prompt {self.name!r} has the placeholder {{{bad[0]}}}.",
                remedy="Write {name} with a plain name, or {{ and }} for braces that are text.",
            )
        return names


def _digest(text: str) -> str:
    """Digest a text as `sha256:…` of its UTF-8."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
