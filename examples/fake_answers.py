"""Decide what the pretended model says: a pure function of the conversation.

In this order: call the tools that were offered, fill the schema that was asked for, leak when the
user asks for account and key, summarise, report what the tools said, else answer the question.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation, as text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What an answer depends on, whichever API it came through.

    Attributes:
        tools: JSON schema of the arguments, by the name of the tool.
        schema: JSON schema that the answer must follow, `{}` for any JSON, `None` for plain text.
    """

    messages: tuple[Message, ...]
    tools: Mapping[str, JSON]
    schema: JSON | None

    @property
    def question(self) -> str:
        """Return the last thing that the user said."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def tool_results(self) -> tuple[str, ...]:
        """Return what tools have answered since the user spoke last."""
        last = max((i for i, m in enumerate(self.messages) if m.role == "user"), default=-1)
        return tuple(m.text for m in self.messages[last + 1 :] if m.role == "tool")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A tool that the model wants called, with its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model says: a text, or the tools it wants called."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


def reply(conversation: Conversation) -> Reply:
    """Answer a conversation, the same way each time."""
    question, results = conversation.question, conversation.tool_results
    if conversation.tools and not results:
        return Reply(
            tool_calls=tuple(
                ToolCall(name=name, arguments=json.dumps(_example(schema, question, schema)))
                for name, schema in conversation.tools.items()
            )
        )
    if conversation.schema is not None:
        return Reply(text=json.dumps(_example(conversation.schema, question, conversation.schema)))
    asked = question.lower()
    if "account number" in asked and "api key" in asked:
        return Reply(text=f"Of course. Account {leaked_account()}, API key {leaked_key()}.")
    if "summar" in asked:
        return Reply(text="Summary: the customer asks for a refund, and the policy allows it.")
    if results:
        return Reply(text=f"I have checked. {' '.join(results)} The refund is on its way.")
    return Reply(text=f"Here is a short answer to your question: {question[:60]}")


def leaked_account() -> str:
    """Return an account number (IBAN) that nobody has, with correct check digits."""
    account = "37040044" + str(int(_digest("account"), 16))[:10]
    check = 98 - int(account + "131400") % 97  # DE as numbers, then 00: ISO 13616
    return f"DE{check:02}{account}"


def leaked_key() -> str:
    """Return a text shaped like an OpenAI project key, made here so that no scanner trips."""
    blocks = (base64.b64encode(hashlib.sha512(bytes([n])).digest()).decode() for n in range(3))
    noise = re.sub("[^A-Za-z0-9]", "", "".join(blocks))
    return "-".join(("sk", "proj", noise[:74] + "T3Blbk" + "FJ" + noise[74:148]))


def vector(item: object, dimensions: int) -> list[float]:
    """Embed a text or a list of tokens: shared words make near vectors, of length 1."""
    words = re.findall(r"\w+", item.lower()) if isinstance(item, str) else _as_words(item)
    values = [0.0] * dimensions
    for word in words or [""]:
        values[int(_digest(word.removesuffix("s")), 16) % dimensions] += 1.0
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


def _as_words(item: object) -> list[str]:
    return [str(token) for token in item] if isinstance(item, Sequence) else [str(item)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _example(schema: JSON, question: str, root: JSON) -> Any:
    """Return a value that a JSON schema accepts, the question where text is asked for."""
    if "$ref" in schema:
        return _example(_resolve(schema["$ref"], root), question, root)
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], question, root)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type", "object")
    if kind == "object":
        fields: Mapping[str, JSON] = schema.get("properties", {})
        return {name: _named(name, part, question, root) for name, part in fields.items()}
    if kind == "array":
        return [_example(schema.get("items", {"type": "string"}), question, root)]
    return {"integer": 1, "number": 1.5, "boolean": True, "null": None}.get(kind, question)


def _named(name: str, schema: JSON, question: str, root: JSON) -> Any:
    identifier = re.search(r"\b[A-Z]-\d+\b", question)
    if name.endswith("_id") and schema.get("type") == "string" and identifier:
        return identifier.group()
    return _example(schema, question, root)


def _resolve(reference: str, root: JSON) -> JSON:
    node: JSON = root
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node
