"""Wrap functions of other libraries so that it can be undone without a trace.

A patch names a module and what to wrap in it. Applying is idempotent, and a name that has vanished
from a library is a value to report, not an error: an instrumentation degrades, it never raises
into the application. Removing restores what was there, and disarms wrappers that live on inside
objects of the application (`client.chat.completions.with_raw_response` keeps bound methods).
"""

from __future__ import annotations

import importlib
import inspect
import threading
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import wrapt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Wrapper: TypeAlias = Callable[
        [Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]],
        Any,
    ]

# More layers than anybody puts around one function: a ring of them must not hold us.
_LAYERS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One place to wrap.

    Attributes:
        module: where it lives, such as `openai`; imported when the patch is applied.
        name: the path inside: `function` or `Class.method`.
        wrapper: called as `wrapper(wrapped, instance, args, kwargs)`, as wrapt does.
        loses: what will be missing when the name does not exist, for the warning.
    """

    module: str
    name: str
    wrapper: Wrapper
    loses: str = "part of the telemetry"

    @property
    def target(self) -> str:
        """The full name of what is wrapped."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of an instrumentation of one library.

    Attributes:
        library: the distribution's name.
        version: the installed version; None when it is not installed.
        supported: whether that version is one we know; nothing is patched otherwise.
        patches: the patches in force.
        warnings: what is missing or wrong, a sentence each, for the start-up line.
    """

    library: str
    version: str | None
    supported: bool
    patches: tuple[Patch, ...] = ()
    warnings: tuple[str, ...] = ()

    def remove(self) -> None:
        """Undo the patches; doing it again does nothing."""
        remove(self.patches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """The versions of a library that we know: at least `low`, below `high`."""

    library: str
    low: tuple[int, ...]
    high: tuple[int, ...]

    def install(self, patches: Iterable[Patch]) -> Applied:
        """Apply `patches` if the library is installed in a version that we know."""
        try:
            version = installed_version(self.library)
        except PackageNotFoundError:
            said = f"{self.library} is not installed: nothing to instrument."
            return Applied(library=self.library, version=None, supported=False, warnings=(said,))
        if not self.low <= _numbers(version) < self.high:
            low, high = (".".join(map(str, bound)) for bound in (self.low, self.high))
            said = (
                f"{self.library} {version} is not supported (known: >={low},<{high}): its calls are"
                " not recorded. Install a supported version, or a newer traceai."
            )
            return Applied(library=self.library, version=version, supported=False, warnings=(said,))
        wanted = tuple(patches)
        missing = apply(wanted)
        return Applied(
            library=self.library,
            version=version,
            supported=True,
            patches=tuple(patch for patch in wanted if patch not in missing),
            warnings=tuple(
                f"{self.library} {version} has no {patch.target}: {patch.loses} will be missing."
                for patch in missing
            ),
        )


def apply(patches: Iterable[Patch]) -> tuple[Patch, ...]:
    """Wrap every target once; return the patches whose target does not exist.

    A wrapper of ours that another library has wrapped since counts: two would record twice (P4).
    """
    return tuple(patch for patch in patches if not _apply(patch))


def remove(patches: Iterable[Patch]) -> None:
    """Restore every target that is wrapped by us, and disarm every wrapper of ours around it.

    Where another library has wrapped over us, our wrapper stays inside theirs, disarmed.
    """
    for patch in patches:
        _remove(patch)


class _Wrapped(wrapt.FunctionWrapper):  # type: ignore[misc, type-arg, unused-ignore] # untyped in wrapt 1
    """A wrapt wrapper of ours, so that it can be recognised and disarmed.

    Args:
        wrapped: what it calls.
        wrapper: what is called instead.
        inherited: whether `wrapped` is a parent class's, and so are the wrappers in it.
    """

    def __init__(
        self, wrapped: Callable[..., Any], wrapper: Wrapper, *, inherited: bool = False
    ) -> None:
        armed = threading.Event()
        armed.set()
        super().__init__(wrapped, wrapper, enabled=armed.is_set)
        self._self_armed = armed
        self._self_inherited = inherited

    @property
    def armed(self) -> bool:
        """Whether it does anything."""
        return bool(self._self_armed.is_set())

    def disarm(self) -> None:
        """Do nothing from now on but call what is wrapped."""
        self._self_armed.clear()


def _apply(patch: Patch) -> bool:
    found = _find(patch)
    if found is None:
        return False
    owner, name, original = found
    if not any(layer.armed for layer in _ours(vars(owner).get(name))):
        inherited = name not in vars(owner)
        setattr(owner, name, _Wrapped(original, patch.wrapper, inherited=inherited))
    return True


def _remove(patch: Patch) -> None:
    found = _find(patch)
    if found is None:
        return
    owner, name, _ = found
    current = vars(owner).get(name)
    for layer in _ours(current):
        layer.disarm()
    if not isinstance(current, _Wrapped):
        return
    delattr(owner, name)
    inherited = inspect.getattr_static(owner, name, None) if inspect.isclass(owner) else None
    if inherited is not current.__wrapped__:
        setattr(owner, name, current.__wrapped__)


def _ours(value: Any) -> Iterator[_Wrapped]:
    """Yield the wrappers of ours in a value, outermost first, whoever else has wrapped it too."""
    for _ in range(_LAYERS):
        if value is None:
            return
        if isinstance(value, _Wrapped):
            yield value
            if value._self_inherited:  # noqa: SLF001 - one of our own
                return
        value = getattr(value, "__wrapped__", None)


def _find(patch: Patch) -> tuple[Any, str, Any] | None:
    """Return the owner, the attribute's name and its raw value; None when one does not exist."""
    *path, name = patch.name.split(".")
    try:
        owner: Any = importlib.import_module(patch.module)
        for step in path:
            owner = getattr(owner, step)
        return owner, name, inspect.getattr_static(owner, name)
    except (ImportError, AttributeError):
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: `3.0.0rc1` is 3.0.0 for our purpose."""
    numbers: list[int] = []
    for piece in version.split("."):
        digits = piece[: len(piece) - len(piece.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != piece:
            break
    return tuple(numbers)
