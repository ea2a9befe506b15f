"""Render a call record as span attributes: once, at the end of the call. Pure.

Content goes into a bounded number of attributes, each one JSON text, so that ten thousand messages
never push an identity off the span. What may leave is the content policy's choice, made here.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from traceai import semconv
from traceai.call import AgentRun, Embedding, Inference, Retrieval, ToolExecution
from traceai.errors import guard
from traceai.evaluators.detect import gate
from traceai.redact import redact, redact_json
from traceai.semconv import ContentState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from traceai.call import AttributeValue, Call, Usage

    Attributes = dict[str, AttributeValue]

# Facts in which the application's own words may stand: they leave as its content does.
_WORDS: Final = (
    semconv.TOOL_DESCRIPTION,
    semconv.AGENT_DESCRIPTION,
    semconv.REQUEST_STOP_SEQUENCES,
)
_PROMPT: Final = (semconv.PROMPT_NAME, semconv.PROMPT_VERSION, semconv.PROMPT_DIGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What may leave the process of what was said.

    Attributes:
        state: full, redacted, digest or none; also written as `traceai.content.state`.
        digest: keyed digest of a text, `hmac-sha256:<key id>:<hex>`; used by the state `digest`.
    """

    state: ContentState
    digest: Callable[[str], str]

    @property
    def captured(self) -> bool:
        """Whether instrumentors need to look at content at all."""
        return self.state is not ContentState.NONE


_SCALARS: Final = frozenset({str, bool, int, float})
_NOTHING: Final[frozenset[str]] = frozenset()


def render(call: Call, content: Content, identity: Mapping[str, object]) -> Attributes:
    """Return every attribute of `call` that is known, by its name on the wire.

    An identity attribute already in force, whether given by the application's `context` or not, is
    never replaced by what a request or a framework says, nor is the identity of one prompt
    completed by that of another (P7). What is not of the type it should be is left out.
    """
    found: dict[str, AttributeValue | None] = {
        **{key: value for key, value in call.extra.items() if key not in semconv.IDENTITY},
        semconv.PROVIDER_NAME: call.provider,
        semconv.SERVER_ADDRESS: call.server_address,
        semconv.SERVER_PORT: call.server_port,
        semconv.CONVERSATION_ID: call.conversation_id,
        semconv.ERROR_TYPE: call.error_type,
        semconv.OUTCOME: call.outcome and call.outcome.value,
    }
    said: dict[str, Any] = {}
    _RENDERERS[type(call)](call, found, said)
    _withhold(content, found)
    said = {key: value for key, value in said.items() if value is not None}
    if said or isinstance(call, Inference | Embedding | ToolExecution | Retrieval):
        found[semconv.CONTENT_STATE] = content.state.value
        _say(said, content, found)
    taken = _taken(identity) if identity else _NOTHING
    return {
        key: value
        for key, value in found.items()
        if value is not None
        and (value.__class__ in _SCALARS or _are_texts(value))
        and key not in taken
    }


def encode(value: Any, plain: Callable[[Any], Any] = str) -> str:
    """Return `value` as JSON; as Python writes it where it is circular or has keys JSON lacks.

    Args:
        value: anything of the application's.
        plain: says what JSON lacks in JSON's terms.
    """
    try:
        return _encoder(plain).encode(value)
    except (TypeError, ValueError, RuntimeError):  # changed by another thread, or too deep
        return json.dumps(_written(value), ensure_ascii=False)


def safe_text(text: str, content: Content) -> str | None:
    """Return what may be said of a text that is content, such as an error's; None for nothing."""
    if content.state is ContentState.FULL:
        return text
    return redact(text).text if content.state is ContentState.REDACTED else None


def _withhold(content: Content, found: dict[str, AttributeValue | None]) -> None:
    """Leave out, or redact, what the application said in words among the facts."""
    for key in _WORDS:
        value = found.get(key)
        if isinstance(value, str):
            found[key] = safe_text(value, content)
        elif isinstance(value, list):
            texts = [safe_text(text, content) for text in value if isinstance(text, str)]
            found[key] = [text for text in texts if text is not None] or None


def _taken(identity: Mapping[str, object]) -> frozenset[str]:
    """Return the keys that no call may write where `identity` is in force."""
    prompt = _PROMPT if any(key in identity for key in _PROMPT) else ()
    return semconv.IDENTITY.intersection((*identity, *prompt))


