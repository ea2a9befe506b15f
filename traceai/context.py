"""Who a call is for and under which rules: `traceai.context(...)`.

What is given here stands on every span beneath, third-party spans too: the `IdentityProcessor` of
`processor` copies it when a span starts. It travels with the OpenTelemetry context, so across
await, threads and generators; it is not baggage, so it never leaves the process in a header.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

from opentelemetry import context as otel
from opentelemetry.context import Context

from traceai import semconv
from traceai.errors import guard

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
    from contextvars import Token

    from traceai.call import AttributeValue
    from traceai.policy.model import Policy, Prompt

F = TypeVar("F", bound="Callable[..., Any]")

_IDENTITY = otel.create_key("traceai-identity")
_ENTERED = otel.create_key("traceai-entered")
_NONE: Mapping[str, AttributeValue] = {}


def identity(context: Context | None = None) -> Mapping[str, AttributeValue]:
    """Return the identity attributes in force in `context`, the current one by default."""
    return cast("Mapping[str, AttributeValue]", otel.get_value(_IDENTITY, context) or _NONE)


def detach(token: Token[Context]) -> None:
    """Restore the context from before `token`, in silence where another task has taken over.

    A generator that is closed by the garbage collector runs in a foreign context: there is nothing
    to restore in it then, and OpenTelemetry's own `detach` would print a traceback.
    """
    try:
        token.var.reset(token)
    except ValueError:
        return


class context:  # noqa: N801 - used like a function: `with traceai.context(user="u-1"):`
    """Say who the calls beneath are for: `with`, `async with`, or a decorator.

    Args:
        user: end user or service principal, as `user.id`.
        session: conversation, as `session.id` and `gen_ai.conversation.id`.
        tenant: the customer's organisation, as `traceai.tenant.id`.
        route: the logical route of the application, as `traceai.route`.
        cohort: population labels, as `traceai.cohort`.
        prompt: the `Prompt` in use, as `gen_ai.prompt.name`, `.version` and
            `traceai.prompt.digest`.
        policy: the `Policy` in force, as `traceai.policy.id`, `.version` and `.digest`.
        risk: the risk class of the route, as `traceai.risk`.
        data_class: classes of data that flow, as `traceai.data.classes`.
        tags: free labels, as `traceai.tags`.

    A prompt or a policy may be named by a text alone: it then has no version, which the collector
    reports. What is not given is inherited from the context around; of an empty text nothing is
    written, nor passed down from the context around. (A span above, in the same trace, still speaks
    for those beneath it: the collector takes the nearest.) Other values are written as text.
    Nothing is raised: this stands in the path of requests (P1).
    """

    __slots__ = ("_attributes",)

    def __init__(
        self,
        *,
        user: str | None = None,
        session: str | None = None,
        tenant: str | None = None,
        route: str | None = None,
        cohort: str | Sequence[str] | None = None,
        prompt: Prompt | str | None = None,
        policy: Policy | str | None = None,
        risk: str | None = None,
        data_class: str | Sequence[str] | None = None,
        tags: str | Sequence[str] | None = None,
    ) -> None:
        given: dict[str, AttributeValue | None] = {}
        with guard:
            texts = {semconv.USER_ID: user, semconv.SESSION_ID: session}
            texts |= {semconv.CONVERSATION_ID: session, semconv.TENANT_ID: tenant}
            texts |= {semconv.ROUTE: route, semconv.RISK: risk}
            labels = {semconv.COHORT: cohort, semconv.DATA_CLASSES: data_class, semconv.TAGS: tags}
            given |= {key: _text(value) for key, value in texts.items() if value is not None}
            given |= {key: _labels(value) for key, value in labels.items() if value is not None}
            if prompt is not None:
                given[semconv.PROMPT_NAME] = _text(getattr(prompt, "name", prompt))
                given[semconv.PROMPT_VERSION] = getattr(prompt, "version", None)
                given[semconv.PROMPT_DIGEST] = getattr(prompt, "digest", None)
            if policy is not None:
                given[semconv.POLICY_ID] = _text(getattr(policy, "id", policy))
                given[semconv.POLICY_VERSION] = getattr(policy, "version", None)
                given[semconv.POLICY_DIGEST] = getattr(policy, "digest", None)
        self._attributes = given

    def __enter__(self) -> Self:
        """Put the identity in force."""
        around = otel.get_current()
        otel.attach(_Entry(self, self._attributes, around).within(around))
        return self

    def __exit__(self, *_: object) -> None:
        """Restore what was before, beneath whatever was entered since and has not been left.

        In a foreign context, as of a collected generator, it was never entered: nothing is done.
        """
        on_top: list[tuple[_Entry, Context]] = []
        here = otel.get_current()
        while (entry := _entered(here)) and entry.owner is not self:
            on_top.append((entry, here))
            here = entry.around
        if entry is None:
            return
        # Beneath others, what began between, such as a span, stays.
        here = _like(entry.around, here) if on_top else entry.around
        for above, was in reversed(on_top):
            here = above._replace(around=here).within(was)
        otel.attach(here)

    async def __aenter__(self) -> Self:
        """Put the identity in force."""
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        """Restore the identity from before."""
        self.__exit__()

    def __call__(self, function: F) -> F:
        """Wrap a function, coroutine function, generator or async generator."""
        wrapper = _WRAPPERS[_kind(function)]
        return cast("F", functools.wraps(function)(wrapper(self._again, function)))

    def _again(self) -> context:
        """Return a fresh context with the same identity: calls may overlap."""
        again = context()
        again._attributes = self._attributes
        return again


def _entered(here: Context) -> _Entry | None:
    """Return what was entered last."""
    return cast("_Entry | None", otel.get_value(_ENTERED, here))


def _like(other: Context, values: Context) -> Context:
    """Return `values` with the identity of `other`, and what was entered there."""
    return Context({**values, _IDENTITY: identity(other), _ENTERED: _entered(other)})


class _Entry(NamedTuple):
    """One that was entered and not left, and the context around it.

    The way back is kept in the context itself: one object may be entered by many threads and tasks
    at a time, and each has to find its own.
    """

    owner: context
    attributes: Mapping[str, AttributeValue | None]
    around: Context

    def within(self, values: Context) -> Context:
        """Return `values` with the identity of what is around, and this one's on top of it."""
        # None hides what is around: another prompt's version is not this prompt's.
        both = {**identity(self.around), **self.attributes}
        merged = {key: value for key, value in both.items() if value is not None}
        return Context({**values, _IDENTITY: merged, _ENTERED: self})


