"""Which key of which dialect holds which canonical field: one table, read by `dialects`.

A row is a canonical name, the type its value is read as, and the keys that may hold it, best first;
the newest GenAI name always comes before older ones and other dialects'. A key with a `#` is a
member of a JSON object that is held, as text, by the attribute before the `#`. A key with an
`@` counts only in the dialect named after it.
(`reference`: OpenTelemetry GenAI, OpenInference, OpenLLMetry, traceAI, Langfuse, LangSmith,
Vercel AI SDK, Logfire and PydanticAI; OpenLIT for guardrails.)
"""

from __future__ import annotations

from typing import Final

from traceai import semconv as s

# How the dialect of a span is told, by its keys and never by its schema URL; the first wins.
DETECTION: Final = (
    ("langfuse", ("langfuse.observation.type",), ()),
    ("langsmith", ("langsmith.span.kind",), ()),
    ("openinference", ("openinference.span.kind",), ()),
    ("traceai", ("gen_ai.span.kind", "gen_ai.input.messages.0.message.role"), ()),
    ("traceloop", ("gen_ai.prompt.0.role", "llm.request.type"), ("traceloop.",)),
    ("vercel", ("ai.operationId",), ("ai.telemetry.",)),
    ("logfire", ("request_data", "response_data"), ("logfire.",)),
    ("opentelemetry", (s.OPERATION_NAME, s.PROVIDER_NAME, "gen_ai.system"), ()),
)

_METADATA = ("metadata#{0}", "langsmith.metadata.{0}", "langfuse.observation.metadata.{0}")
_ASSOCIATION = "traceloop.association.properties.{0}"
_VERCEL = "ai.telemetry.metadata.{0}"


def _told(*names: str) -> tuple[str, ...]:
    """Return where callbacks put what the application passed as metadata under `names`."""
    places = (*_METADATA, _ASSOCIATION, _VERCEL)
    return tuple(place.format(name) for place in places for name in names)


_USAGE = "langfuse.observation.usage_details#"
_PARAMETERS = "gen_ai.request.parameters#"

