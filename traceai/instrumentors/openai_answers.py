"""Fill a call record from an answer of OpenAI's protocols. Pure.

An answer is an object of the SDK, the JSON of a raw response or what a stream was merged to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from traceai import semconv
from traceai.call import Usage
from traceai.instrumentors import openai_messages as messages
from traceai.instrumentors.parts import listed, read, read_text
from traceai.semconv import Operation

if TYPE_CHECKING:
    from traceai.call import Embedding, Inference, Message


def answered_choices(call: Inference, answer: Any) -> None:
    """Fill in what a chat or text completion says of itself."""
    _served(call, answer)
    call.usage = _usage(read(answer, "usage"))
    reasons = [read_text(choice, "finish_reason") for choice in listed(read(answer, "choices"))]
    call.finish_reasons = [messages.finish_reason(reason) for reason in reasons if reason] or None


def replied_choices(call: Inference, answer: Any) -> None:
    """Fill in what a chat or text completion says."""
    call.output_messages = [_choice(choice) for choice in listed(read(answer, "choices"))] or None


def answered_response(call: Inference, answer: Any) -> None:
    """Fill in what an answer of the Responses protocol says of itself."""
    _served(call, answer)
    if call.operation is not Operation.FETCH_RESPONSE:
        # Fetching an answer again spends no tokens: they were counted when it was made.
        call.usage = _usage(read(answer, "usage"))
    if isinstance(status := read(answer, "status"), str):
        call.extra[semconv.RESPONSE_STATUS] = status
    finish = _finish(answer)
    call.finish_reasons = [finish] if finish else None
    if error := read(answer, "error"):
        code = read(error, "code")
        named = str(code) if isinstance(code, int) else None
        call.error_type = read_text(error, "code", "type") or named or "error"
        call.error_text = read_text(error, "message")


def replied_response(call: Inference, answer: Any) -> None:
    """Fill in what an answer of the Responses protocol says."""
    call.output_messages = messages.response_output(read(answer, "output"), _finish(answer))
    if call.operation is Operation.FETCH_RESPONSE:
        call.system_instructions = messages.instructions(read(answer, "instructions"))


def answered_embeddings(call: Embedding, answer: Any) -> None:
    """Fill in what an answer of the embeddings protocol says of itself."""
    call.response_model = read_text(answer, "model")
    call.usage = _usage(read(answer, "usage"))
    for first in listed(read(answer, "data"))[:1]:
        vector = read(first, "embedding")
        # Base64 of 32-bit floats, where the SDK has not decoded it.
        size = len(vector) * 3 // 16 if isinstance(vector, str) else len(listed(vector))
        call.dimension_count = size or call.dimension_count


def replied_embeddings(call: Embedding, answer: Any) -> None:
    """Keep no vector: there is nothing to read in it, and texts can be recovered from it."""


def _served(call: Inference, answer: Any) -> None:
    call.response_id = read_text(answer, "id") or call.response_id
    call.response_model = read_text(answer, "model")
    for name, attribute in _EXTRAS.items():
        if isinstance(value := read(answer, name), str):
            call.extra[attribute] = value


def _choice(choice: Any) -> Message:
    text = read(choice, "text")
    if isinstance(text, str):
        choice = {"message": {"content": text}, "finish_reason": read(choice, "finish_reason")}
    return messages.chat_choice(choice)


def _finish(answer: Any) -> str | None:
    """Return the finish reason that the status of a response amounts to; None while it runs."""
    status = read(answer, "status")
    if status == "incomplete":
        reason = read_text(read(answer, "incomplete_details"), "reason")
        return "length" if reason == "max_output_tokens" else reason
    if status == "failed":
        return "error"
    if status != "completed":
        return None
    kinds = {read_text(item, "type") for item in listed(read(answer, "output"))}
    return "tool_call" if kinds & {"function_call", "custom_tool_call"} else "stop"


def _usage(usage: Any) -> Usage | None:
    if usage is None:
        return None
    # Responses speak of input and output, all others of prompt and completion.
    newer = read(usage, "input_tokens") is not None
    said, answered = ("input_tokens", "output_tokens") if newer else _OLDER_TOKENS
    asked = read(usage, f"{said}_details")
    given = read(usage, f"{answered}_details")
    return Usage(
        input_tokens=_count(usage, said),
        output_tokens=_count(usage, answered),
        cache_read_input_tokens=_count(asked, "cached_tokens"),
        cache_write_input_tokens=_count(asked, "cache_write_tokens"),
        reasoning_output_tokens=_count(given, "reasoning_tokens"),
    )


def _count(value: Any, name: str) -> int | None:
    count = read(value, name)
    return count if isinstance(count, int) and not isinstance(count, bool) else None


_OLDER_TOKENS: Final = ("prompt_tokens", "completion_tokens")
_EXTRAS: Final = {
    "service_tier": semconv.OPENAI_RESPONSE_SERVICE_TIER,
    "system_fingerprint": semconv.OPENAI_RESPONSE_SYSTEM_FINGERPRINT,
}
