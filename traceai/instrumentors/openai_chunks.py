"""Merge the chunks of OpenAI's streams into the answer they would have been unstreamed. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from traceai.instrumentors.parts import fields_of, listed, read, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
_SAID = ("content", "refusal", "reasoning_content")
_LASTING = ("id", "model", "system_fingerprint", "service_tier", "usage")


def server_sent_events(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of an event stream; an event cut off at the end is left out."""
    # Its lines end as the protocol says; JSON may hold other line separators as they are.
    for line in body.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            try:
                event = json.loads(line[len("data:") :])
            except (ValueError, RecursionError):
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
        fields = fields_of(chunk)
        for key in _LASTING:
            if value := fields.get(key):
                self._answer[key] = value
        for delta in listed(fields.get("choices")):
            index = _index(delta, "index")
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice()
            choice.add(fields_of(delta), content=self._content)

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

    def add(self, choice: Mapping[str, Any], *, content: bool) -> None:
        if reason := read_text(choice, "finish_reason"):
            self.finish_reason = reason
        if not content:
            return
        if choice.get("delta") is None:
            self._say("text", choice.get("text"))
            return
        delta = fields_of(choice["delta"])
        if self.role is None:
            self.role = read_text(delta, "role")
        for key in _SAID:
            if text := delta.get(key):
                self._say(key, text)
        if calls := delta.get("tool_calls"):
            for call in listed(calls):
                index = _index(call, "index")
                self._calls.setdefault(index, _ToolCall()).add(call, read(call, "function"))
        if function := delta.get("function_call"):
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
    __slots__ = ("_arguments", "_given", "_id", "_name")

    def __init__(self) -> None:
        self._id: str | None = None
        self._name: str | None = None
        self._arguments: list[str] = []
        self._given: Any = None

    def add(self, call: Any, function: Any) -> None:
        self._id = read_text(call, "id") or self._id
        self._name = read_text(function, "name") or self._name
        given = read(function, "arguments")
        if isinstance(given, str):
            self._arguments.append(given)
        elif given is not None:  # some gateways send them whole, as an object
            self._given = given

    def merged(self) -> dict[str, Any]:
        function = {"name": self._name, "arguments": "".join(self._arguments) or self._given}
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
        kind = read_text(event, "type")
        if (response := read(event, "response")) is not None:
            self._response = response
            self.whole = kind in _TERMINAL
        elif kind == "error":
            self._error = event
        elif self._content and kind == "response.output_text.delta":
            if said := read_text(event, "delta"):
                self._texts.setdefault(_index(event, "output_index"), []).append(said)
        elif self._content and kind == "response.output_item.done":
            self._items[_index(event, "output_index")] = read(event, "item")

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


def _index(value: Any, name: str) -> int:
    """Return the place that a piece belongs to: the first, where none that can be one is named."""
    index = read(value, name)
    return index if isinstance(index, int) else 0