ROWS: Final = (
    # What was called.
    (s.PROVIDER_NAME, "provider", (
        s.PROVIDER_NAME, "gen_ai.system", "llm.provider", "llm.system", "ls_provider@traceai",
        "ai.model.provider", *_told("ls_provider"))),
    (s.REQUEST_MODEL, "text", (
        _PARAMETERS + "model@traceai", s.REQUEST_MODEL, "llm.request.model_name",
        "llm.invocation_parameters#model", "llm.invocation_parameters#model_name",
        "embedding.model_name", "ai.model.id", "request_data#model", *_told("ls_model_name"))),
    (s.RESPONSE_MODEL, "text", (
        s.RESPONSE_MODEL, "llm.response.model_name", "gen_ai.request.model@traceai",
        "llm.model_name@openinference", "langfuse.observation.model.name", "ai.response.model",
        "response_data#model")),
    (s.RESPONSE_ID, "text", (
        s.RESPONSE_ID, "ai.response.id", "response_data#id", "output.value#id@openinference",
        "output.value#id@traceai")),
    (s.RESPONSE_FINISH_REASONS, "reasons", (
        s.RESPONSE_FINISH_REASONS, "llm.finish_reason", "gen_ai.completion.0.finish_reason",
        "llm.response.finish_reason", "ai.response.finishReason")),
    (s.USAGE_INPUT_TOKENS, "count", (
        s.USAGE_INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
        "llm.usage.prompt_tokens", _USAGE + "input", "ai.usage.inputTokens",
        "ai.usage.promptTokens", "ai.usage.tokens")),
    (s.USAGE_OUTPUT_TOKENS, "count", (
        s.USAGE_OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "llm.usage.completion_tokens", _USAGE + "output", "ai.usage.outputTokens",
        "ai.usage.completionTokens")),
    (s.SERVER_ADDRESS, "text", (s.SERVER_ADDRESS,)),
    (s.RESPONSE_STATUS, "text", (s.RESPONSE_STATUS,)),
    (s.OUTCOME, "text", (s.OUTCOME,)),
    (s.ERROR_TYPE, "text", (s.ERROR_TYPE,)),
    (s.CONTENT_STATE, "text", (s.CONTENT_STATE,)),
    (s.SEQUENCE_NUMBER, "count", (s.SEQUENCE_NUMBER,)),
    # What was said; only that it is there: `content` reads it.
    (s.SYSTEM_INSTRUCTIONS, "content", (s.SYSTEM_INSTRUCTIONS, "ai.prompt.system")),
    (s.INPUT_MESSAGES, "content", (
        s.INPUT_MESSAGES, "gen_ai.input.messages.0.message.role",
        "llm.input_messages.0.message.role", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content",
        "gen_ai.prompt", "langfuse.observation.input", "ai.prompt.messages", "ai.prompt",
        "request_data#messages", "pydantic_ai.all_messages", "events", "input.value")),
    (s.OUTPUT_MESSAGES, "content", (
        s.OUTPUT_MESSAGES, "gen_ai.output.messages.0.message.role",
        "llm.output_messages.0.message.role", "gen_ai.completion.0.role",
        "gen_ai.completion.0.content", "gen_ai.completion", "langfuse.observation.output",
        "ai.response.text", "ai.response.object", "response_data", "final_result",
        "output.value")),
    # Tools and retrieval.
    (s.TOOL_NAME, "text", (
        s.TOOL_NAME, "tool.name", "ai.toolCall.name", "traceloop.entity.name")),
    (s.TOOL_CALL_ID, "text", (s.TOOL_CALL_ID, "tool.id", "tool_call.id", "ai.toolCall.id")),
    (s.TOOL_CALL_ARGUMENTS, "content", (
        s.TOOL_CALL_ARGUMENTS, "gen_ai.tool.input", "gen_ai.tool.call", "tool.parameters",
        "ai.toolCall.args", "tool_arguments", "input.value", "langfuse.observation.input",
        "gen_ai.prompt", "traceloop.entity.input")),
    (s.TOOL_CALL_RESULT, "content", (
        s.TOOL_CALL_RESULT, s.TOOL_CALL_RESULT + ".digest", s.CONTENT_OUTPUT_DIGEST,
        "gen_ai.tool.output", "ai.toolCall.result", "tool_response", "output.value",
        "langfuse.observation.output", "gen_ai.completion", "traceloop.entity.output")),
    (s.TOOL_EFFECT, "text", (s.TOOL_EFFECT,)),
    (s.APPROVAL_STATUS, "text", (s.APPROVAL_STATUS,)),
    (s.RETRIEVAL_QUERY_TEXT, "content", (
        s.RETRIEVAL_QUERY_TEXT, "input.value", "langfuse.observation.input", "gen_ai.prompt",
        "traceloop.entity.input")),
    (s.RETRIEVAL_DOCUMENTS, "content", (
        s.RETRIEVAL_DOCUMENTS, "retrieval.documents.0.document.content",
        "retrieval.documents.0.document.id", "langfuse.observation.output", "gen_ai.completion",
        "traceloop.entity.output")),
    # On whose behalf, under which rules.
    (s.USER_ID, "text", (
        s.USER_ID, s.ENDUSER_ID, s.ENDUSER_PSEUDO_ID, "gen_ai.user.id", "gen_ai.request.user",
        "gen_ai.user", "llm.user", *_told("user_id", "userId"))),
    (s.CONVERSATION_ID, "text", (
        s.CONVERSATION_ID, s.SESSION_ID, "gen_ai.session.id",
        *_told("session_id", "sessionId", "conversation_id", "thread_id"))),
    (s.TENANT_ID, "text", (s.TENANT_ID, *_told("tenant_id", "customer_id"))),
    (s.ROUTE, "text", (s.ROUTE, *_told("route"))),
    (s.DATA_CLASSES, "text", (s.DATA_CLASSES,)),
    (s.COHORT, "text", (s.COHORT, *_told("cohort"))),
    (s.PROMPT_NAME, "text", (
        s.PROMPT_NAME, "traceloop.prompt.key", "langfuse.observation.prompt.name", "prompt.id",
        "prompt_name@traceai", *_told("prompt_name", "lc_hub_repo", "promptName"))),
    (s.PROMPT_VERSION, "text", (
        s.PROMPT_VERSION, "llm.prompt_template.version", "traceloop.prompt.version",
        "traceloop.prompt.version_hash", "langfuse.observation.prompt.version",
        "gen_ai.prompt.template.version", "prompt_version@traceai",
        *_told("prompt_version", "lc_hub_commit_hash", "promptVersion"))),
    (s.PROMPT_DIGEST, "text", (s.PROMPT_DIGEST,)),
    (s.POLICY_ID, "text", (
        s.POLICY_ID, "gen_ai.guardrail.policy.id", "gen_ai.security.policy.id",
        *_told("policy_id"))),
    (s.POLICY_VERSION, "text", (
        s.POLICY_VERSION, "gen_ai.guardrail.policy.version", *_told("policy_version"))),
    (s.POLICY_DIGEST, "text", (s.POLICY_DIGEST,)),
    (s.SERVICE_NAME, "text", (s.SERVICE_NAME,)),
    (s.SERVICE_VERSION, "text", (
        s.SERVICE_VERSION, "langfuse.release", "langsmith.metadata.revision_id")),
    (s.DEPLOYMENT_ENVIRONMENT_NAME, "text", (
        s.DEPLOYMENT_ENVIRONMENT_NAME, "deployment.environment", "langfuse.environment")),
    # How it went on.
    (s.ATTEMPT_NUMBER, "count", (s.ATTEMPT_NUMBER,)),
    (s.RETRY_REASON, "reasons", (s.RETRY_REASON,)),
    ("http.request.resend_count", "count", ("http.request.resend_count",)),
    (s.FALLBACK_FROM_PROVIDER, "text", (s.FALLBACK_FROM_PROVIDER,)),
    (s.FALLBACK_FROM_MODEL, "text", (s.FALLBACK_FROM_MODEL,)),
    (s.FALLBACK_REASON, "text", (s.FALLBACK_REASON,)),
    (s.GUARDRAIL_NAME, "text", (
        s.GUARDRAIL_NAME, "gen_ai.guardrail.name", "gen_ai.guardrail.component.name",
        "guard.name")),
    (s.GUARDRAIL_VERDICT, "verdict", (
        s.GUARDRAIL_VERDICT, "gen_ai.guardrail.verdict.type", "gen_ai.guardrail.result.type",
        "gen_ai.guardrail.status", "gen_ai.guardrail.result", "guardrail.status",
        "guard.verdict", "guard.denied")),
    (s.GUARDRAIL_ACTION, "action", (
        s.GUARDRAIL_ACTION, "gen_ai.guardrail.action.type", "guardrail.action", "guard.action",
        "agent.threat.detection.action")),
    (s.GUARDRAIL_REASON, "text", (
        s.GUARDRAIL_REASON, "gen_ai.guardrail.verdict.reason", "gen_ai.guardrail.result.reason",
        "guardrail.reasons", "guard.explanation", "gen_ai.guardrail.error.message")),
)  # fmt: skip

