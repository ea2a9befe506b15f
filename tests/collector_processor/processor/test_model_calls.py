from __future__ import annotations

from typing import Any

import pytest

from collector_processor.model import Evaluation, TraceVerdict, Verdict
from collector_processor.processor.codes import Code
from collector_processor.processor.tally import Rules

Judge = Any


def codes(verdict: TraceVerdict) -> tuple[str, ...]:
    return tuple(sorted(found.code for found in verdict.findings))


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        (("gen_ai.provider.name",), Code.NO_PROVIDER),
        (("gen_ai.request.model",), Code.NO_REQUEST_MODEL),
        (("gen_ai.response.model",), Code.NO_RESPONSE_MODEL),
        (("gen_ai.response.id",), Code.NO_RESPONSE_ID),
        (("gen_ai.response.finish_reasons",), Code.NO_FINISH_REASON),
        (("gen_ai.usage.input_tokens",), Code.NO_USAGE),
        (("gen_ai.usage.output_tokens",), Code.NO_USAGE),
        (("user.id",), Code.NO_USER),
        (("traceai.route",), Code.NO_ROUTE),
        (("gen_ai.prompt.name",), Code.NO_PROMPT_VERSION),
        (("gen_ai.prompt.version",), Code.NO_PROMPT_VERSION),
        (("traceai.policy.id",), Code.NO_POLICY),
        (("traceai.policy.version",), Code.NO_POLICY),
        (("traceai.content.state",), Code.NO_CONTENT_STATE),
    ],
)
def test_what_a_model_call_lacks_is_named(
    judged: Judge, missing: tuple[str, ...], code: Code
) -> None:
    assert codes(judged(judged.call(remove=missing))) == (code,)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"user.id": ""}, Code.NO_USER),
        ({"gen_ai.response.model": "gpt-4o-mini"}, Code.MODEL_MISMATCH),
        ({"traceai.attempt.number": 2}, Code.RETRY_WITHOUT_REASON),
        ({"http.request.resend_count": 1}, Code.RETRY_WITHOUT_REASON),
        (
            {"traceai.attempt.number": 3, "traceai.retry.reason": "timeout"},
            Code.RETRY_WITHOUT_REASON,
        ),
        ({"traceai.fallback.from.provider": "openai"}, Code.FALLBACK_WITHOUT_REASON),
        ({"traceai.fallback.from.model": "gpt-4o"}, Code.FALLBACK_WITHOUT_REASON),
    ],
)
def test_what_is_wrong_with_a_model_call_is_named(
    judged: Judge, changed: dict[str, Any], code: Code
) -> None:
    assert codes(judged(judged.call(**changed))) == (code,)


@pytest.mark.parametrize(
    "changed",
    [
        {"traceai.attempt.number": 3, "traceai.retry.reason": "timeout,rate_limit"},
        {"traceai.fallback.from.model": "x", "traceai.fallback.reason": "error"},
        {"gen_ai.prompt.version": "", "traceai.prompt.digest": "sha256:1"},
        {"user.id": "", "enduser.pseudo.id": "hmac"},
        {"gen_ai.usage.output_tokens": 0},
        {"gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "my-deployment"},
        {"gen_ai.response.finish_reasons": "stop"},
    ],
)
def test_what_is_enough_is_not_named(judged: Judge, changed: dict[str, Any]) -> None:
    assert codes(judged(judged.call(**changed))) == ()


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ({"service.version": ""}, (Code.NO_RELEASE,)),
        ({"deployment.environment.name": ""}, (Code.NO_ENVIRONMENT,)),
        ({"deployment.environment.name": "", "deployment.environment": "eu"}, ()),
        ({"service.version": "", "vcs.ref.head.revision": "abc"}, (Code.NO_RELEASE,)),
        ({"service.name": "unknown_service:python"}, (Code.UNKNOWN_SERVICE,)),
        ({"service.name": ""}, (Code.UNKNOWN_SERVICE,)),
    ],
)
def test_what_the_resource_should_say_is_named(
    judged: Judge, otlp: Any, resource: dict[str, str], expected: tuple[Code, ...]
) -> None:
    assert codes(judged(judged.call(), resource={**otlp.RESOURCE, **resource})) == expected


