"""What LangChain says of a run that ends → the answer in its call record. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from traceai import semconv
from traceai.call import Usage
from traceai.instrumentors.langchain_messages import message_of, said_in
from traceai.instrumentors.parts import response, text_part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from traceai.call import Inference, Message, ToolExecution

_FINISH_REASONS: Final = {
    "tool_calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
}
# Ids that LangChain makes up for a message are not the provider's.
_OWN_IDS: Final = ("lc_", "run-", "run--")


def answer(
    call: Inference, generations: Sequence[Any], output: Mapping[str, Any], *, content: bool
) -> None:
    """Fill in the answer of a model run; what the client beneath has filled in already stays."""
    told = [_info(generation) for generation in generations]
    said = [m for g in generations if (m := getattr(g, "message", None)) is not None]
    first = {**output, **told[0]} if told else output
    reasons = [_finish_reason(info) for info in told]
    call.response_model = call.response_model or _text(first, "model_name", "model")
    call.response_id = call.response_id or _response_id(first, said)
    call.finish_reasons = call.finish_reasons or [reason for reason in reasons if reason] or None
    if call.usage is None:
        call.usage = _usage(said, first)
    if any((getattr(m, "usage_metadata", None) or {}).get("total_cost") == 0 for m in said):
        call.extra[semconv.CACHE_STATUS] = "hit"  # LangChain's mark of an answer from its cache
    if content and not call.output_messages:
        answers = [_output(g, reason) for g, reason in zip(generations, reasons, strict=True)]
        call.output_messages = answers or None


def tool_result(call: ToolExecution, output: Any, *, content: bool) -> None:
    """Fill in what a tool returned, or the error that it tells the model of."""
    message = _tool_message(output)
    if message is None:
        call.result = output if content else None
        return
    call.call_id = call.call_id or message.tool_call_id
    call.result = response(message.content) if content else None
    if getattr(message, "status", None) == "error":
        call.error_type = "tool_error"
        call.error_text = str(message.content)


def documents(found: Any) -> list[dict[str, Any]] | None:
    """Return what a retriever found, in order."""
    if not isinstance(found, list | tuple):
        return None
    return [_document(document) for document in found]


def final_messages(output: Any) -> list[Message] | None:
    """Return what an agent or a workflow answered: its last message, not its whole state."""
    said = said_in(output)
    if not said:
        return None
    last = message_of(said[-1])
    # Only messages know who said them; any other value is the answer.
    by_role = hasattr(output, "content") or (isinstance(output, dict) and "messages" in output)
    return [last if by_role else {**last, "role": "assistant"}]


def _info(generation: Any) -> dict[str, Any]:
    message = getattr(generation, "message", None)
    return {
        **(getattr(generation, "generation_info", None) or {}),
        **(getattr(message, "response_metadata", None) or {}),
    }


def _finish_reason(info: Mapping[str, Any]) -> str | None:
    reason = _text(info, "finish_reason", "stop_reason", "done_reason")
    return _FINISH_REASONS.get(reason, reason) if reason else None


def _response_id(info: Mapping[str, Any], said: Sequence[Any]) -> str | None:
    found = _text(info, "id", "response_id")
    if found:
        return found
    own = getattr(said[0], "id", None) if said else None
    return own if isinstance(own, str) and own and not own.startswith(_OWN_IDS) else None


def _usage(said: Sequence[Any], info: Mapping[str, Any]) -> Usage | None:
    counted = next((u for m in said if (u := getattr(m, "usage_metadata", None))), None)
    if counted:
        read = counted.get("input_token_details") or {}
        written = counted.get("output_token_details") or {}
        return Usage(
            input_tokens=counted.get("input_tokens"),
            output_tokens=counted.get("output_tokens"),
            cache_read_input_tokens=read.get("cache_read"),
            cache_write_input_tokens=read.get("cache_creation"),
            reasoning_output_tokens=written.get("reasoning"),
        )
    counted = info.get("token_usage") or info.get("usage")
    if not isinstance(counted, dict) or not counted:
        return None
    return Usage(
        input_tokens=_first(counted, "prompt_tokens", "input_tokens"),
        output_tokens=_first(counted, "completion_tokens", "output_tokens"),
    )


def _output(generation: Any, reason: str | None) -> Message:
    message = getattr(generation, "message", None)
    if message is None:
        text = text_part(getattr(generation, "text", ""))
        found: Message = {"role": "assistant", "parts": [text]}
    else:
        found = message_of(message)
    if reason:
        found["finish_reason"] = reason
    return found


def _tool_message(output: Any) -> Any:
    """Find the tool message in what a tool returned: itself, or in a command's update."""
    if getattr(output, "type", None) == "tool" and hasattr(output, "tool_call_id"):
        return output
    update = getattr(output, "update", None)
    said = update.get("messages") if isinstance(update, dict) else None
    found = said if isinstance(said, list) else []
    return next((message for message in found if getattr(message, "type", None) == "tool"), None)


def _document(document: Any) -> dict[str, Any]:
    metadata = getattr(document, "metadata", None) or {}
    found = {
        "id": getattr(document, "id", None) or metadata.get("id"),
        "score": _first(metadata, "score", "relevance_score"),
        "content": getattr(document, "page_content", None),
        "metadata": metadata or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _text(values: Mapping[str, Any], *keys: str) -> str | None:
    found = _first(values, *keys)
    return found if isinstance(found, str) and found else None


def _first(values: Mapping[str, Any], *keys: str) -> Any:
    return next((value for key in keys if (value := values.get(key)) is not None), None)
