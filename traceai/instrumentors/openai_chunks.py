"""Merge the chunks of OpenAI's streams into the answer they would have been unstreamed. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from traceai.instrumentors.openai_messages import listed, read

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
_LASTING = ("id", "model", "system_fingerprint", "service_tier", "usage")


def server_sent_events(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of an event stream; an event cut off at the end is left out."""
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("data:"):
            try:
                event = json.loads(line[len("data:") :])
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


class ChoiceFold:
    """Merge the chunks of a chat or text completion.

    Args:
        choices: how many choices were asked for.
        usage: whether a last chunk with the usage was asked for.
        content: whether to keep what was said.
    """

    def __init__(self, *, choices: int, usage: bool, content: bool) -> None:
        self._expected = choices
        self._usage = usage
        self._content = content
        self._answer: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    @property
    def whole(self) -> bool:
        """Whether every choice has finished and the usage came, if it was asked for."""
        finished = sum(choice.finish_reason is not None for choice in self._choices.values())
        return finished >= self._expected and (not self._usage or "usage" in self._answer)

    def add(self, chunk: Any) -> None:
        """Merge one chunk: the first with no choices and an empty id is Azure's."""
        for key in _LASTING:
            if value := read(chunk, key):
                self._answer[key] = value
        for delta in listed(read(chunk, "choices")):
            index = read(delta, "index") or 0
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice()
            choice.add(delta, content=self._content)

    def answer(self) -> dict[str, Any]:
        """Return what has come so far, in the shape of a completion."""
        choices = [self._choices[index].merged() for index in sorted(self._choices)]
        return {**self._answer, "choices": choices}


class _Choice:
    __slots__ = ("_calls", "_said", "finish_reason", "role")

    def __init__(self) -> None:
        self.role: str | None = None
        self.finish_reason: str | None = None
        self._said: dict[str, list[str]] = {}
        self._calls: dict[int, _ToolCall] = {}

    def add(self, choice: Any, *, content: bool) -> None:
        if reason := read(choice, "finish_reason"):
            self.finish_reason = reason
        if not content:
            return
        delta = read(choice, "delta")
        if delta is None:
            self._say("text", read(choice, "text"))
            return
        if self.role is None:
            self.role = read(delta, "role")
        self._say("content", read(delta, "content"))
        self._say("refusal", read(delta, "refusal"))
        self._say("reasoning_content", read(delta, "reasoning_content"))
        for call in listed(read(delta, "tool_calls")):
            index = read(call, "index") or 0
            self._calls.setdefault(index, _ToolCall()).add(call, read(call, "function"))
        if function := read(delta, "function_call"):
            self._calls.setdefault(0, _ToolCall()).add(None, function)

    def _say(self, key: str, text: Any) -> None:
        if isinstance(text, str) and text:
            self._said.setdefault(key, []).append(text)

    def merged(self) -> dict[str, Any]:
        said = {key: "".join(texts) for key, texts in self._said.items()}
        choice: dict[str, Any] = {"finish_reason": self.finish_reason}
        if "text" in said:
            return {**choice, "text": said["text"]}
        calls = [self._calls[index].merged() for index in sorted(self._calls)]
        return {**choice, "message": {"role": self.role, **said, "tool_calls": calls}}


class _ToolCall:
    __slots__ = ("_arguments", "_id", "_name")

    def __init__(self) -> None:
        self._id: str | None = None
        self._name: str | None = None
        self._arguments: list[str] = []

    def add(self, call: Any, function: Any) -> None:
        self._id = read(call, "id") or self._id
        self._name = read(function, "name") or self._name
        if text := read(function, "arguments"):
            self._arguments.append(text)

    def merged(self) -> dict[str, Any]:
        function = {"name": self._name, "arguments": "".join(self._arguments)}
        return {"id": self._id, "function": function}


class ResponseFold:
    """Merge the events of the Responses protocol.

    Args:
        content: whether to keep what was said.
    """

    def __init__(self, *, content: bool) -> None:
        self._content = content
        self._response: Any = None
        self._items: dict[int, Any] = {}
        self._texts: dict[int, list[str]] = {}
        self._error: Any = None
        self.whole = False

    def add(self, event: Any) -> None:
        """Merge one event."""
        kind = read(event, "type") or ""
        if (response := read(event, "response")) is not None:
            self._response = response
            self.whole = kind in _TERMINAL
        elif kind == "error":
            self._error = event
        elif self._content and kind == "response.output_text.delta":
            index = read(event, "output_index") or 0
            self._texts.setdefault(index, []).append(read(event, "delta") or "")
        elif self._content and kind == "response.output_item.done":
            self._items[read(event, "output_index") or 0] = read(event, "item")

    def answer(self) -> Any:
        """Return the response object that ended the stream, or what can be said of its part."""
        if self.whole:
            return self._response
        parts = {
            index: {"type": "message", "content": "".join(texts)}
            for index, texts in self._texts.items()
        }
        items = {**parts, **self._items}
        return {
            "id": read(self._response, "id"),
            "model": read(self._response, "model"),
            "service_tier": read(self._response, "service_tier"),
            "error": self._error,
            "output": [items[index] for index in sorted(items)],
        }
