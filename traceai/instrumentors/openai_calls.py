"""Translate requests and answers of OpenAI's protocols into call records. Pure.

A `Shape` knows one protocol: what its requests say, what its answers say, how its chunks merge.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from traceai import semconv
from traceai.call import Embedding, Inference
from traceai.instrumentors import openai_answers as answers
from traceai.instrumentors import openai_messages as messages
from traceai.instrumentors.openai_chunks import ChoiceFold, ResponseFold
from traceai.instrumentors.parts import listed, read, read_text, text_part
from traceai.semconv import Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from traceai.stream import Fold

Record = Inference | Embedding


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One protocol of the API.

    Attributes:
        operation: what a call of it is.
        asked: fills in what was asked: parameters, no content.
        said: fills in the content of the request.
        answered: fills in what the answer says of itself, no content.
        replied: fills in the content of the answer.
        fold: makes the fold of a stream from the request's body; `content=` says what to keep.
    """

    operation: Operation
    asked: Callable[[Any, dict[str, Any]], None]
    said: Callable[[Any, dict[str, Any]], None]
    answered: Callable[[Any, Any], None]
    replied: Callable[[Any, Any], None]
    fold: Callable[..., Fold]

    def record(self, body: dict[str, Any], url: str) -> Record:
        """Return the record of a call that is about to start, before its request is read."""
        model = body.get("model")
        model = model if isinstance(model, str) else None
        if self.operation is Operation.EMBEDDINGS:
            return Embedding(request_model=model)
        stream = body.get("stream") is True
        call = Inference(operation=self.operation, request_model=model, stream=stream)
        if self.operation is Operation.FETCH_RESPONSE:
            call.response_id = url.partition("?")[0].rstrip("/").rpartition("/")[2]
        return call


@functools.lru_cache(maxsize=512)
def shape_of(method: str, url: str) -> Shape | None:
    """Return the protocol of a request; None for all that is not a call of a model.

    `url` is as the SDK has it before it adds the host: `/chat/completions`, or with an Azure
    deployment or a host in front.
    """
    path = url.partition("?")[0].rstrip("/")
    if method.lower() == "get":
        parent, _, response_id = path.rpartition("/")
        return _FETCH_RESPONSE if response_id and parent.endswith("/responses") else None
    if method.lower() != "post":
        return None
    return next((shape for suffix, shape in _POSTED.items() if path.endswith(suffix)), None)


@functools.lru_cache(maxsize=256)
def provider_of(classes: frozenset[str], host: str | None) -> str:
    """Return the provider, by the names of the client's classes and the host that it calls."""
    if "BaseAzureClient" in classes:
        return "azure.ai.openai"
    for suffix, provider in _HOSTS.items():
        if host and (host == suffix or host.endswith(f".{suffix}")):
            return provider
    # A gateway, a proxy or a server of one's own: which provider serves it cannot be seen here.
    # The convention asks for the best knowledge, and that is the protocol spoken; who was really
    # called stands beside it as `server.address`.
    return "openai"


def enrich(outer: Inference, seen: Inference) -> None:
    """Add to a framework's record what only the client beneath it has seen.

    What the wire says (ids, served model, address, attempts) replaces the framework's word; what
    the framework knows too (usage, parameters, finish reasons) is only completed.
    """
    if outer.provider is None or seen.provider != "openai":
        outer.provider = seen.provider
    for name in _SEEN_ON_THE_WIRE:
        if value := getattr(seen, name):
            setattr(outer, name, value)
    for name in ("finish_reasons", "usage", "time_to_first_chunk_s", "request_model"):
        if getattr(outer, name) is None:
            setattr(outer, name, getattr(seen, name))
    outer.stream = outer.stream or seen.stream
    outer.parameters = {**seen.parameters, **outer.parameters}
    outer.extra = {**seen.extra, **outer.extra}


def _asked_choices(call: Inference, body: dict[str, Any]) -> None:
    _parameters(call, body, _CHOICE_PARAMETERS)
    stop = body.get("stop")
    if stop:
        call.parameters[semconv.REQUEST_STOP_SEQUENCES] = [str(text) for text in listed(stop)] or [
            str(stop)
        ]
    if isinstance(choices := body.get("n"), int) and choices != 1:
        call.parameters[semconv.REQUEST_CHOICE_COUNT] = choices
    if "audio" in listed(body.get("modalities")):
        call.parameters[semconv.OUTPUT_TYPE] = "speech"
    elif kind := read_text(body.get("response_format"), "type"):
        call.parameters[semconv.OUTPUT_TYPE] = _OUTPUT_TYPES.get(kind, kind)


def _asked_chat(call: Inference, body: dict[str, Any]) -> None:
    _asked_choices(call, body)
    call.extra[semconv.OPENAI_API_TYPE] = "chat_completions"


