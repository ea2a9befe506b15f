"""Which requests are calls, of whom, with which parameters; and how chunks merge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.call import Inference
from traceai.instrumentors.openai_answers import answered_choices, replied_choices
from traceai.instrumentors.openai_calls import enrich, provider_of, shape_of
from traceai.instrumentors.openai_chunks import ChoiceFold, ResponseFold, server_sent_events
from traceai.instrumentors.openai_http import attempt


@pytest.mark.parametrize(
    ("method", "url", "operation"),
    [
        ("post", "/chat/completions", "chat"),
        ("POST", "/deployments/my-gpt/chat/completions", "chat"),
        ("post", "https://gateway.example.com/v1/chat/completions?beta=1", "chat"),
        ("post", "/completions", "text_completion"),
        ("post", "/responses", "chat"),
        ("post", "/embeddings", "embeddings"),
        ("get", "/responses/resp_1", "fetch_response"),
        ("get", "/responses", None),
        ("get", "/responses/resp_1/input_items", None),
        ("post", "/responses/resp_1/cancel", None),
        ("delete", "/responses/resp_1", None),
        ("get", "/chat/completions/chatcmpl-1", None),
        ("post", "/moderations", None),
        ("get", "/models", None),
    ],
)
def test_a_call_is_known_by_its_path(method: str, url: str, operation: str | None) -> None:
    shape = shape_of(method, url)
    assert (shape and shape.operation.value) == operation


@pytest.mark.parametrize(
    ("classes", "host", "provider"),
    [
        ({"OpenAI"}, "api.openai.com", "openai"),
        ({"OpenAI"}, "eu.api.openai.com", "openai"),
        ({"OpenAI", "BaseAzureClient"}, "127.0.0.1", "azure.ai.openai"),
        ({"OpenAI"}, "acme.openai.azure.com", "azure.ai.openai"),
        ({"OpenAI"}, "api.deepseek.com", "deepseek"),
        ({"OpenAI"}, "api.groq.com", "groq"),
        ({"OpenAI"}, "api.x.ai", "x_ai"),
        ({"OpenAI"}, "api.mistral.ai", "mistral_ai"),
        ({"OpenAI"}, "generativelanguage.googleapis.com", "gcp.gemini"),
        ({"OpenAI"}, "fakeapi.groq.com.example.com", "openai"),
        ({"OpenAI"}, None, "openai"),
    ],
)
def test_a_provider_is_known_by_client_and_host(
    classes: set[str], host: str | None, provider: str
) -> None:
    assert provider_of(frozenset(classes), host) == provider


CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": []}
ANSWER: dict[str, Any] = {"model": "gpt-5", "input": "Hi"}


@pytest.mark.parametrize(
    ("url", "body", "known"),
    [
        (
            "/chat/completions",
            {**CHAT, "temperature": 0, "top_p": 0.5, "max_completion_tokens": 9, "seed": 7, "n": 2},
            {
                "gen_ai.request.temperature": 0,
                "gen_ai.request.top_p": 0.5,
                "gen_ai.request.max_tokens": 9,
                "gen_ai.request.seed": 7,
                "gen_ai.request.choice.count": 2,
            },
        ),
        (
            "/chat/completions",
            {**CHAT, "n": 1, "stop": "end", "presence_penalty": 1, "reasoning_effort": "low"},
            {
                "gen_ai.request.stop_sequences": ["end"],
                "gen_ai.request.presence_penalty": 1,
                "gen_ai.request.reasoning.level": "low",
            },
        ),
        (
            "/chat/completions",
            {**CHAT, "stop": ["a", "b"], "response_format": {"type": "json_schema"}},
            {"gen_ai.request.stop_sequences": ["a", "b"], "gen_ai.output.type": "json"},
        ),
        (
            "/chat/completions",
            {**CHAT, "modalities": ["text", "audio"], "service_tier": "flex"},
            {"gen_ai.output.type": "speech", "openai.request.service_tier": "flex"},
        ),
        ("/chat/completions", {**CHAT, "service_tier": "auto"}, {}),
        (
            "/responses",
            {
                **ANSWER,
                "max_output_tokens": 5,
                "reasoning": {"effort": "high"},
                "previous_response_id": "resp_0",
                "text": {"format": {"type": "text"}},
            },
            {
                "gen_ai.request.max_tokens": 5,
                "gen_ai.request.reasoning.level": "high",
                "gen_ai.request.previous_response.id": "resp_0",
                "gen_ai.output.type": "text",
            },
        ),
    ],
)
def test_parameters_are_read_as_they_were_given(url: str, body: Any, known: Any) -> None:
    shape = shape_of("post", url)
    assert shape is not None
    call = shape.record(body, url)
    shape.asked(call, body)
    assert isinstance(call, Inference)
    assert call.parameters == known


def test_a_stored_prompt_and_a_conversation_are_named() -> None:
    shape = shape_of("post", "/responses")
    assert shape is not None
    body = {"prompt": {"id": "pmpt_1", "version": "3"}, "conversation": {"id": "conv_1"}}
    call: Any = shape.record(body, "/responses")
    shape.asked(call, body)
    assert (call.prompt_name, call.prompt_version) == ("pmpt_1", "3")
    assert call.conversation_id == "conv_1"


def test_all_tokens_are_read() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    call = Inference()
    answered_choices(call, {"usage": usage, "choices": []})
    assert call.usage is not None
    counts = (call.usage.input_tokens, call.usage.output_tokens)
    details = (call.usage.cache_read_input_tokens, call.usage.reasoning_output_tokens)
    assert (counts, details) == ((10, 20), (4, 12))


def test_a_framework_keeps_the_provider_that_it_knows_better() -> None:
    outer, seen = Inference(provider="acme"), Inference(provider="openai")
    enrich(outer, seen)
    assert outer.provider == "acme"
    enrich(outer, Inference(provider="groq"))
    assert outer.provider == "groq"


class TimeoutException(Exception):  # noqa: N818 - as httpx names it
    pass


class ConnectError(Exception):
    pass


class StatusError(Exception):
    def __init__(self, status: int) -> None:
        self.response = type("Response", (), {"status_code": status})


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (StatusError(429), "rate_limit"),
        (StatusError(500), "server_error"),
        (StatusError(503), "server_error"),
        (StatusError(504), "timeout"),
        (StatusError(408), "timeout"),
        (StatusError(409), "other"),
        (TimeoutException(), "timeout"),
        (ConnectError(), "connection"),
        (None, None),
    ],
)
def test_the_reason_of_a_failed_attempt_is_named(failure: Any, reason: str | None) -> None:
    assert attempt(1, failure).reason == reason


@given(st.text(min_size=1), st.text(), st.data())
def test_a_stream_merges_to_what_it_was_cut_from(
    said: str, asked: str, data: st.DataObject
) -> None:
    arguments = json.dumps({"question": asked})
    fold = ChoiceFold(choices=1, usage=True, content=True)
    fold.add({"id": "c", "model": "m", "choices": [{"delta": {"role": "assistant"}}]})
    for piece in _cut(said, data):
        fold.add({"id": "c", "choices": [{"index": 0, "delta": {"content": piece}}]})
    first: dict[str, Any] = {"index": 0, "id": "t-1", "function": {"name": "look"}}
    fold.add({"choices": [{"delta": {"tool_calls": [first]}}]})
    for piece in _cut(arguments, data):
        part = {"index": 0, "function": {"arguments": piece}}
        fold.add({"choices": [{"delta": {"tool_calls": [part]}}]})
    fold.add({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    assert not fold.whole
    fold.add({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    assert fold.whole
    call = Inference()
    answered_choices(call, fold.answer())
    replied_choices(call, fold.answer())
    text = {"type": "text", "content": said}
    asking = {"type": "tool_call", "id": "t-1", "name": "look", "arguments": {"question": asked}}
    assert call.output_messages == [
        {"role": "assistant", "parts": [text, asking], "finish_reason": "tool_call"}
    ]


def _cut(text: str, data: st.DataObject) -> list[str]:
    at = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[low:high] for low, high in zip([0, *at], [*at, len(text)], strict=True)]


def test_a_response_cut_short_says_what_had_come() -> None:
    fold = ResponseFold(content=True)
    fold.add({"type": "response.created", "response": {"id": "r", "model": "m", "usage": None}})
    for piece in ("He", "llo"):
        fold.add({"type": "response.output_text.delta", "output_index": 0, "delta": piece})
    answer = fold.answer()
    assert not fold.whole
    assert (answer["id"], answer["model"]) == ("r", "m")
    assert answer["output"] == [{"type": "message", "content": "Hello"}]


def test_an_event_cut_off_is_left_out() -> None:
    body = b'event: x\ndata: {"a": 1}\n\ndata: [DONE]\n\ndata: {"b": '
    assert list(server_sent_events(body)) == [{"a": 1}]
