"""The completeness codes: what each one counts, and what to do about it. Data, read by the report.

Codes, axes and verdicts are a contract (DESIGN section 6). A profile says which codes are required.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from collector_processor.model import Population

if TYPE_CHECKING:
    from collections.abc import Mapping


class Code(StrEnum):
    """What a trace can lack."""

    MISSING_ROOT = "missing_root"
    ORPHAN_SPAN = "orphan_span"
    OPEN_INTENT = "open_intent"
    LATE_SPAN = "late_span"
    DUPLICATE_CONFLICT = "duplicate_conflict"
    DROPPED_DATA = "dropped_data"
    SAMPLED = "sampled"
    INVALID_TIME = "invalid_time"
    NO_PROVIDER = "no_provider"
    NO_REQUEST_MODEL = "no_request_model"
    NO_RESPONSE_MODEL = "no_response_model"
    NO_RESPONSE_ID = "no_response_id"
    NO_FINISH_REASON = "no_finish_reason"
    NO_USAGE = "no_usage"
    NO_USER = "no_user"
    NO_ROUTE = "no_route"
    NO_PROMPT_VERSION = "no_prompt_version"
    NO_POLICY = "no_policy"
    NO_RELEASE = "no_release"
    NO_ENVIRONMENT = "no_environment"
    UNKNOWN_SERVICE = "unknown_service"
    NO_CONTENT_STATE = "no_content_state"
    MODEL_MISMATCH = "model_mismatch"
    RETRY_WITHOUT_REASON = "retry_without_reason"
    FALLBACK_WITHOUT_REASON = "fallback_without_reason"
    EVALUATION_MISSING = "evaluation_missing"
    EVALUATION_ERROR = "evaluation_error"
    NO_TOOL_CALL_ID = "no_tool_call_id"
    NO_TOOL_RESULT = "no_tool_result"
    NO_TOOL_AUTHORIZATION = "no_tool_authorization"
    GUARDRAIL_WITHOUT_POLICY = "guardrail_without_policy"
    GUARDRAIL_WITHOUT_REASON = "guardrail_without_reason"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is known of a code besides how it is found.

    Attributes:
        population: the subjects to which it applies: its denominator.
        remedy: one line for whoever can mend it.
    """

    population: Population
    remedy: str


