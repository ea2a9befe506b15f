"""Findings and subjects of a trace as they are come upon, and the rules they are judged by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector_processor.model import Finding, Population, Subjects
from collector_processor.processor.codes import SOC2, TABLE, Code, Profile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from collector_processor.processor.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration adds to the rules.

    Attributes:
        required_evaluations: names of evaluators by route; `*` is for every route.
        aliases: for a requested model, the models that the inventory says may serve it.
        tool_effects: read, write, destructive or external, by tool name.
    """

    profile: Profile = SOC2
    required_evaluations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, Collection[str]] = field(default_factory=dict)
    tool_effects: Mapping[str, str] = field(default_factory=dict)


class Tally:
    """Findings and subjects as they are come upon."""

    def __init__(self, profile: Profile) -> None:
        self.findings: list[Finding] = []
        self._profile = profile
        self._counts: dict[tuple[str | None, str | None], Counter[Population]] = {}

    def count(self, node: Node | None, *populations: Population) -> None:
        """Count a subject in each population that it belongs to."""
        counts = self._counts.setdefault(place(node), Counter())
        for population in populations:
            counts[population] += 1

    def find(
        self, code: Code, span_id: str | None, at: Node | None, *, required: bool = True
    ) -> None:
        """Note that a span, or the trace, lacks something; `at` gives its service and route."""
        service, route = place(at)
        self.findings.append(
            Finding(
                code=code.value,
                population=TABLE[code].population,
                span_id=span_id,
                required=required and self._profile.requires(code, route),
                service=service,
                route=route,
            )
        )

    def subjects(self) -> tuple[Subjects, ...]:
        """Return what was counted."""
        return tuple(
            Subjects(service=service, route=route, counts=counts)
            for (service, route), counts in self._counts.items()
        )


def place(node: Node | None) -> tuple[str | None, str | None]:
    """Return the service and route that a span belongs to."""
    return (None, None) if node is None else node.place