# Where the operation is said, best first; the values that are not its own are mapped below.
OPERATION_KEYS: Final = (
    ("langfuse.observation.type", "langfuse"),
    ("langsmith.span.kind", "langsmith"),
    (s.OPERATION_NAME, None),
    ("openinference.span.kind", None),
    ("gen_ai.span.kind", None),
    ("traceloop.span.kind", None),
    ("llm.request.type", None),
    ("ai.operationId", None),
)
_OPERATIONS = {
    s.Operation.CHAT: (
        "llm", "generation", "chat_completion", "completion", "llm_request",
        "ai.generatetext.dogenerate", "ai.streamtext.dostream", "ai.generateobject.dogenerate",
        "ai.streamobject.dostream"),
    s.Operation.EMBEDDINGS: (
        "embedding", "ai.embed.doembed", "ai.embedmany.doembed"),
    s.Operation.RETRIEVAL: ("retriever", "vector_db", "vector_db_retrieve"),
    s.Operation.EXECUTE_TOOL: ("tool", "ai.toolcall", "tools/call"),
    s.Operation.INVOKE_AGENT: ("agent",),
    s.Operation.INVOKE_WORKFLOW: (
        "chain", "workflow", "task", "execute_task", "prompt", "parser", "conversation",
        "ai.generatetext", "ai.streamtext", "ai.generateobject", "ai.streamobject", "ai.embed",
        "ai.embedmany"),
    s.Operation.RERANK: ("reranker",),
    s.Operation.GUARDRAIL: ("guard", "guardrail.run", "apply_guardrail", "run_guardrail"),
    s.Operation.EVALUATION: ("evaluator",),
}  # fmt: skip
OPERATIONS: Final = {
    native: operation.value for operation, natives in _OPERATIONS.items() for native in natives
}
# Kinds that say nothing of what was done.
NO_OPERATION: Final = frozenset({"unknown", "span", "event", "decision"})

PROVIDERS: Final = {
    "vertex_ai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai", "google.vertex": "gcp.vertex_ai",
    "gemini": "gcp.gemini", "google": "gcp.gen_ai", "google.generative-ai": "gcp.gen_ai",
    "azure": "azure.ai.openai", "az.ai.openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai", "az.ai.inference": "azure.ai.inference",
    "aws": "aws.bedrock", "amazon-bedrock": "aws.bedrock", "bedrock": "aws.bedrock",
    "xai": "x_ai", "mistralai": "mistral_ai", "mistral": "mistral_ai", "moonshot": "moonshot_ai",
}  # fmt: skip
# Frameworks that call themselves the provider on spans which are no model calls.
NO_PROVIDER: Final = frozenset({"langchain", "langgraph"})

VERDICTS: Final = {
    "pass": ("passed", "pass", "allow", "none", "no_match_found", "false", "success"),
    "fail": (
        "failed", "fail", "deny", "warn", "escalate", "modify", "guardrail_intervened",
        "match_found", "true"),
    "error": ("error",),
    "skipped": ("skipped",),
}  # fmt: skip
ACTIONS: Final = {"deny": "block", "redact": "modify", "ask": "escalate"}
