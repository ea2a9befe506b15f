"""Put the spans of a trace in their tree, and hand down what each inherits. Pure.

User, session, tenant, route, cohort, prompt, policy and release may stand on the span, on an
ancestor in the trace or on the resource: the nearest wins, and is said to be derived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.model import ABSENT, Field, Known
from collector_processor.processor.conceal import conceal_label
from collector_processor.processor.dialects import canonical, resource_fields
from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector_processor.processor.decode import Span

_INHERITED = (
    semconv.USER_ID,
    semconv.CONVERSATION_ID,
    semconv.TENANT_ID,
    semconv.ROUTE,
    semconv.COHORT,
    semconv.PROMPT_NAME,
    semconv.PROMPT_VERSION,
    semconv.PROMPT_DIGEST,
    semconv.POLICY_ID,
    semconv.POLICY_VERSION,
    semconv.POLICY_DIGEST,
    semconv.SERVICE_VERSION,
    semconv.DEPLOYMENT_ENVIRONMENT_NAME,
)
# A version belongs to the name it stands with: another name nearby leaves it behind.
_GROUPS = (
    (semconv.PROMPT_NAME, (semconv.PROMPT_VERSION, semconv.PROMPT_DIGEST)),
    (semconv.POLICY_ID, (semconv.POLICY_VERSION, semconv.POLICY_DIGEST)),
)
_FROM_RESOURCE = (*_INHERITED, semconv.SERVICE_NAME)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A span in its trace.

    Attributes:
        fields: its canonical fields, its own and the inherited ones.
        parent: the span above, None at a root or when it did not arrive.
        reached: whether a root leads to it.
        late: it arrived after the first seal of its trace.
        operation: what was done; None when the span does not say.
        place: its service and route, without secrets: they are stored beside findings.
    """

    span: Span
    fields: Mapping[str, Field]
    parent: Node | None
    reached: bool
    late: bool
    operation: str | None
    place: tuple[str | None, str | None]

    def get(self, name: str) -> Field:
        """Return a field, `ABSENT` when it is not known."""
        return self.fields.get(name, ABSENT)


@dataclass(frozen=True, slots=True)
class Tree:
    """The spans of a trace, in the order given, and its first root (None without any)."""

    nodes: tuple[Node, ...]
    root: Node | None


def plant(spans: Sequence[Span], late: frozenset[bytes] = frozenset()) -> Tree:
    """Return the tree of a trace's spans.

    Args:
        spans: of one trace, in any order.
        late: digests of the spans that arrived after the first seal.
    """
    by_id: dict[str, int] = {}
    for index, span in enumerate(spans):
        by_id.setdefault(span.span_id, index)
    nodes: list[Node | None] = [None] * len(spans)
    handed: dict[int, Mapping[str, Field]] = {}
    for start in range(len(spans)):
        for index in reversed(_upwards(spans, by_id, nodes, start)):
            span = spans[index]
            above = by_id.get(span.parent_id) if span.parent_id else None
            parent = None if above is None or above == index else nodes[above]
            if parent is not None and above is not None and above not in handed:
                handed[above] = _hand_down(parent)
            inherited = {} if parent is None or above is None else handed[above]
            fields = _fields(span, inherited)
            nodes[index] = Node(
                span,
                fields,
                parent,
                _is_root(span, above) or (parent is not None and parent.reached),
                span.digest in late,
                fields.get(semconv.OPERATION_NAME, ABSENT).value,
                (_label(fields, semconv.SERVICE_NAME), _label(fields, semconv.ROUTE)),
            )
    planted = tuple(node for node in nodes if node is not None)
    root = next((n for n in planted if n.reached and n.parent is None), None)
    return Tree(planted, root)


def _label(fields: Mapping[str, Field], name: str) -> str | None:
    found = fields.get(name)
    return None if found is None else conceal_label(found.value)


def _upwards(
    spans: Sequence[Span], by_id: Mapping[str, int], nodes: Sequence[Node | None], start: int
) -> list[int]:
    """Return the spans from `start` up to the first that is planted, or to a root, or round."""
    path: list[int] = []
    seen: set[int] = set()
    index: int | None = start
    while index is not None and nodes[index] is None and index not in seen:
        path.append(index)
        seen.add(index)
        parent_id = spans[index].parent_id
        index = by_id.get(parent_id) if parent_id else None
    return path


def _is_root(span: Span, above: int | None) -> bool:
    """A span without parent is a root; so is one whose parent is remote and did not arrive."""
    return span.parent_id is None or (above is None and span.remote_parent)


def _hand_down(node: Node) -> Mapping[str, Field]:
    """Return what the children of a span inherit, each with where it was found.

    What the resource says is not handed down: a child of another process has its own.
    """
    fields = node.fields
    return {
        name: found
        if found.source.startswith("span ")
        else Field(found.value, Known.DERIVED, f"span {node.span.span_id} {found.source}")
        for name in _INHERITED
        if (found := fields.get(name)) is not None and not found.source.startswith("resource ")
    }


def _fields(span: Span, inherited: Mapping[str, Field]) -> Mapping[str, Field]:
    own = canonical(span)
    resource = resource_fields(span.resource)
    fields = {name: resource[name] for name in _FROM_RESOURCE if name in resource}
    for layer in (inherited, own):
        if not layer:
            continue
        for name, parts in _GROUPS:
            if name in layer and name in fields and layer[name].value != fields[name].value:
                for part in parts:
                    fields.pop(part, None)
        fields.update(layer)
    return fields