def _text(value: object) -> str | None:
    return str(value) or None


def _labels(value: object) -> list[str] | None:
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    labels = value if isinstance(value, list | tuple) else [value]
    return [label for each in labels if (label := _text(each))] or None


def _kind(function: Callable[..., Any]) -> str:
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "async generator"
    return "generator" if inspect.isgeneratorfunction(function) else "function"


def _function(again: Callable[[], context], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with again():
            return function(*args, **kwargs)

    return call


def _coroutine(again: Callable[[], context], function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with again():
            return await function(*args, **kwargs)

    return call


class _Steps:
    """Run the steps of a generator in its own context, and the consumer's code outside it.

    What the generator itself has entered, such as a span around a `yield`, is current again in its
    next step.
    """

    __slots__ = ("_again", "_context", "_token")

    def __init__(self, again: Callable[[], context]) -> None:
        self._again = again
        self._context: Context | None = None

    def __enter__(self) -> None:
        if self._context is None:
            with self._again():
                self._context = otel.get_current()
        self._token = otel.attach(self._context)

    def __exit__(self, *_: object) -> None:
        self._context = otel.get_current()
        detach(self._token)


def _generator(again: Callable[[], context], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        inner, step = function(*args, **kwargs), _Steps(again)
        try:
            with step:
                item = next(inner)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - the consumer's throw() goes inside
                    with step:
                        item = inner.throw(error)
                else:
                    with step:
                        item = inner.send(sent)
        except StopIteration as stop:
            return stop.value
        finally:
            with step:
                inner.close()

    return call


def _async_generator(
    again: Callable[[], context], function: Callable[..., Any]
) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        inner, step = function(*args, **kwargs), _Steps(again)
        try:
            with step:
                item = await anext(inner)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - the consumer's athrow() goes inside
                    with step:
                        item = await inner.athrow(error)
                else:
                    with step:
                        item = await inner.asend(sent)
        except StopAsyncIteration:
            return
        finally:
            with step:
                await inner.aclose()

    return call


_WRAPPERS = {
    "function": _function,
    "coroutine": _coroutine,
    "generator": _generator,
    "async generator": _async_generator,
}