def _asked_responses(call: Inference, body: dict[str, Any]) -> None:
    _parameters(call, body, _RESPONSE_PARAMETERS)
    call.extra[semconv.OPENAI_API_TYPE] = "responses"
    if effort := read_text(body.get("reasoning"), "effort"):
        call.parameters[semconv.REQUEST_REASONING_LEVEL] = effort
    if kind := read_text(read(body.get("text"), "format"), "type"):
        call.parameters[semconv.OUTPUT_TYPE] = _OUTPUT_TYPES.get(kind, kind)
    conversation = body.get("conversation")
    named = conversation if isinstance(conversation, str) else read_text(conversation, "id")
    call.conversation_id = named or None
    prompt = body.get("prompt")
    call.prompt_name = read_text(prompt, "id")
    call.prompt_version = read_text(prompt, "version")


def _asked_embeddings(call: Embedding, body: dict[str, Any]) -> None:
    if isinstance(encoding := body.get("encoding_format"), str):
        call.parameters[semconv.REQUEST_ENCODING_FORMATS] = [encoding]
    if isinstance(dimensions := body.get("dimensions"), int):
        call.dimension_count = dimensions


def _parameters(call: Inference, body: dict[str, Any], names: dict[str, str]) -> None:
    for name, value in body.items():
        attribute = names.get(name)
        if attribute and isinstance(value, str | int | float) and value != "auto":
            call.parameters[attribute] = value


def _said_chat(call: Inference, body: dict[str, Any]) -> None:
    call.input_messages = messages.chat_messages(body.get("messages"))
    tools = [*listed(body.get("tools")), *listed(body.get("functions"))]
    call.tool_definitions = messages.tool_definitions(tools)


def _said_completion(call: Inference, body: dict[str, Any]) -> None:
    prompt = body.get("prompt")
    texts = [prompt] if isinstance(prompt, str) else listed(prompt)
    parts = [text_part(text) for text in texts if isinstance(text, str)]
    call.input_messages = [{"role": "user", "parts": parts}] if parts else None


def _said_responses(call: Inference, body: dict[str, Any]) -> None:
    call.input_messages = messages.response_input(body.get("input"))
    call.system_instructions = messages.instructions(body.get("instructions"))
    call.tool_definitions = messages.tool_definitions(body.get("tools"))


def _said_embeddings(call: Embedding, body: dict[str, Any]) -> None:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else listed(given)
    # Numbers are tokens, encoded before they came here: there is no text to keep.
    call.inputs = [text for text in texts if isinstance(text, str)] or None


def _choice_fold(body: dict[str, Any], *, content: bool) -> ChoiceFold:
    usage = read(body.get("stream_options"), "include_usage") is True
    choices = body.get("n")
    choices = choices if isinstance(choices, int) else 1
    return ChoiceFold(choices=choices, usage=usage, content=content)


def _response_fold(_: dict[str, Any], *, content: bool) -> ResponseFold:
    return ResponseFold(content=content)


_SHARED_PARAMETERS: Final = {
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
}
_CHOICE_PARAMETERS: Final = _SHARED_PARAMETERS | {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "seed": semconv.REQUEST_SEED,
    "frequency_penalty": semconv.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.REQUEST_PRESENCE_PENALTY,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
}
_RESPONSE_PARAMETERS: Final = _SHARED_PARAMETERS | {
    "max_output_tokens": semconv.REQUEST_MAX_TOKENS,
    "previous_response_id": semconv.REQUEST_PREVIOUS_RESPONSE_ID,
}
_OUTPUT_TYPES: Final = {"json_schema": "json", "json_object": "json"}
_SEEN_ON_THE_WIRE: Final = (
    "server_address",
    "server_port",
    "response_id",
    "response_model",
    "attempts",
    "provider_request_id",
)
_HOSTS: Final = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.x.ai": "x_ai",
    "api.mistral.ai": "mistral_ai",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "api.anthropic.com": "anthropic",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
}

_CHAT: Final = Shape(
    operation=Operation.CHAT,
    asked=_asked_chat,
    said=_said_chat,
    answered=answers.answered_choices,
    replied=answers.replied_choices,
    fold=_choice_fold,
)
_COMPLETION: Final = Shape(
    operation=Operation.TEXT_COMPLETION,
    asked=_asked_choices,
    said=_said_completion,
    answered=answers.answered_choices,
    replied=answers.replied_choices,
    fold=_choice_fold,
)
_RESPONSES: Final = Shape(
    operation=Operation.CHAT,
    asked=_asked_responses,
    said=_said_responses,
    answered=answers.answered_response,
    replied=answers.replied_response,
    fold=_response_fold,
)
_FETCH_RESPONSE: Final = Shape(
    operation=Operation.FETCH_RESPONSE,
    asked=_asked_responses,
    said=_said_responses,
    answered=answers.answered_response,
    replied=answers.replied_response,
    fold=_response_fold,
)
_EMBEDDINGS: Final = Shape(
    operation=Operation.EMBEDDINGS,
    asked=_asked_embeddings,
    said=_said_embeddings,
    answered=answers.answered_embeddings,
    replied=answers.replied_embeddings,
    fold=_choice_fold,
)
# In this order: the path of a chat completion ends like that of a text completion.
_POSTED: Final = {
    "/chat/completions": _CHAT,
    "/completions": _COMPLETION,
    "/responses": _RESPONSES,
    "/embeddings": _EMBEDDINGS,
}
