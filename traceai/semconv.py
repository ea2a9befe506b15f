"""Every attribute, event and operation name that traceai writes or reads, with its source.

[genai]  OpenTelemetry GenAI conventions, development, newest text (2026-08).
[otel]   OpenTelemetry semantic conventions 1.44.
[ours]   no convention exists: prefix `traceai.`, never inside another's namespace.

No published constants package holds the newest GenAI names, so they are pinned here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

SCOPE: Final = "traceai"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"


class Operation(StrEnum):
    """Values of `gen_ai.operation.name` [genai], and `guardrail`, which has none yet [ours]."""

    CHAT = "chat"
    TEXT_COMPLETION = "text_completion"
    GENERATE_CONTENT = "generate_content"
    EMBEDDINGS = "embeddings"
    RETRIEVAL = "retrieval"
    EXECUTE_TOOL = "execute_tool"
    INVOKE_AGENT = "invoke_agent"
    INVOKE_WORKFLOW = "invoke_workflow"
    CREATE_AGENT = "create_agent"
    FETCH_RESPONSE = "fetch_response"
    PLAN = "plan"
    RERANK = "rerank"
    GUARDRAIL = "guardrail"
    EVALUATION = "evaluation"


class Outcome(StrEnum):
    """Values of `traceai.outcome` [ours]: how a call ended. Absent while it is open."""

    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"


class ContentState(StrEnum):
    """Values of `traceai.content.state` [ours]: what became of the content of a call."""

    FULL = "full"
    REDACTED = "redacted"
    DIGEST = "digest"
    REF = "ref"
    NONE = "none"


# gen_ai.* [genai]
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
OUTPUT_TYPE: Final = "gen_ai.output.type"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_STATUS: Final = "gen_ai.response.status"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_INPUT_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"
RETRIEVAL_QUERY_TEXT: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "gen_ai.prompt.version"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
EVALUATION_SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
EVALUATION_RESULT_EVENT: Final = "gen_ai.evaluation.result"

# openai.* [genai]
OPENAI_API_TYPE: Final = "openai.api.type"
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"

# of every kind of telemetry: [otel]
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
USER_ID: Final = "user.id"
ENDUSER_ID: Final = "enduser.id"
ENDUSER_PSEUDO_ID: Final = "enduser.pseudo.id"
SESSION_ID: Final = "session.id"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
VCS_REF_HEAD_REVISION: Final = "vcs.ref.head.revision"

# traceai.* [ours]
TENANT_ID: Final = "traceai.tenant.id"
ROUTE: Final = "traceai.route"
COHORT: Final = "traceai.cohort"
PROMPT_DIGEST: Final = "traceai.prompt.digest"
POLICY_ID: Final = "traceai.policy.id"
POLICY_VERSION: Final = "traceai.policy.version"
POLICY_DIGEST: Final = "traceai.policy.digest"
RISK: Final = "traceai.risk"
DATA_CLASSES: Final = "traceai.data.classes"
TAGS: Final = "traceai.tags"
OUTCOME: Final = "traceai.outcome"
CONTENT_STATE: Final = "traceai.content.state"
CONTENT_INPUT_DIGEST: Final = "traceai.content.input.digest"
CONTENT_OUTPUT_DIGEST: Final = "traceai.content.output.digest"
REDACTION_COUNT: Final = "traceai.redaction.count"
SEQUENCE_NUMBER: Final = "traceai.sequence.number"
ATTEMPT_NUMBER: Final = "traceai.attempt.number"
ATTEMPT_MAX: Final = "traceai.attempt.max"
RETRY_REASON: Final = "traceai.retry.reason"
FALLBACK_FROM_PROVIDER: Final = "traceai.fallback.from.provider"
FALLBACK_FROM_MODEL: Final = "traceai.fallback.from.model"
FALLBACK_REASON: Final = "traceai.fallback.reason"
PROVIDER_REQUEST_ID: Final = "traceai.provider.request_id"
CACHE_STATUS: Final = "traceai.cache.status"
TOOL_EFFECT: Final = "traceai.tool.effect"
APPROVAL_STATUS: Final = "traceai.approval.status"
GUARDRAIL_NAME: Final = "traceai.guardrail.name"
GUARDRAIL_VERSION: Final = "traceai.guardrail.version"
GUARDRAIL_PHASE: Final = "traceai.guardrail.phase"
GUARDRAIL_VERDICT: Final = "traceai.guardrail.verdict"
GUARDRAIL_ACTION: Final = "traceai.guardrail.action"
GUARDRAIL_REASON: Final = "traceai.guardrail.reason"
EVALUATOR_VERSION: Final = "traceai.evaluator.version"
EVALUATOR_KIND: Final = "traceai.evaluator.kind"
EVALUATOR_PASSED: Final = "traceai.evaluator.passed"
EVALUATOR_TARGET: Final = "traceai.evaluator.target"

# The identity that `traceai.context` writes: no request metadata may overwrite one of these (P7).
IDENTITY: Final = frozenset(
    {
        USER_ID,
        SESSION_ID,
        CONVERSATION_ID,
        TENANT_ID,
        ROUTE,
        COHORT,
        PROMPT_NAME,
        PROMPT_VERSION,
        PROMPT_DIGEST,
        POLICY_ID,
        POLICY_VERSION,
        POLICY_DIGEST,
        RISK,
        DATA_CLASSES,
        TAGS,
    }
)

# What one model call is, for whoever counts calls.
MODEL_CALLS: Final = frozenset(
    {
        Operation.CHAT,
        Operation.TEXT_COMPLETION,
        Operation.GENERATE_CONTENT,
        Operation.EMBEDDINGS,
    }
)