ANSWER = (
    "gen_ai.response.model",
    "gen_ai.response.id",
    "gen_ai.response.finish_reasons",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
)


@pytest.mark.parametrize("outcome", ["error", "cancelled", "abandoned"])
def test_only_a_completed_call_owes_an_answer(judged: Judge, outcome: str) -> None:
    call = judged.call(remove=ANSWER, **{"traceai.outcome": outcome})
    assert codes(judged(call)) == ()


def test_without_a_stated_outcome_the_status_says(judged: Judge, otlp: Any) -> None:
    failed = judged.attributes((*ANSWER, "traceai.outcome"))
    assert codes(judged(otlp.span("call", attributes=failed, error=True))) == ()
    assert codes(judged(otlp.span("call", attributes=failed))) == (
        Code.NO_FINISH_REASON,
        Code.NO_RESPONSE_ID,
        Code.NO_RESPONSE_MODEL,
        Code.NO_USAGE,
    )


def test_embeddings_need_no_id_finish_reason_output_count_or_prompt(judged: Judge) -> None:
    call = judged.call(
        remove=(
            "gen_ai.response.id",
            "gen_ai.response.finish_reasons",
            "gen_ai.usage.output_tokens",
            "gen_ai.prompt.name",
            "gen_ai.prompt.version",
        ),
        **{"gen_ai.operation.name": "embeddings"},
    )
    assert codes(judged(call)) == ()


IDENTITY = (
    "user.id",
    "traceai.route",
    "gen_ai.prompt.name",
    "gen_ai.prompt.version",
    "traceai.policy.id",
    "traceai.policy.version",
)


def test_identity_may_stand_on_an_ancestor_or_the_resource(judged: Judge, otlp: Any) -> None:
    identity = {key: otlp.CALL[key] for key in IDENTITY}
    call = judged.attributes(IDENTITY)
    on_ancestor = (
        otlp.span("root", attributes=identity),
        otlp.span("step", parent="root"),
        otlp.span("call", parent="step", attributes=call),
    )
    assert codes(judged(*on_ancestor)) == ()
    on_resource = judged(otlp.span("call", attributes=call), resource={**otlp.RESOURCE, **identity})
    assert codes(on_resource) == ()


def test_an_ancestor_elsewhere_gives_nothing(judged: Judge, otlp: Any) -> None:
    verdict = judged(
        otlp.span("root", attributes={"user.id": "u"}),
        otlp.span("call", attributes=judged.attributes(("user.id",))),
    )
    assert codes(verdict) == (Code.NO_USER,)


def test_a_version_belongs_to_the_policy_it_stands_with(judged: Judge, otlp: Any) -> None:
    verdict = judged(
        otlp.span("root", attributes={"traceai.policy.id": "x", "traceai.policy.version": "1"}),
        otlp.span("call", parent="root", attributes=judged.attributes(("traceai.policy.version",))),
    )
    assert codes(verdict) == (Code.NO_POLICY,)


def family(judged: Judge, otlp: Any, *calls: dict[str, Any]) -> tuple[Any, ...]:
    return (
        otlp.span("root", attributes={"gen_ai.operation.name": "invoke_agent"}),
        *(
            otlp.span(
                f"call{number}",
                parent="root",
                start_s=number,
                attributes=judged.attributes((), call),
            )
            for number, call in enumerate(calls)
        ),
    )


FAILED = {"traceai.outcome": "error"}
OTHER = {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-mini"}


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([FAILED, OTHER], (Code.FALLBACK_WITHOUT_REASON,)),
        ([FAILED, {"gen_ai.provider.name": "x_ai"}], (Code.FALLBACK_WITHOUT_REASON,)),
        ([FAILED, {**OTHER, "traceai.fallback.reason": "rate_limit"}], ()),
        ([FAILED, FAILED, OTHER, OTHER], (Code.FALLBACK_WITHOUT_REASON,)),
        # The same model again is a retry.
        ([FAILED, {}], (Code.RETRY_WITHOUT_REASON,)),
        ([FAILED, {"traceai.retry.reason": "timeout"}], ()),
        ([FAILED, {"traceai.fallback.reason": "rate_limit"}], ()),
        ([{}, FAILED], ()),
        ([{"traceai.outcome": "abandoned"}, {}], ()),
        ([FAILED, {"traceai.attempt.number": 2, "traceai.retry.reason": "timeout"}], ()),
        ([{**FAILED, "gen_ai.operation.name": "embeddings"}, {}], ()),
    ],
)
def test_a_call_that_stands_in_for_a_failed_one_needs_a_reason(
    judged: Judge, otlp: Any, calls: list[dict[str, Any]], expected: tuple[Code, ...]
) -> None:
    assert codes(judged(*family(judged, otlp, *calls))) == expected


