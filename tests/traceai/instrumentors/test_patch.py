"""Patches go in once, come out whole, and say what they could not find."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
import wrapt

from traceai.instrumentors.patch import Patch, Supported, _Wrapped, apply, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "a_library_to_patch"


class Parent:
    def speak(self, word: str) -> str:
        return f"parent {word}"

    @classmethod
    def named(cls) -> str:
        return cls.__name__


class Child(Parent):
    def own(self) -> str:
        return "own"


def shout(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    return wrapped(*args, **kwargs).upper()


def patch(name: str) -> Patch:
    return Patch(module=NAME, name=name, wrapper=shout, loses="the shouting")


@pytest.fixture(autouse=True)
def library() -> Iterator[Any]:
    module: Any = types.ModuleType(NAME)
    module.Parent, module.Child = type("Parent", (Parent,), {}), type("Child", (Child,), {})
    module.greet = lambda: "hello"
    sys.modules[NAME] = module
    yield module
    del sys.modules[NAME]


def test_methods_inherited_methods_class_methods_and_functions_are_wrapped(library: Any) -> None:
    names = ("Child.speak", "Child.own", "Parent.named", "greet")
    assert apply(map(patch, names)) == ()
    child = library.Child()
    said = [child.speak("w"), child.own(), library.Parent.named(), library.greet()]
    assert said == ["PARENT W", "OWN", "PARENT", "HELLO"]


def test_removing_leaves_what_was_there(library: Any) -> None:
    patches = [patch(name) for name in ("Child.speak", "Parent.named", "greet")]
    before = [dict(vars(library.Child)), dict(vars(library.Parent)), library.greet]
    apply(patches)
    remove(patches)
    assert [dict(vars(library.Child)), dict(vars(library.Parent)), library.greet] == before
    remove(patches)
    assert [dict(vars(library.Child)), dict(vars(library.Parent)), library.greet] == before


def test_applying_twice_wraps_once(library: Any) -> None:
    apply([patch("greet")])
    once = library.greet
    apply([patch("greet")])
    assert library.greet is once


def test_patches_can_be_applied_again(library: Any) -> None:
    for _ in range(2):
        apply([patch("greet")])
        assert library.greet() == "HELLO"
        remove([patch("greet")])
        assert library.greet() == "hello"


def test_a_missing_name_is_a_value(library: Any) -> None:
    absent = Patch(module="no_such_module_here", name="x", wrapper=shout)
    patches = [patch("greet"), patch("Child.sing"), patch("Nobody.speak"), absent]
    assert apply(patches) == tuple(patches[1:])
    assert library.greet() == "HELLO"
    remove(patches)


def test_a_bound_method_kept_by_the_application_is_disarmed(library: Any) -> None:
    apply([patch("Child.speak")])
    kept = library.Child().speak
    assert kept("w") == "PARENT W"
    remove([patch("Child.speak")])
    assert kept("w") == "parent w"


def test_a_wrapper_of_another_library_over_ours_stays(library: Any) -> None:
    def bracket(wrapped: Any, _: Any, args: Any, kwargs: Any) -> str:
        return f"[{wrapped(*args, **kwargs)}]"

    apply([patch("Child.own")])
    wrapt.wrap_function_wrapper(NAME, "Child.own", bracket)
    assert library.Child().own() == "[OWN]"
    remove([patch("Child.own")])
    assert library.Child().own() == "[own]"
    apply([patch("Child.own")])
    assert library.Child().own() == "[OWN]"


def test_applying_under_a_wrapper_of_another_library_wraps_once(library: Any) -> None:
    def repeat(wrapped: Any, _: Any, args: Any, kwargs: Any) -> str:
        return f"{wrapped(*args, **kwargs)}{wrapped(*args, **kwargs)}"

    apply([patch("Child.own")])
    wrapt.wrap_function_wrapper(NAME, "Child.own", repeat)
    theirs = vars(library.Child)["own"]
    apply([patch("Child.own")])
    assert vars(library.Child)["own"] is theirs


def test_removing_disarms_every_layer_of_ours(library: Any) -> None:
    hello = library.greet
    apply([patch("greet")])
    ours = library.greet

    @functools.wraps(ours)
    def bracket() -> str:
        return f"[a{ours()}]"

    library.greet = _Wrapped(bracket, shout)
    assert library.greet() == "[AHELLO]"
    remove([patch("greet")])
    assert library.greet is bracket
    assert (library.greet(), hello()) == ("[ahello]", "hello")


def test_a_wrapped_parent_does_not_count_for_its_child(library: Any) -> None:
    child = type("Heir", (library.Parent,), {})
    library.Heir = child
    apply([patch("Parent.speak")])
    remove([patch("Heir.speak")])
    assert library.Parent().speak("w") == "PARENT W"
    apply([patch("Heir.speak")])
    assert "speak" in vars(child)
    remove([patch("Heir.speak")])
    assert "speak" not in vars(child)
    assert library.Parent().speak("w") == "PARENT W"


def test_layers_that_form_a_ring_hold_nobody(library: Any) -> None:
    library.greet.__wrapped__ = library.greet
    apply([patch("greet")])
    assert library.greet() == "HELLO"


def test_signatures_are_kept(library: Any) -> None:
    apply([patch("Child.speak")])
    assert list(inspect.signature(library.Child.speak).parameters) == ["self", "word"]


@pytest.mark.parametrize(
    ("low", "high", "supported"),
    [((0,), (99,), True), ((0,), (0, 1), False), ((99,), (100,), False)],
)
def test_only_known_versions_are_patched(
    low: tuple[int, ...], high: tuple[int, ...], *, supported: bool, library: Any
) -> None:
    known = Supported(library="wrapt", low=low, high=high)
    applied = known.install([patch("greet"), patch("sing")])
    assert applied.supported is supported
    assert library.greet() == ("HELLO" if supported else "hello")
    assert len(applied.patches) == (1 if supported else 0)
    assert len(applied.warnings) == 1
    applied.remove()
    assert library.greet() == "hello"


def test_a_library_that_is_not_installed_is_named() -> None:
    applied = Supported(library="no-such-library", low=(1,), high=(2,)).install([])
    assert (applied.version, applied.supported) == (None, False)
    assert "not installed" in applied.warnings[0]
