from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector_processor.model import Known
from collector_processor.processor.decode import decode_request
from collector_processor.processor.dialects import canonical
from collector_processor.processor.tree import plant
from traceai.semconv import MODEL_CALLS

SAMPLES = Path(__file__).parents[4] / "shared" / "data" / "otlp-samples"

METADATA = json.dumps({"user_id": "u", "thread_id": "s", "prompt_name": "p", "prompt_version": 7})
DIALECTS = {
    "opentelemetry": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": "3",
        "gen_ai.response.finish_reasons": ["stop"],
        "user.id": "u",
        "gen_ai.conversation.id": "s",
    },
    "older": {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.prompt_tokens": 7,
        "gen_ai.usage.completion_tokens": 3,
        "gen_ai.response.finish_reasons": '["stop"]',
        "enduser.id": "u",
        "session.id": "s",
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.invocation_parameters": '{"model": "m", "temperature": 0}',
        "llm.model_name": "m-1",
        "llm.token_count.prompt": 7,
        "llm.token_count.completion": 3,
        "llm.finish_reason": "stop",
        "metadata": METADATA,
        "output.value": '{"id": "chatcmpl-1"}',
    },
    "traceloop": {
        "traceloop.entity.name": "ChatOpenAI",
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.prompt_tokens": 7,
        "gen_ai.usage.completion_tokens": 3,
        "gen_ai.completion.0.finish_reason": "stop",
        "traceloop.association.properties.user_id": "u",
        "traceloop.association.properties.session_id": "s",
    },
    "traceai": {
        "gen_ai.span.kind": "LLM",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.parameters": '{"model": "m"}',
        "gen_ai.request.model": "m-1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": "stop",
        "user.id": "u",
        "metadata": METADATA,
    },
    "langfuse": {
        "langfuse.observation.type": "generation",
        "langfuse.observation.metadata.ls_provider": "openai",
        "langfuse.observation.metadata.ls_model_name": "m",
        "langfuse.observation.model.name": "m-1",
        "langfuse.observation.usage_details": '{"input": 7, "output": 3, "total": 10}',
        "gen_ai.response.finish_reasons": "stop",
        "user.id": "u",
        "session.id": "s",
    },
    "langsmith": {
        "langsmith.span.kind": "llm",
        "gen_ai.operation.name": "embeddings",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": "stop",
        "langsmith.metadata.user_id": "u",
        "langsmith.metadata.thread_id": "s",
    },
    "vercel": {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "openai.chat",
        "ai.model.id": "m",
        "ai.response.model": "m-1",
        "ai.usage.promptTokens": 7,
        "ai.usage.completionTokens": 3,
        "ai.response.finishReason": "stop",
        "ai.telemetry.metadata.userId": "u",
        "ai.telemetry.metadata.sessionId": "s",
    },
    "logfire": {
        "logfire.msg": "chat",
        "gen_ai.system": "openai",
        "request_data": '{"model": "m"}',
        "response_data": '{"model": "m-1", "id": "chatcmpl-1"}',
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ["stop"],
        "user.id": "u",
        "gen_ai.conversation.id": "s",
    },
}
EXPECTED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "m",
    "gen_ai.response.model": "m-1",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 3,
    "gen_ai.response.finish_reasons": ("stop",),
    "user.id": "u",
    "gen_ai.conversation.id": "s",
    "traceai.outcome": "completed",
}


def fields(otlp: Any, attributes: dict[str, Any], **span: Any) -> dict[str, Any]:
    [read] = decode_request(otlp.request(otlp.span("s", attributes=attributes, **span)), 0)
    return canonical(read)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_call_of_any_dialect_has_the_canonical_fields(otlp: Any, dialect: str) -> None:
    found = fields(otlp, DIALECTS[dialect])
    assert {name: found[name].value for name in EXPECTED if name in found} == EXPECTED


@pytest.mark.parametrize(
    ("attributes", "operation"),
    [
        ({"openinference.span.kind": "TOOL"}, "execute_tool"),
        ({"openinference.span.kind": "RETRIEVER"}, "retrieval"),
        ({"openinference.span.kind": "EMBEDDING"}, "embeddings"),
        ({"openinference.span.kind": "GUARDRAIL"}, "guardrail"),
        ({"openinference.span.kind": "CHAIN"}, "invoke_workflow"),
        ({"openinference.span.kind": "AGENT"}, "invoke_agent"),
        ({"gen_ai.span.kind": "VECTOR_DB"}, "retrieval"),
        ({"traceloop.span.kind": "workflow"}, "invoke_workflow"),
        ({"traceloop.span.kind": "tool"}, "execute_tool"),
        ({"gen_ai.operation.name": "vector_db_retrieve"}, "retrieval"),
        ({"gen_ai.operation.name": "apply_guardrail"}, "guardrail"),
        ({"langfuse.observation.type": "tool"}, "execute_tool"),
        ({"langsmith.span.kind": "retriever"}, "retrieval"),
        ({"ai.operationId": "ai.toolCall"}, "execute_tool"),
        ({"ai.operationId": "ai.generateText"}, "invoke_workflow"),
        ({"ai.operationId": "ai.embed.doEmbed"}, "embeddings"),
        ({"gen_ai.operation.name": "an_operation_of_their_own"}, "an_operation_of_their_own"),
    ],
)
def test_operations_have_canonical_names(
    otlp: Any, attributes: dict[str, str], operation: str
) -> None:
    assert fields(otlp, attributes)["gen_ai.operation.name"].value == operation


