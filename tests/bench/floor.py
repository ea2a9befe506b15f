"""The floor: the fewest lines that emit one correct span with content through the SDK.

It handles no error, no retry and no odd shape: it is what is reachable, and not what is safe.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook
from openai.resources.chat.completions import Completions
from opentelemetry.trace import SpanKind, Tracer, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Span

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def install(tracer: Tracer) -> None:
    """Wrap the one chat call, and hear what LangChain runs."""
    Completions.create = _wrapped(Completions.create, tracer)  # type: ignore[method-assign]
    handler: ContextVar[BaseCallbackHandler | None] = ContextVar("floor", default=None)
    handler.set(Handler(tracer))
    register_configure_hook(handler, inheritable=True)


def _wrapped(create: Callable[..., Any], tracer: Tracer) -> Callable[..., Any]:
    @wraps(create)
    def call(self: Any, **asked: Any) -> Any:
        if "extra_headers" in asked:  # a raw response: ChatOpenAI's, whose span the handler opens
            return create(self, **asked)
        span = tracer.start_span(f"chat {asked['model']}", kind=SpanKind.CLIENT)
        answer = create(self, **asked)
        if asked.get("stream"):
            return _streamed(answer, span, asked)
        message = answer.choices[0].message
        _finish(span, asked, answer, message.content, answer.choices[0].finish_reason)
        return answer

    return call


def _streamed(chunks: Any, span: Span, asked: dict[str, Any]) -> Iterator[Any]:
    seen = []
    for chunk in chunks:
        seen.append(chunk)
        yield chunk
    choices = [chunk.choices[0] for chunk in seen if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    _finish(span, asked, seen[-1], text, choices[-1].finish_reason)


def _finish(span: Span, asked: dict[str, Any], answer: Any, text: str | None, why: str) -> None:
    span.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": asked["model"],
            "gen_ai.response.model": answer.model,
            "gen_ai.response.id": answer.id,
            "gen_ai.response.finish_reasons": (why,),
            "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
            "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
            "gen_ai.input.messages": _encode(asked["messages"]),
            "gen_ai.output.messages": _encode([{"role": "assistant", "content": text}]),
        }
    )
    span.end()


class Handler(BaseCallbackHandler):
    """One span an agent run, a model call and a tool call; chains beneath are passed over."""

    run_inline = True

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._open: dict[Any, Span] = {}
        self._root: dict[Any, Any] = {}

    def _start(self, name: str, run_id: Any, parent_run_id: Any, given: dict[str, str]) -> None:
        root = self._root[run_id] = self._root.get(parent_run_id, run_id)
        above = self._open.get(root)
        context = set_span_in_context(above) if above else None
        self._open[run_id] = self._tracer.start_span(name, context=context, attributes=given)

    def _end(self, run_id: Any, key: str, value: str) -> None:
        self._root.pop(run_id, None)
        span = self._open.pop(run_id, None)
        if span:
            span.set_attribute(key, value)
            span.end()

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any = None, **_: Any
    ) -> None:
        del serialized
        if parent_run_id is None:
            told = {"gen_ai.operation.name": "invoke_agent"}
            told["gen_ai.input.messages"] = _encode([str(each) for each in inputs["messages"]])
            self._start("invoke_agent", run_id, None, told)
        else:
            self._root[run_id] = self._root.get(parent_run_id, parent_run_id)

    def on_chain_end(self, outputs: Any, *, run_id: Any, **_: Any) -> None:
        if run_id in self._open:
            last = outputs["messages"][-1].content
            self._end(run_id, "gen_ai.output.messages", _encode([last]))
        else:
            self._root.pop(run_id, None)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: Any, parent_run_id: Any = None, **_: Any
    ) -> None:
        del serialized
        told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
        said = [{"role": each.type, "content": each.content} for each in messages[0]]
        told["gen_ai.input.messages"] = _encode(said)
        self._start("chat", run_id, parent_run_id, told)

    def on_llm_end(self, response: Any, *, run_id: Any, **_: Any) -> None:
        message = response.generations[0][0].message
        said = {"content": message.content, "tool_calls": message.tool_calls}
        self._end(run_id, "gen_ai.output.messages", _encode(said))

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: Any, parent_run_id: Any = None, **_: Any
    ) -> None:
        told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": serialized["name"]}
        told["gen_ai.tool.call.arguments"] = input_str
        self._start("execute_tool", run_id, parent_run_id, told)

    def on_tool_end(self, output: Any, *, run_id: Any, **_: Any) -> None:
        self._end(run_id, "gen_ai.tool.call.result", str(output.content))
