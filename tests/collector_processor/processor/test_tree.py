"""The tree of a trace: roots, orphans, cycles, and what is handed down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.model import ABSENT, Known
from collector_processor.processor.decode import decode_request
from collector_processor.processor.tree import plant

if TYPE_CHECKING:
    from collector_processor.processor.tree import Node, Tree

KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"


class Planted:
    """Plants spans that are given as (name, parent)."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def __call__(self, *spans: Any, resource: dict[str, Any] | None = None) -> Tree:
        return plant(decode_request(self._otlp.request(*spans, resource=resource), 0))

    def pairs(self, *pairs: tuple[str, str | None]) -> dict[str, Node]:
        tree = self(*(self._otlp.span(name, parent=parent) for name, parent in pairs))
        return {node.span.name: node for node in tree.nodes}


@pytest.fixture(scope="session")
def planted(otlp: Any) -> Planted:
    return Planted(otlp)


@pytest.mark.parametrize(
    ("pairs", "reached"),
    [
        ([("root", None), ("a", "root"), ("b", "a")], {"root", "a", "b"}),
        ([("b", "a"), ("a", "root"), ("root", None)], {"root", "a", "b"}),
        ([("root", None), ("lost", "gone"), ("below", "lost")], {"root"}),
        ([("root", None), ("own", "own")], {"root"}),
        ([("root", None), ("x", "y"), ("y", "x"), ("z", "y")], {"root"}),
        ([("one", None), ("two", None)], {"one", "two"}),
        ([("a", "gone")], set()),
    ],
)
def test_what_no_root_leads_to_is_not_reached(
    planted: Planted, pairs: list[tuple[str, str | None]], reached: set[str]
) -> None:
    nodes = planted.pairs(*pairs)
    assert {name for name, node in nodes.items() if node.reached} == reached


def test_a_remote_parent_that_did_not_arrive_makes_a_local_root(
    planted: Planted, otlp: Any
) -> None:
    tree = planted(otlp.span("local", parent="far", remote=True), otlp.span("a", parent="local"))
    assert tree.root is tree.nodes[0]
    assert all(node.reached for node in tree.nodes)


def test_the_first_root_in_order_is_the_root(planted: Planted, otlp: Any) -> None:
    tree = planted(otlp.span("a", parent="two"), otlp.span("one"), otlp.span("two"))
    assert tree.root is tree.nodes[1]
    assert planted(otlp.span("a", parent="gone")).root is None
    assert plant(()).root is None


@given(st.lists(st.tuples(st.integers(0, 8), st.none() | st.integers(0, 8)), max_size=25))
def test_any_parents_give_a_tree_of_every_span(
    planted: Planted, pairs: list[tuple[int, int | None]]
) -> None:
    named = [(str(name), None if parent is None else str(parent)) for name, parent in pairs]
    nodes = planted(*(planted._otlp.span(name, parent=parent) for name, parent in named)).nodes
    assert [node.span.name for node in nodes] == [name for name, _ in named]
    for node in nodes:
        above, steps = node, 0
        while above.parent is not None:
            above, steps = above.parent, steps + 1
            assert steps <= len(nodes)
        if node.reached:
            assert above.span.parent_id is None


def test_a_chain_deeper_than_any_stack_is_planted(planted: Planted, otlp: Any) -> None:
    chain = [otlp.span("0")]
    chain += [otlp.span(str(n), parent=str(n - 1)) for n in range(1, 3000)]
    chain[0].attributes.extend(otlp.pairs({"user.id": "u"}))
    deepest = planted(*reversed(chain)).nodes[0]
    assert (deepest.reached, deepest.get("user.id").value) == (True, "u")


@pytest.mark.parametrize(
    ("root", "call", "expected"),
    [
        ({"user.id": "u"}, {}, ("u", Known.DERIVED)),
        ({"user.id": "u"}, {"user.id": "v"}, ("v", Known.STATED)),
        ({"user.id": "u"}, {"user.id": ""}, ("u", Known.DERIVED)),
        ({}, {}, (None, Known.ABSENT)),
    ],
)
def test_the_nearest_that_says_something_counts(
    planted: Planted,
    otlp: Any,
    root: dict[str, str],
    call: dict[str, str],
    expected: tuple[Any, Known],
) -> None:
    tree = planted(
        otlp.span("root", attributes=root), otlp.span("c", parent="root", attributes=call)
    )
    assert tree.nodes[1].get("user.id")[:2] == expected


def test_what_only_the_span_itself_can_say_is_not_handed_down(planted: Planted, otlp: Any) -> None:
    tree = planted(otlp.span("root", attributes=otlp.CALL), otlp.span("c", parent="root"))
    for name in ("gen_ai.request.model", "gen_ai.response.id", "traceai.outcome"):
        assert tree.nodes[1].get(name) == ABSENT


def test_another_prompt_nearby_leaves_the_version_of_the_first_behind(
    planted: Planted, otlp: Any
) -> None:
    above = {"gen_ai.prompt.name": "answer", "gen_ai.prompt.version": "7"}
    for name, version in (("other", None), ("answer", "7")):
        tree = planted(
            otlp.span("root", attributes=above),
            otlp.span("c", parent="root", attributes={"gen_ai.prompt.name": name}),
        )
        assert tree.nodes[1].get("gen_ai.prompt.version").value == version


def test_a_place_holds_no_secret(planted: Planted, otlp: Any) -> None:
    tree = planted(
        otlp.span("root", attributes={"traceai.route": f"r {KEY}"}),
        resource={"service.name": f"s {KEY}"},
    )
    assert tree.nodes[0].place == ("s <OPENAI_API_KEY>", "r <OPENAI_API_KEY>")