@pytest.mark.parametrize(
    ("starts_s", "expected"),
    [
        # Each call takes a second.
        ((0, 1), (Code.FALLBACK_WITHOUT_REASON,)),
        ((0, 0.99), ()),
        ((0, 0), ()),
        ((0.01, 0), ()),
    ],
)
def test_a_call_that_ran_beside_a_failed_one_stands_in_for_nothing(
    judged: Judge, otlp: Any, starts_s: tuple[float, float], expected: tuple[Code, ...]
) -> None:
    failed, other = (
        otlp.span(
            name, parent="root", start_s=start_s, attributes=judged.attributes((), attributes)
        )
        for name, start_s, attributes in zip("ab", starts_s, (FAILED, OTHER), strict=True)
    )
    assert codes(judged(otlp.span("root"), failed, other)) == expected


def test_a_call_after_parallel_ones_stands_in_for_the_failed_one(judged: Judge, otlp: Any) -> None:
    def call(name: str, start_s: float, attributes: dict[str, Any]) -> Any:
        given = judged.attributes((), attributes)
        return otlp.span(name, parent="root", start_s=start_s, attributes=given)

    verdict = judged(
        otlp.span("root"), call("a", 0, FAILED), call("b", 0.5, OTHER), call("c", 2, OTHER)
    )
    assert [(found.code, found.span_id) for found in verdict.findings] == [
        (Code.FALLBACK_WITHOUT_REASON, otlp.span_id("c").hex())
    ]


def test_attempts_that_are_spans_each_owe_one_reason(judged: Judge, otlp: Any) -> None:
    calls = [
        {**FAILED, "traceai.attempt.number": 1},
        {**FAILED, "traceai.attempt.number": 2, "traceai.retry.reason": "timeout"},
        {"traceai.attempt.number": 3, "traceai.retry.reason": "timeout"},
    ]
    assert codes(judged(*family(judged, otlp, *calls))) == ()


def evaluation(otlp: Any, **changed: Any) -> Evaluation:
    given = {
        "span_ids": (otlp.span_id("call").hex(),),
        "name": "pii",
        "version": "1",
        "target": "output",
        "passed": True,
    }
    return Evaluation(**{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ()),
        ({"passed": False}, ()),
        ({"passed": None, "score": 0.4, "arrived": True}, ()),
        ({"passed": None}, (Code.EVALUATION_MISSING,)),
        ({"name": "secrets"}, (Code.EVALUATION_MISSING,)),
        ({"passed": None, "label": "error"}, (Code.EVALUATION_ERROR,)),
    ],
)
def test_a_required_evaluation_needs_a_verdict(
    judged: Judge, otlp: Any, changed: dict[str, Any], expected: tuple[Code, ...]
) -> None:
    rules = Rules(required_evaluations={"support": ("pii",)})
    found = judged(judged.call(), rules=rules, evaluations=(evaluation(otlp, **changed),))
    assert found.codes == expected


def test_evaluations_are_required_per_route_and_errors_elsewhere_are_observed(
    judged: Judge, otlp: Any
) -> None:
    elsewhere = Rules(required_evaluations={"billing": ("pii",)})
    assert codes(judged(judged.call(), rules=elsewhere)) == ()
    everywhere = Rules(required_evaluations={"*": ("pii",)})
    assert codes(judged(judged.call(), rules=everywhere)) == (Code.EVALUATION_MISSING,)
    failed = evaluation(otlp, passed=None, label="error")
    verdict = judged(judged.call(), evaluations=(failed,))
    assert (verdict.verdict, verdict.observed) == (Verdict.COMPLETE, (Code.EVALUATION_ERROR,))
