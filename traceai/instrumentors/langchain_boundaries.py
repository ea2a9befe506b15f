"""Where LangChain's code is wrapped, and what each wrapper does there.

Every callback manager that is configured gets our handler, so every run is seen, with its parent.
Where LangChain runs the code of a run it does so in a copied context, set up by
`_set_config_context`: entering the run's span there reaches tools, nodes and lambdas, sync and
async, and needs no way back. Models and retrievers have no such context: their calls are wrapped.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any, Final

from langchain_core.language_models import BaseChatModel
from opentelemetry import context as otel

from traceai.errors import guard
from traceai.instrumentors.langchain_handler import RunHandler
from traceai.instrumentors.langchain_runs import Slot, beneath, expect_graph, model_context
from traceai.instrumentors.langchain_steps import aread_in, await_in, call_in, read_in
from traceai.instrumentors.patch import Patch
from traceai.recorder import suppressed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Args = tuple[Any, ...]
    Kwargs = dict[str, Any]

_CALLBACKS: Final = "langchain_core.callbacks.manager"
_CHAT: Final = "langchain_core.language_models.chat_models"
_LLM: Final = "langchain_core.language_models.llms"
_RETRIEVERS: Final = "langchain_core.retrievers"
_NESTING: Final = "the place of the application's own spans in the tree"
_REQUESTS: Final = "the link from a model's span to its request"
_AGENTS: Final = "the spans of agents"


class Boundaries:
    """The wrappers of one handler, and the patches that put them in place."""

    def __init__(self, handler: RunHandler) -> None:
        self._handler = handler
        self._runs = handler.runs

    def langchain(self) -> tuple[Patch, ...]:
        """Return the patches of langchain-core."""
        return (
            _patch(_CALLBACKS, "CallbackManager.configure", self.join, "every span"),
            _patch(_CALLBACKS, "AsyncCallbackManager.configure", self.join, "every async span"),
            _patch(_CALLBACKS, "AsyncCallbackManager.on_llm_start", self.start_llm, "nothing"),
            _patch("langchain_core.runnables.config", "_set_config_context", self.enter, _NESTING),
            _patch(_RETRIEVERS, "BaseRetriever.invoke", self.retrieve, _NESTING),
            _patch(_RETRIEVERS, "BaseRetriever.ainvoke", self.aretrieve, _NESTING),
            _patch(_CHAT, "BaseChatModel._generate_with_cache", self.generate, _REQUESTS),
            _patch(_CHAT, "BaseChatModel._agenerate_with_cache", self.agenerate, _REQUESTS),
            _patch(_CHAT, "BaseChatModel.stream", self.stream, _REQUESTS),
            _patch(_CHAT, "BaseChatModel.astream", self.astream, _REQUESTS),
            _patch(_LLM, "BaseLLM._generate_helper", self.generate, _REQUESTS),
            _patch(_LLM, "BaseLLM._agenerate_helper", self.agenerate, _REQUESTS),
            _patch(_LLM, "BaseLLM.stream", self.stream, _REQUESTS),
            _patch(_LLM, "BaseLLM.astream", self.astream, _REQUESTS),
            *self._events(),
        )

    def _events(self) -> tuple[Patch, ...]:
        if not hasattr(BaseChatModel, "stream_events"):  # older versions stream no events
            return ()
        return (
            _patch(_CHAT, "BaseChatModel._iter_v2_events", self.events, _REQUESTS),
            _patch(_CHAT, "BaseChatModel._aiter_v2_events", self.aevents, _REQUESTS),
        )

    def langgraph(self) -> tuple[Patch, ...]:
        """Return the patches of langgraph."""
        pregel = "langgraph.pregel.main"
        return (
            _patch(pregel, "get_callback_manager_for_config", self.graph, _AGENTS),
            _patch(pregel, "get_async_callback_manager_for_config", self.graph, _AGENTS),
            _patch("langgraph._internal._runnable", "_set_config_context", self.enter, _NESTING),
        )

    def join(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Add the handler to a callback manager, once; the runs beneath inherit it."""
        manager = wrapped(*args, **kwargs)
        with guard:
            manager.add_handler(self._handler, inherit=True)
        return manager

    def graph(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Say that the run which starts next, from this manager, is a graph's."""
        manager = self.join(wrapped, _, args, kwargs)
        with guard:
            expect_graph(manager.parent_run_id)
        return manager

    def enter(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Enter the span of the run whose code is about to run, in the context copied for it."""
        result = wrapped(*args, **kwargs)
        with guard:
            config = args[0] if args else kwargs["config"]
            run = self._runs.get(getattr(config.get("callbacks"), "parent_run_id", None))
            if run is not None and run.nearest is not None:
                otel.attach(beneath(run.nearest))
        return result

    async def start_llm(self, wrapped: Any, manager: Any, args: Args, kwargs: Kwargs) -> Any:
        """Keep the application's handlers called: LangChain skips those that are not inline.

        Of an asynchronous text completion it tells the inline handlers only, if there is one; with
        ours there always is. So the others are told first, and then ours.
        """
        others = [handler for handler in manager.handlers if not isinstance(handler, RunHandler)]
        if not others or any(handler.run_inline for handler in others):
            return await wrapped(*args, **kwargs)
        alone = copy.copy(manager)
        alone.handlers = others
        managers = await wrapped.__func__(alone, *args, **kwargs)
        with guard:
            self._tell(manager, managers, *args, **kwargs)
        return managers

    def _tell(
        self, manager: Any, managers: list[Any], serialized: Any, prompts: list[str], **told: Any
    ) -> None:
        shared = {"parent_run_id": manager.parent_run_id, "metadata": manager.metadata}
        for prompt, started in zip(prompts, managers, strict=True):
            started.handlers = manager.handlers
            ours = {**told, **shared, "run_id": started.run_id}
            self._handler.on_llm_start(serialized, [prompt], **ours)

    def retrieve(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Run a retriever with its span current."""
        if suppressed():
            return wrapped(*args, **kwargs)
        return call_in(Slot(), lambda: wrapped(*args, **kwargs), self._leave)

    def aretrieve(
        self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs
    ) -> Awaitable[Any]:
        """Run a retriever with its span current."""
        return await_in(Slot(), wrapped(*args, **kwargs), self._leave)

    def generate(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Ask a model with its span current, and announced to the client beneath."""
        slot = self._model_slot(args, kwargs)
        if slot is None:
            return wrapped(*args, **kwargs)
        return call_in(slot, lambda: wrapped(*args, **kwargs), self._leave_model)

    def agenerate(
        self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs
    ) -> Awaitable[Any]:
        """Ask a model with its span current, and announced to the client beneath."""
        slot = self._model_slot(args, kwargs)
        waiting: Awaitable[Any] = wrapped(*args, **kwargs)
        return waiting if slot is None else await_in(slot, waiting, self._leave_model)

    def stream(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Read from a model with its span current during each read."""
        return read_in(Slot(), wrapped(*args, **kwargs), self._leave)

    def astream(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Read from a model with its span current during each read."""
        return aread_in(Slot(), wrapped(*args, **kwargs), self._leave)

    def events(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Read events from a model with its span current during each read."""
        slot, inner = self._model_slot(args, kwargs), wrapped(*args, **kwargs)
        return inner if slot is None else read_in(slot, inner, self._leave_model)

    def aevents(self, wrapped: Callable[..., Any], _: Any, args: Args, kwargs: Kwargs) -> Any:
        """Read events from a model with its span current during each read."""
        slot, inner = self._model_slot(args, kwargs), wrapped(*args, **kwargs)
        return inner if slot is None else aread_in(slot, inner, self._leave_model)

    def _model_slot(self, args: Args, kwargs: Kwargs) -> Slot | None:
        """Return the context of the model run that is being asked; of several, the first."""
        with guard:
            manager = kwargs.get("run_manager") or kwargs.get("run_managers")
            manager = manager or (args[2] if len(args) > 2 else None)  # noqa: PLR2004 - after prompts and stop
            manager = manager[0] if isinstance(manager, list) and manager else manager
            run_id = getattr(manager, "run_id", None)
            run = self._runs.get(run_id)
            if run is not None and run.recording is not None:
                return Slot(model_context(run.recording), run_id)
        return None

    def _leave(self, slot: Slot, failure: BaseException | None) -> None:
        with guard:
            self._runs.give_up(slot.run_id, failure)

    def _leave_model(self, slot: Slot, failure: BaseException | None) -> None:
        """End a model run that was cancelled or dropped: LangChain tells of every other end."""
        if isinstance(failure, asyncio.CancelledError | GeneratorExit):
            self._leave(slot, failure)


def _patch(module: str, name: str, wrapper: Callable[..., Any], loses: str) -> Patch:
    return Patch(module=module, name=name, wrapper=wrapper, loses=loses)