@pytest.mark.parametrize("kind", ["UNKNOWN", "SPAN"])
def test_a_kind_that_says_nothing_is_no_operation(otlp: Any, kind: str) -> None:
    assert "gen_ai.operation.name" not in fields(otlp, {"openinference.span.kind": kind})


@pytest.mark.parametrize(
    ("native", "provider"),
    [
        ("vertex_ai", "gcp.vertex_ai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("openai.chat", "openai"),
        ("mistralai", "mistral_ai"),
        ("aws.bedrock", "aws.bedrock"),
        ("ollama", "ollama"),
        ("langchain", None),
    ],
)
def test_providers_have_canonical_names(otlp: Any, native: str, provider: str | None) -> None:
    found = fields(otlp, {"gen_ai.system": native}).get("gen_ai.provider.name")
    assert (found and found.value) == provider


def test_a_field_says_how_it_is_known_and_from_which_key(otlp: Any) -> None:
    found = fields(otlp, DIALECTS["older"])
    assert found["gen_ai.provider.name"][1:] == (Known.STATED, "gen_ai.system")
    assert found["traceai.outcome"].known is Known.DERIVED
    inferred = fields(otlp, {"gen_ai.system": "openai", "gen_ai.request.model": "m"})
    assert inferred["gen_ai.operation.name"][:2] == ("chat", Known.INFERRED)


@pytest.mark.parametrize("broken", ['{"user_id": "u', "[1]", "null", "{" * 100_000])
def test_broken_json_is_no_field(otlp: Any, broken: str) -> None:
    found = fields(otlp, {"openinference.span.kind": "LLM", "metadata": broken})
    assert "user.id" not in found


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (r'{"route": "\ud800"}', "\ufffd"),
        (r'{"route": "a\ud83dz"}', "a\ufffdz"),
        (r'{"route": "\ud83d\ude00"}', "\U0001f600"),
        (r'{"route": "\\ud800"}', "\\ud800"),
    ],
)
def test_half_a_character_is_replaced_and_a_whole_one_stays(
    otlp: Any, metadata: str, expected: str
) -> None:
    found = fields(otlp, {"openinference.span.kind": "LLM", "metadata": metadata})
    assert found["traceai.route"].value == expected


def test_half_a_character_among_finish_reasons_is_replaced(otlp: Any) -> None:
    attributes = {**DIALECTS["older"], "gen_ai.response.finish_reasons": r'["st\udc00op"]'}
    assert fields(otlp, attributes)["gen_ai.response.finish_reasons"].value == ("st\ufffdop",)


def test_a_commit_is_not_a_release(otlp: Any) -> None:
    attributes = {**DIALECTS["opentelemetry"], "vcs.ref.head.revision": "0a1b2c"}
    assert "service.version" not in fields(otlp, attributes)


def test_the_nearest_identity_wins_over_an_ancestor(otlp: Any) -> None:
    spans = decode_request(
        otlp.request(
            otlp.span("root", attributes={"user.id": "far", "traceai.route": "r"}),
            otlp.span("step", parent="root", attributes={"enduser.pseudo.id": "near"}),
            otlp.span("leaf", parent="step"),
        ),
        0,
    )
    leaf = plant(spans).nodes[2]
    assert leaf.get("user.id").value == "near"
    step = otlp.span_id("step").hex()
    assert leaf.get("user.id")[1:] == (Known.DERIVED, f"span {step} enduser.pseudo.id")
    assert leaf.get("service.version")[1:] == (Known.DERIVED, "resource service.version")


def test_a_child_in_another_service_keeps_its_own_release(otlp: Any) -> None:
    caller = decode_request(otlp.request(otlp.span("root")), 0)
    other = {**otlp.RESOURCE, "service.name": "search", "service.version": "9"}
    callee = decode_request(otlp.request(otlp.span("leaf", parent="root"), resource=other), 0)
    leaf = plant((*caller, *callee)).nodes[1]
    assert (leaf.get("service.name").value, leaf.get("service.version").value) == ("search", "9")


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the project")
@pytest.mark.parametrize("name", ["otel", "oi", "tl", "fi"])
def test_captured_traces_have_model_calls_with_models_and_tokens(name: str) -> None:
    nodes = []
    for line in (SAMPLES / f"{name}.otlp.jsonl").read_text().splitlines():
        document = json.loads(line)
        for resource in document.get("resourceSpans", []):
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in span:
                            span[key] = _base64(span[key])
                    span.pop("links", None)
        request = json_format.ParseDict(
            document, ExportTraceServiceRequest(), ignore_unknown_fields=True
        )
        nodes += plant(decode_request(request.SerializeToString(), 1 << 61)).nodes
    calls = [node for node in nodes if node.operation in MODEL_CALLS]
    assert len(calls) >= 3
    assert all(call.get("gen_ai.request.model").value for call in calls)
    assert all(call.get("gen_ai.provider.name").value for call in calls)
    assert any(node.operation == "execute_tool" for node in nodes)
    assert any(node.operation == "retrieval" for node in nodes)


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()