_P = Population
TABLE: Final[Mapping[Code, Rule]] = {
    Code.MISSING_ROOT: Rule(
        _P.TRACES, "Export the root span: flush before the process exits, and follow long runs."
    ),
    Code.ORPHAN_SPAN: Rule(
        _P.TRACES, "Export the parent too: same sampler, same exporter, context carried across."
    ),
    Code.OPEN_INTENT: Rule(
        _P.TRACES, "A call left and its process died: look for the outcome at the provider."
    ),
    Code.LATE_SPAN: Rule(_P.TRACES, "Flush sooner, or raise `quiet_s` above the export delay."),
    Code.DUPLICATE_CONFLICT: Rule(
        _P.TRACES, "Two different spans carry one id: find the second emitter or id generator."
    ),
    Code.DROPPED_DATA: Rule(
        _P.TRACES, "Raise the SDK's span limits; the collector logs the spans that it cannot read."
    ),
    Code.SAMPLED: Rule(_P.TRACES, "Record every trace: OTEL_TRACES_SAMPLER=parentbased_always_on."),
    Code.INVALID_TIME: Rule(_P.TRACES, "Set start and end, and synchronise the host's clock."),
    Code.NO_PROVIDER: Rule(_P.MODEL_CALLS, "Set gen_ai.provider.name on the call."),
    Code.NO_REQUEST_MODEL: Rule(_P.MODEL_CALLS, "Set gen_ai.request.model on the call."),
    Code.NO_RESPONSE_MODEL: Rule(
        _P.COMPLETED_CALLS, "Record the model that the response names (gen_ai.response.model)."
    ),
    Code.NO_RESPONSE_ID: Rule(
        _P.COMPLETED_GENERATIONS, "Record the response's id (gen_ai.response.id)."
    ),
    Code.NO_FINISH_REASON: Rule(
        _P.COMPLETED_GENERATIONS,
        "Record why the answer ended (gen_ai.response.finish_reasons); read streams to the end.",
    ),
    Code.NO_USAGE: Rule(
        _P.COMPLETED_CALLS,
        "Record both token counts; ask for usage in streams (stream_options.include_usage).",
    ),
    Code.NO_USER: Rule(
        _P.MODEL_CALLS, "Say on whose behalf: traceai.context(user=…), or user.id upstream."
    ),
    Code.NO_ROUTE: Rule(_P.MODEL_CALLS, "Name the logical route: traceai.context(route=…)."),
    Code.NO_PROMPT_VERSION: Rule(
        _P.GENERATIONS, "Name the prompt and its version: traceai.context(prompt=Prompt(…))."
    ),
    Code.NO_POLICY: Rule(
        _P.MODEL_CALLS, "Name the policy in force and its version: traceai.context(policy=…)."
    ),
    Code.NO_RELEASE: Rule(
        _P.MODEL_CALLS,
        "Set service.version: traceai.instrument(release=…) or a resource attribute.",
    ),
    Code.NO_ENVIRONMENT: Rule(
        _P.MODEL_CALLS, "Set deployment.environment.name: traceai.instrument(environment=…)."
    ),
    Code.UNKNOWN_SERVICE: Rule(
        _P.MODEL_CALLS, "Set service.name: traceai.instrument(service=…) or OTEL_SERVICE_NAME."
    ),
    Code.NO_CONTENT_STATE: Rule(
        _P.MODEL_CALLS, "Say what became of the content: traceai.content.state."
    ),
    Code.MODEL_MISMATCH: Rule(
        _P.MODEL_CALLS,
        "Another model served than was asked for: request that one, or mend the gateway.",
    ),
    Code.RETRY_WITHOUT_REASON: Rule(
        _P.RETRIED_CALLS, "Record one traceai.retry.reason for each failed attempt."
    ),
    Code.FALLBACK_WITHOUT_REASON: Rule(
        _P.FALLBACK_CALLS,
        "Record why another model answered: traceai.fallback.reason on the call that stood in.",
    ),
    Code.EVALUATION_MISSING: Rule(
        _P.MODEL_CALLS, "Run the evaluators that the route requires, and capture what they judge."
    ),
    Code.EVALUATION_ERROR: Rule(_P.MODEL_CALLS, "Mend the evaluator that raised; see its reason."),
    Code.NO_TOOL_CALL_ID: Rule(
        _P.REQUESTED_TOOL_CALLS, "Record the id of the model's request (gen_ai.tool.call.id)."
    ),
    Code.NO_TOOL_RESULT: Rule(
        _P.COMPLETED_TOOL_CALLS, "Record gen_ai.tool.call.result, or its digest."
    ),
    Code.NO_TOOL_AUTHORIZATION: Rule(
        _P.EFFECT_TOOL_CALLS, "Record who allowed it: traceai.approval.status."
    ),
    Code.GUARDRAIL_WITHOUT_POLICY: Rule(
        _P.ENFORCED_GUARDRAILS, "Name the policy, with its version, that the guardrail enforces."
    ),
    Code.GUARDRAIL_WITHOUT_REASON: Rule(
        _P.ENFORCED_GUARDRAILS, "Record why it acted: traceai.guardrail.reason."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Which codes make a trace incomplete.

    Attributes:
        observed: the codes that are listed only; every other is required.
        routes: for single routes, what is observed there instead.
    """

    name: str
    observed: frozenset[str]
    routes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def requires(self, code: str, route: str | None) -> bool:
        """Say whether a code is required on a route."""
        observed = self.observed if route is None else self.routes.get(route, self.observed)
        return code not in observed


SOC2: Final = Profile(name="soc2", observed=frozenset({Code.LATE_SPAN, Code.NO_CONTENT_STATE}))
PROFILES: Final[Mapping[str, Profile]] = {SOC2.name: SOC2}
