"""Say whether the model that served is the one that was asked for. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# gpt-4o-2024-08-06, gpt-4-0613, claude-3-5-sonnet-20241022, gemini-1.5-pro-002, x@20240620
_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4})$")
_LATEST = "-latest"


def serves(requested: str, served: str, aliases: Mapping[str, Collection[str]]) -> bool:
    """Say whether `served` is what `requested` names.

    It is when it is the same, its dated snapshot or `-latest`, or what the inventory maps it to. A
    gateway prefix (`openai/gpt-4o`) is ignored.

    Args:
        requested: the model asked for.
        served: the model that the response names.
        aliases: for a requested name, the models that the inventory says may serve it.
    """
    asked, answered = _bare(requested), _bare(served)
    if asked == answered:
        return True
    base = asked.removesuffix(_LATEST)
    if answered.removesuffix(_LATEST) == base or _SNAPSHOT.sub("", answered) == base:
        return True
    mapped = {*aliases.get(requested, ()), *aliases.get(asked, ())}
    return any(serves(name, served, {}) for name in mapped)


def _bare(model: str) -> str:
    return model.rsplit("/", 1)[-1].strip().casefold()