def _are_texts(value: AttributeValue | None) -> bool:
    """Say whether a value is a list that OpenTelemetry can hold: it prints a warning of others."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return isinstance(value, str | int | float)  # a class of the application's own


def _say(said: dict[str, Any], content: Content, found: dict[str, AttributeValue | None]) -> None:
    if content.state is ContentState.NONE:
        return
    redactions = 0
    for key, value in said.items():
        with guard:  # what cannot be read, redacted or digested costs nothing else
            text = value if isinstance(value, str) else encode(value)
            if content.state is ContentState.DIGEST:
                found[key + ".digest"] = content.digest(text)
                continue
            if content.state is ContentState.REDACTED:
                text, count = _redacted(value, text)
                redactions += count
            found[key] = _sendable(text)
    if redactions:
        found[semconv.REDACTION_COUNT] = redactions


def _redacted(value: Any, text: str) -> tuple[str, int]:
    """Pass the encoded text through the gate once; walk the value only where that named a kind."""
    if not gate(text.encode("utf-8", "surrogatepass")):
        return text, 0
    if isinstance(value, str):
        seen = redact(text)
        return seen.text, sum(seen.counts.values())
    walked = redact_json(json.loads(text))
    return (encode(walked.value), sum(walked.counts.values())) if walked.counts else (text, 0)


@functools.cache
def _encoder(plain: Callable[[Any], Any]) -> json.JSONEncoder:
    def default(value: Any) -> Any:
        with guard:
            return plain(value)
        return _name(value)

    return json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=default)


def _written(value: Any) -> str:
    """Return how Python writes a value; its type's name if the application's class fails to."""
    with guard:
        return str(value)
    return _name(value)


def _name(value: Any) -> str:
    return f"<{type(value).__qualname__}>"


def _sendable(text: str) -> str:
    """Escape lone surrogates, which no protobuf can hold: in JSON the escape means the same."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _usage(usage: Usage | None, found: dict[str, AttributeValue | None]) -> None:
    if usage is not None:
        found[semconv.USAGE_INPUT_TOKENS] = usage.input_tokens
        found[semconv.USAGE_OUTPUT_TOKENS] = usage.output_tokens
        found[semconv.USAGE_CACHE_READ_INPUT_TOKENS] = usage.cache_read_input_tokens
        found[semconv.USAGE_CACHE_WRITE_INPUT_TOKENS] = usage.cache_write_input_tokens
        found[semconv.USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_output_tokens


def _attempts(call: Inference | Embedding, found: dict[str, AttributeValue | None]) -> None:
    found[semconv.PROVIDER_REQUEST_ID] = call.provider_request_id
    if call.attempts:
        found[semconv.ATTEMPT_NUMBER] = call.attempts[-1].number
        # One that was not seen has none: the collector counts them against the attempts.
        reasons = [attempt.reason for attempt in call.attempts[:-1] if attempt.reason]
        found[semconv.RETRY_REASON] = ",".join(reasons) or None


def _inference(
    call: Inference, found: dict[str, AttributeValue | None], said: dict[str, Any]
) -> None:
    found.update(call.parameters)
    found[semconv.REQUEST_MODEL] = call.request_model
    found[semconv.REQUEST_STREAM] = call.stream or None
    found[semconv.RESPONSE_ID] = call.response_id
    found[semconv.RESPONSE_MODEL] = call.response_model
    found[semconv.RESPONSE_FINISH_REASONS] = call.finish_reasons or None
    found[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = call.time_to_first_chunk_s
    found[semconv.PROMPT_NAME] = call.prompt_name
    found[semconv.PROMPT_VERSION] = call.prompt_version
    found[semconv.PROMPT_DIGEST] = call.prompt_digest
    _usage(call.usage, found)
    _attempts(call, found)
    said[semconv.SYSTEM_INSTRUCTIONS] = call.system_instructions
    said[semconv.INPUT_MESSAGES] = call.input_messages
    said[semconv.OUTPUT_MESSAGES] = call.output_messages
    said[semconv.TOOL_DEFINITIONS] = call.tool_definitions


def _embedding(
    call: Embedding, found: dict[str, AttributeValue | None], said: dict[str, Any]
) -> None:
    found.update(call.parameters)
    found[semconv.REQUEST_MODEL] = call.request_model
    found[semconv.RESPONSE_MODEL] = call.response_model
    found[semconv.EMBEDDINGS_DIMENSION_COUNT] = call.dimension_count
    _usage(call.usage, found)
    _attempts(call, found)
    if call.inputs is not None:
        parts = [{"type": "text", "content": text} for text in call.inputs]
        said[semconv.INPUT_MESSAGES] = [{"role": "user", "parts": parts}]


def _tool(
    call: ToolExecution, found: dict[str, AttributeValue | None], said: dict[str, Any]
) -> None:
    found[semconv.TOOL_NAME] = call.name or None
    found[semconv.TOOL_TYPE] = call.type
    found[semconv.TOOL_DESCRIPTION] = call.description
    found[semconv.TOOL_CALL_ID] = call.call_id
    said[semconv.TOOL_CALL_ARGUMENTS] = call.arguments
    said[semconv.TOOL_CALL_RESULT] = call.result


def _retrieval(
    call: Retrieval, found: dict[str, AttributeValue | None], said: dict[str, Any]
) -> None:
    found[semconv.DATA_SOURCE_ID] = call.data_source_id
    found[semconv.RETRIEVAL_TOP_K] = call.top_k
    said[semconv.RETRIEVAL_QUERY_TEXT] = call.query
    said[semconv.RETRIEVAL_DOCUMENTS] = call.documents


def _agent(call: AgentRun, found: dict[str, AttributeValue | None], said: dict[str, Any]) -> None:
    workflow = call.operation is semconv.Operation.INVOKE_WORKFLOW
    found[semconv.WORKFLOW_NAME if workflow else semconv.AGENT_NAME] = call.name
    found[semconv.AGENT_DESCRIPTION] = call.description
    said[semconv.INPUT_MESSAGES] = call.input_messages
    said[semconv.OUTPUT_MESSAGES] = call.output_messages


_RENDERERS: dict[type, Callable[..., None]] = {
    Inference: _inference,
    Embedding: _embedding,
    ToolExecution: _tool,
    Retrieval: _retrieval,
    AgentRun: _agent,
}
