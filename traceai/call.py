"""Call records: what one call of a model, tool, retriever or agent was, as it was seen.

An instrumentor fills a record while the call runs; `attributes` renders it once, at the end.
Absence is `None`: nothing here is ever defaulted to something that was not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict

from traceai.semconv import Operation, Outcome

Part: TypeAlias = dict[str, Any]
"""A message part of the GenAI conventions: `{"type": "text", "content": …}`, `tool_call`, …"""


class Message(TypedDict, total=False):
    """A chat message of the GenAI conventions; `role` and `parts` are required by them."""

    role: str
    parts: list[Part]
    name: str
    finish_reason: str


AttributeValue: TypeAlias = str | bool | int | float | list[str]


@dataclass(slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them; totals include cached and reasoning tokens."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP attempt of a call.

    Attributes:
        number: from 1.
        status_code: the HTTP status; None when no answer came.
        reason: why it failed: rate_limit, timeout, server_error, connection, or other for a status
            without a name; None if it did not fail, or nobody saw why.
    """

    number: int
    status_code: int | None = None
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """What every kind of call shares.

    Attributes:
        provider: value of `gen_ai.provider.name`, from the client's class and host.
        server_address: host that the request goes to, as the client was configured.
        server_port: its port.
        conversation_id: the conversation as the framework knows it (a LangGraph thread id).
        error_type: class of the error, fully qualified, or the status code as a string.
        error_text: what the error says. It is content, and treated as such.
        outcome: how the call ended; None while it runs.
        extra: further attributes by their names on the wire; never an identity (P7).
    """

    operation: Operation
    provider: str | None = None
    server_address: str | None = None
    server_port: int | None = None
    conversation_id: str | None = None
    error_type: str | None = None
    error_text: str | None = None
    outcome: Outcome | None = None
    extra: dict[str, AttributeValue] = field(default_factory=dict)

    @property
    def target(self) -> str | None:
        """What the span is named after, behind the operation."""
        return None


@dataclass(slots=True, kw_only=True)
class Inference(Call):
    """A call of a generative model.

    Attributes:
        request_model: the model asked for.
        stream: whether the answer is streamed.
        parameters: request parameters by their names on the wire (`gen_ai.request.*`).
        response_model: the model that the provider says has served it.
        finish_reasons: one a choice, in order.
        time_to_first_chunk_s: seconds from the request to the first chunk of a stream.
        attempts: HTTP attempts, failed ones first; empty when they could not be seen.
        provider_request_id: the provider's id of the HTTP request.
    """

    operation: Operation = Operation.CHAT
    request_model: str | None = None
    stream: bool = False
    parameters: dict[str, AttributeValue] = field(default_factory=dict)
    system_instructions: list[Part] | None = None
    input_messages: list[Message] | None = None
    tool_definitions: list[dict[str, Any]] | None = None
    output_messages: list[Message] | None = None
    response_id: str | None = None
    response_model: str | None = None
    finish_reasons: list[str] | None = None
    usage: Usage | None = None
    time_to_first_chunk_s: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    provider_request_id: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    prompt_digest: str | None = None

    @property
    def target(self) -> str | None:
        """The model asked for."""
        return self.request_model


@dataclass(slots=True, kw_only=True)
class Embedding(Call):
    """A call of an embedding model; `inputs` is content, the vectors are never kept."""

    operation: Operation = Operation.EMBEDDINGS
    request_model: str | None = None
    parameters: dict[str, AttributeValue] = field(default_factory=dict)
    inputs: list[Any] | None = None
    response_model: str | None = None
    dimension_count: int | None = None
    usage: Usage | None = None
    attempts: list[Attempt] = field(default_factory=list)
    provider_request_id: str | None = None

    @property
    def target(self) -> str | None:
        """The model asked for."""
        return self.request_model


@dataclass(slots=True, kw_only=True)
class ToolExecution(Call):
    """A tool that ran. `arguments` and `result` are content: JSON-like values."""

    operation: Operation = Operation.EXECUTE_TOOL
    name: str = ""
    type: str | None = None
    description: str | None = None
    call_id: str | None = None
    arguments: Any = None
    result: Any = None

    @property
    def target(self) -> str | None:
        """The tool's name."""
        return self.name or None


@dataclass(slots=True, kw_only=True)
class Retrieval(Call):
    """A retriever that ran: `documents` are `{"id", "score", "content", …}`, all content."""

    operation: Operation = Operation.RETRIEVAL
    data_source_id: str | None = None
    top_k: int | None = None
    query: str | None = None
    documents: list[dict[str, Any]] | None = None

    @property
    def target(self) -> str | None:
        """The data source."""
        return self.data_source_id


@dataclass(slots=True, kw_only=True)
class AgentRun(Call):
    """An agent or workflow that ran: the root or a step of a tree, never counted as a call."""

    operation: Operation = Operation.INVOKE_AGENT
    name: str | None = None
    description: str | None = None
    input_messages: list[Message] | None = None
    output_messages: list[Message] | None = None

    @property
    def target(self) -> str | None:
        """The agent's or workflow's name."""
        return self.name
