"""A call record becomes attributes once: what is known, and nothing that is not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai import semconv
from traceai.attributes import Content, render, safe_text
from traceai.call import (
    AgentRun,
    Attempt,
    Call,
    Embedding,
    Inference,
    Message,
    Retrieval,
    ToolExecution,
    Usage,
)
from traceai.errors import guard
from traceai.semconv import ContentState, Operation, Outcome


def _digest(text: str) -> str:
    return "digest:" + hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _content(state: ContentState) -> Content:
    return Content(state=state, digest=_digest)


FULL, REDACTED = _content(ContentState.FULL), _content(ContentState.REDACTED)
DIGEST, NONE = _content(ContentState.DIGEST), _content(ContentState.NONE)
HELLO: list[Message] = [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
CALLS: list[tuple[Call, dict[str, Any]]] = [
    (
        Inference(
            provider="openai",
            server_address="api.openai.com",
            server_port=443,
            conversation_id="c-1",
            request_model="gpt-4o",
            stream=True,
            parameters={semconv.REQUEST_TEMPERATURE: 0.2},
            input_messages=HELLO,
            response_id="r-1",
            response_model="gpt-4o-2024-08-06",
            finish_reasons=["stop"],
            usage=Usage(input_tokens=3, output_tokens=0),
            time_to_first_chunk_s=0.5,
            attempts=[Attempt(number=1, status_code=429, reason="rate_limit"), Attempt(number=2)],
            provider_request_id="req-1",
            outcome=Outcome.COMPLETED,
            extra={"openai.api.type": "chat_completions"},
        ),
        {
            "gen_ai.provider.name": "openai",
            "server.address": "api.openai.com",
            "server.port": 443,
            "gen_ai.conversation.id": "c-1",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.stream": True,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.input.messages": (
                '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]'
            ),
            "gen_ai.response.id": "r-1",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 3,
            "gen_ai.usage.output_tokens": 0,
            "gen_ai.response.time_to_first_chunk": 0.5,
            "traceai.attempt.number": 2,
            "traceai.retry.reason": "rate_limit",
            "traceai.provider.request_id": "req-1",
            "traceai.outcome": "completed",
            "traceai.content.state": "full",
            "openai.api.type": "chat_completions",
        },
    ),
    (
        Embedding(request_model="embed-3", inputs=["a"], dimension_count=8),
        {
            "gen_ai.request.model": "embed-3",
            "gen_ai.embeddings.dimension.count": 8,
            "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"a"}]}]',
            "traceai.content.state": "full",
        },
    ),
    (
        ToolExecution(name="weather", call_id="t-1", arguments={"city": "Köln"}, result="rain"),
        {
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.id": "t-1",
            "gen_ai.tool.call.arguments": '{"city":"Köln"}',
            "gen_ai.tool.call.result": "rain",
            "traceai.content.state": "full",
        },
    ),
    (
        Retrieval(data_source_id="faq", top_k=2, query="why", documents=[{"id": "d"}]),
        {
            "gen_ai.data_source.id": "faq",
            "gen_ai.retrieval.top_k": 2,
            "gen_ai.retrieval.query.text": "why",
            "gen_ai.retrieval.documents": '[{"id":"d"}]',
            "traceai.content.state": "full",
        },
    ),
    (AgentRun(name="planner"), {"gen_ai.agent.name": "planner"}),
    (
        AgentRun(operation=Operation.INVOKE_WORKFLOW, name="flow"),
        {"gen_ai.workflow.name": "flow"},
    ),
]


@pytest.mark.parametrize(("call", "expected"), CALLS, ids=lambda value: type(value).__name__)
def test_a_record_is_rendered_whole(call: Call, expected: dict[str, Any]) -> None:
    assert expected == render(call, FULL, {})


@pytest.mark.parametrize("call", [call for call, _ in CALLS])
def test_without_content_nothing_that_was_said_leaves(call: Call) -> None:
    rendered = render(call, NONE, {})
    said = {key for key in render(call, FULL, {}) if key not in rendered}
    content = {semconv.INPUT_MESSAGES, semconv.TOOL_CALL_ARGUMENTS, semconv.TOOL_CALL_RESULT}
    assert said <= content | {semconv.RETRIEVAL_QUERY_TEXT, semconv.RETRIEVAL_DOCUMENTS}


def test_a_digest_stands_in_for_content() -> None:
    call = ToolExecution(name="t", result="secret")
    assert render(call, DIGEST, {}) == {
        semconv.TOOL_NAME: "t",
        semconv.CONTENT_STATE: "digest",
        semconv.TOOL_CALL_RESULT + ".digest": _digest("secret"),
    }


def test_an_unknown_value_has_no_attribute() -> None:
    assert render(Inference(), FULL, {}) == {semconv.CONTENT_STATE: "full"}


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["rate_limit", "timeout"], "rate_limit,timeout"),
        ([None, "timeout"], "timeout"),
        ([None], None),
    ],
)
def test_an_attempt_that_was_not_seen_has_no_reason(
    reasons: list[str | None], expected: str | None
) -> None:
    failed = [Attempt(number=number, reason=reason) for number, reason in enumerate(reasons, 1)]
    last = Attempt(number=len(failed) + 1, status_code=200)
    rendered = render(Inference(attempts=[*failed, last]), FULL, {})
    assert rendered.get(semconv.RETRY_REASON) == expected
    assert rendered[semconv.ATTEMPT_NUMBER] == last.number


WORDS: list[tuple[Call, str, Any, Any]] = [
    (
        ToolExecution(name="t"),
        semconv.TOOL_DESCRIPTION,
        "mail ann@example.com",
        "mail <EMAIL_ADDRESS>",
    ),
    (AgentRun(name="a"), semconv.AGENT_DESCRIPTION, "mail ann@example.com", "mail <EMAIL_ADDRESS>"),
    (
        Inference(),
        semconv.REQUEST_STOP_SEQUENCES,
        ["ann@example.com", "."],
        ["<EMAIL_ADDRESS>", "."],
    ),
]


@pytest.mark.parametrize(("call", "key", "said", "redacted"), WORDS)
def test_words_of_the_application_leave_as_its_content_does(
    call: Call, key: str, said: Any, redacted: Any
) -> None:
    call = replace(call)
    if isinstance(call, Inference):
        call.parameters = {key: said}
    elif isinstance(call, ToolExecution | AgentRun):
        call.description = said
    left = [render(call, content, {}).get(key) for content in (FULL, REDACTED, DIGEST, NONE)]
    assert left == [said, redacted, None, None]


def test_a_value_that_no_attribute_can_hold_is_left_out() -> None:
    wrong: Any = {"a": 1}
    call = Inference(response_id=wrong, finish_reasons=[wrong], parameters={"x": [1]})  # type: ignore[dict-item,list-item]
    assert render(call, FULL, {}) == {semconv.CONTENT_STATE: "full"}


class Mute:
    def __str__(self) -> str:
        raise RuntimeError


def test_a_value_that_cannot_say_itself_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    call = ToolExecution(name="t", arguments={"a": [1, Mute()]}, result={Mute(): 1, 2: Mute()})
    rendered = render(call, REDACTED, {})
    assert rendered[semconv.TOOL_CALL_ARGUMENTS] == '{"a":[1,"<Mute>"]}'
    assert isinstance(rendered[semconv.TOOL_CALL_RESULT], str)


def test_content_that_cannot_be_digested_costs_no_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "reraise", False)
    content = Content(state=ContentState.DIGEST, digest=lambda text: text[99:][0])
    rendered = render(Inference(request_model="m", input_messages=HELLO), content, {})
    assert rendered == {semconv.REQUEST_MODEL: "m", semconv.CONTENT_STATE: "digest"}


def test_ten_thousand_messages_are_one_attribute() -> None:
    call = Inference(input_messages=HELLO * 10_000)
    assert set(render(call, FULL, {})) == {semconv.INPUT_MESSAGES, semconv.CONTENT_STATE}


def test_a_key_in_content_is_redacted_and_counted() -> None:
    key = "sk-proj-" + hashlib.sha256(b"key").hexdigest()
    call = ToolExecution(name="t", result={"deep": [f"use {key}"]})
    rendered = render(call, REDACTED, {})
    assert key not in str(rendered)
    assert rendered[semconv.REDACTION_COUNT] == 1


_circular: list[Any] = []
_circular.append(_circular)


@pytest.mark.parametrize(
    "value", [_circular, {("a", "b"): 1}, {"x": object}], ids=["circular", "tuple keys", "objects"]
)
def test_a_value_that_json_lacks_costs_no_other_attribute(value: Any) -> None:
    rendered = render(ToolExecution(name="t", arguments=value), FULL, {})
    assert rendered[semconv.TOOL_NAME] == "t"
    json.loads(str(rendered[semconv.TOOL_CALL_ARGUMENTS]))


@given(st.text(alphabet=st.characters(codec=None), max_size=40))
def test_content_comes_back_as_it_was_said_and_can_always_be_sent(text: str) -> None:
    rendered = render(ToolExecution(name="t", result=[text]), FULL, {})[semconv.TOOL_CALL_RESULT]
    assert isinstance(rendered, str)
    rendered.encode()
    assert json.loads(rendered) == [text]


_names = st.sampled_from(sorted(semconv.IDENTITY))
_values = st.text(min_size=1, max_size=5)


@given(extra=st.dictionaries(_names, _values), force=st.dictionaries(_names, _values))
def test_no_request_overwrites_an_identity_in_force(
    extra: dict[str, str], force: dict[str, str]
) -> None:
    call = Inference(
        conversation_id="c", prompt_name="p", prompt_version="1", prompt_digest="d", extra={**extra}
    )
    rendered = render(call, NONE, force)
    assert rendered.keys() & force.keys() == set()
    assert rendered.keys() & semconv.IDENTITY <= {
        semconv.CONVERSATION_ID,
        semconv.PROMPT_NAME,
        semconv.PROMPT_VERSION,
        semconv.PROMPT_DIGEST,
    }


@pytest.mark.parametrize(
    "force", [{semconv.PROMPT_NAME: "A"}, {semconv.PROMPT_DIGEST: "d"}], ids=["named", "digest"]
)
def test_the_identity_of_one_prompt_is_never_completed_by_anothers(force: dict[str, str]) -> None:
    call = Inference(prompt_name="B", prompt_version="3", prompt_digest="e", request_model="m")
    rendered = render(call, NONE, force)
    assert rendered == {semconv.REQUEST_MODEL: "m", semconv.CONTENT_STATE: "none"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [(FULL, "no user 7"), (REDACTED, "no user 7"), (DIGEST, None), (NONE, None)],
)
def test_the_text_of_an_error_is_content(content: Content, expected: str | None) -> None:
    assert safe_text("no user 7", content) == expected
