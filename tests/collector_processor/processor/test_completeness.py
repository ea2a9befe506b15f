from __future__ import annotations

from typing import Any

import pytest

from collector_processor.model import Evaluation, Population, TraceVerdict, Verdict
from collector_processor.processor.codes import SOC2, TABLE, Code, Profile
from collector_processor.processor.completeness import is_sampled, judge
from collector_processor.processor.decode import decode_request
from collector_processor.processor.tally import Rules
from collector_processor.processor.tree import plant


class Judge:
    """Judges traces of spans, all of one resource."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def __call__(
        self,
        *spans: Any,
        resource: dict[str, Any] | None = None,
        rules: Rules | None = None,
        evaluations: tuple[Evaluation, ...] = (),
        late: tuple[str, ...] = (),
        **more: Any,
    ) -> TraceVerdict:
        body = self._otlp.request(*spans, resource=resource)
        read = decode_request(body, self._otlp.NOW_NS + 2 * self._otlp.SECOND)
        digests = frozenset(span.digest for span in read if span.name in late)
        return judge(plant(read, digests), evaluations, rules or Rules(), **more)

    def call(self, *, remove: tuple[str, ...] = (), **changed: Any) -> Any:
        return self._otlp.span("call", attributes=self.attributes(remove, changed))

    def attributes(
        self, remove: tuple[str, ...] = (), changed: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        kept = {**self._otlp.CALL, **(changed or {})}
        return {key: value for key, value in kept.items() if key not in remove}


@pytest.fixture
def judged(otlp: Any) -> Judge:
    return Judge(otlp)


def codes(verdict: TraceVerdict) -> tuple[str, ...]:
    return tuple(sorted(found.code for found in verdict.findings))


def test_a_call_that_lacks_nothing_is_complete(judged: Judge) -> None:
    verdict = judged(judged.call())
    assert (verdict.verdict, verdict.findings) == (Verdict.COMPLETE, ())


def test_a_trace_without_a_known_operation_is_unknown(judged: Judge, otlp: Any) -> None:
    assert judged(otlp.span("GET /")).verdict is Verdict.UNKNOWN


def test_incomplete_wins_over_unknown(judged: Judge, otlp: Any) -> None:
    assert judged(otlp.span("GET /", parent="gone")).verdict is Verdict.INCOMPLETE


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
        ({"service.version": "", "vcs.ref.head.revision": "abc"}, ()),
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


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([("root", None), ("a", "root")], ()),
        ([("a", None), ("b", None)], ()),
        ([("a", "gone")], (Code.MISSING_ROOT,)),
        ([("a", "gone"), ("b", "a")], (Code.MISSING_ROOT,)),
        ([("root", None), ("a", "gone")], (Code.ORPHAN_SPAN,)),
        ([("root", None), ("a", "gone"), ("b", "a")], (Code.ORPHAN_SPAN, Code.ORPHAN_SPAN)),
        ([("root", None), ("a", "a")], (Code.ORPHAN_SPAN,)),
        ([("root", None), ("a", "b"), ("b", "a")], (Code.ORPHAN_SPAN, Code.ORPHAN_SPAN)),
        ([("a", "b"), ("b", "a")], (Code.MISSING_ROOT,)),
    ],
)
def test_what_no_root_reaches_is_named(
    judged: Judge,
    otlp: Any,
    spans: list[tuple[str, str | None]],
    expected: tuple[Code, ...],
) -> None:
    verdict = judged(*(otlp.span(name, parent=parent) for name, parent in spans))
    assert codes(verdict) == expected


def test_a_remote_parent_that_did_not_arrive_makes_a_local_root(judged: Judge, otlp: Any) -> None:
    assert codes(judged(otlp.span("a", parent="far", remote=True))) == ()


def test_an_all_zero_parent_is_none(judged: Judge, otlp: Any) -> None:
    assert codes(judged(otlp.span("a", parent_span_id=bytes(8)))) == ()


def test_no_span_at_all_is_a_missing_root() -> None:
    verdict = judge(plant(()), (), Rules())
    assert (verdict.verdict, codes(verdict)) == (Verdict.INCOMPLETE, (Code.MISSING_ROOT,))


@pytest.mark.parametrize(
    "dropped",
    [
        {"dropped_attributes_count": 1},
        {"dropped_events_count": 1},
        {"dropped_links_count": 1},
        {"events": [{"name": "e", "dropped_attributes_count": 1}]},
        {"links": [{"trace_id": b"1" * 16, "dropped_attributes_count": 1}]},
    ],
)
def test_dropped_data_is_named(judged: Judge, otlp: Any, dropped: dict[str, Any]) -> None:
    assert codes(judged(otlp.span("root", **dropped))) == (Code.DROPPED_DATA,)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 1, (Code.INVALID_TIME,)),
        (5, 0, (Code.INVALID_TIME,)),
        (5, 4, (Code.INVALID_TIME,)),
        (5, 5, ()),
    ],
)
def test_impossible_times_are_named(
    judged: Judge, otlp: Any, start: int, end: int, expected: tuple[Code, ...]
) -> None:
    span = otlp.span("root", start_time_unix_nano=start, end_time_unix_nano=end)
    assert codes(judged(span)) == expected


@pytest.mark.parametrize(
    ("ahead_s", "expected"), [(30, ()), (86_000, ()), (87_000, (Code.INVALID_TIME,))]
)
def test_a_clock_ahead_by_seconds_is_no_finding(
    judged: Judge, otlp: Any, ahead_s: int, expected: tuple[Code, ...]
) -> None:
    assert codes(judged(otlp.span("root", start_s=ahead_s))) == expected


@pytest.mark.parametrize(
    ("trace_state", "expected"),
    [
        ("ot=th:8;rv:abc", True),
        ("vendor=1,ot=rv:1;th:c", True),
        ("ot=th:0", False),
        ("ot=rv:abc", False),
        ("vendor=th:8", False),
        ("", False),
        ("garbage", False),
    ],
)
def test_a_threshold_above_zero_is_sampling(trace_state: str, *, expected: bool) -> None:
    assert is_sampled(trace_state) is expected


def test_sampled_late_and_conflicting_spans_are_named(judged: Judge, otlp: Any) -> None:
    assert codes(judged(otlp.span("root", trace_state="ot=th:8"))) == (Code.SAMPLED,)
    late = judged(judged.call(), otlp.span("a", parent="call"), late=("a",))
    assert (late.codes, late.observed) == ((), (Code.LATE_SPAN,))
    conflict = judged(otlp.span("a"), otlp.span("a", attributes={"other": 1}))
    assert codes(conflict) == (Code.DUPLICATE_CONFLICT,)


def test_an_intent_without_an_outcome_is_named(judged: Judge, otlp: Any) -> None:
    call = judged.call()
    assert codes(judged(call, intents=(otlp.span_id("call").hex(),))) == ()
    verdict = judged(call, intents=("ab" * 8,))
    assert [(f.code, f.span_id) for f in verdict.findings] == [(Code.OPEN_INTENT, "ab" * 8)]


def test_a_span_that_could_not_be_read_is_dropped_data(judged: Judge) -> None:
    assert codes(judged(judged.call(), damaged=("ab" * 8,))) == (Code.DROPPED_DATA,)


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


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([FAILED, {}], (Code.FALLBACK_WITHOUT_REASON,)),
        ([FAILED, {"traceai.fallback.reason": "rate_limit"}], ()),
        ([FAILED, FAILED, {}, {}], (Code.FALLBACK_WITHOUT_REASON,)),
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


def test_attempts_that_are_spans_each_owe_one_reason(judged: Judge, otlp: Any) -> None:
    calls = [
        {**FAILED, "traceai.attempt.number": 1},
        {**FAILED, "traceai.attempt.number": 2, "traceai.retry.reason": "timeout"},
        {"traceai.attempt.number": 3, "traceai.retry.reason": "timeout"},
    ]
    assert codes(judged(*family(judged, otlp, *calls))) == ()


def tool_trace(otlp: Any, judged: Judge, reasons: list[str], tool: dict[str, Any]) -> Any:
    changed = {"gen_ai.response.finish_reasons": reasons}
    return (
        otlp.span("root", attributes={"gen_ai.operation.name": "invoke_agent"}),
        otlp.span("call", parent="root", attributes=judged.attributes((), changed)),
        otlp.span("node", parent="root", start_s=1),
        otlp.span(
            "tool",
            parent="node",
            start_s=1,
            attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay", **tool},
        ),
    )


TOOL = {"gen_ai.tool.call.id": "call_1", "gen_ai.tool.call.result": "ok"}


@pytest.mark.parametrize(
    ("reasons", "tool", "expected"),
    [
        (["tool_call"], TOOL, ()),
        (["tool_calls"], {"gen_ai.tool.call.result": "ok"}, (Code.NO_TOOL_CALL_ID,)),
        (["stop"], {"gen_ai.tool.call.result": "ok"}, ()),
        (["stop"], {}, (Code.NO_TOOL_RESULT,)),
        (["stop"], {"gen_ai.tool.call.result.digest": "hmac"}, ()),
        (["stop"], {"traceai.outcome": "error"}, ()),
        (["stop"], {**TOOL, "traceai.tool.effect": "write"}, (Code.NO_TOOL_AUTHORIZATION,)),
        (["stop"], {**TOOL, "traceai.tool.effect": "read"}, ()),
        (
            ["stop"],
            {**TOOL, "traceai.tool.effect": "external", "traceai.approval.status": "denied"},
            (),
        ),
    ],
)
def test_what_a_tool_call_lacks_is_named(
    judged: Judge,
    otlp: Any,
    reasons: list[str],
    tool: dict[str, Any],
    expected: tuple[Code, ...],
) -> None:
    assert codes(judged(*tool_trace(otlp, judged, reasons, tool))) == expected


def test_the_inventory_may_say_what_a_tool_does(judged: Judge, otlp: Any) -> None:
    rules = Rules(tool_effects={"pay": "destructive"})
    verdict = judged(*tool_trace(otlp, judged, ["stop"], TOOL), rules=rules)
    assert codes(verdict) == (Code.NO_TOOL_AUTHORIZATION,)


POLICY = {"traceai.policy.id": "p", "traceai.policy.version": "1"}


@pytest.mark.parametrize(
    ("guardrail", "expected"),
    [
        ({"traceai.guardrail.action": "allow"}, ()),
        (
            {"traceai.guardrail.action": "block"},
            (Code.GUARDRAIL_WITHOUT_POLICY, Code.GUARDRAIL_WITHOUT_REASON),
        ),
        (
            {"traceai.guardrail.action": "block", "traceai.guardrail.reason": "PII", **POLICY},
            (),
        ),
        ({"gen_ai.guardrail.action.type": "deny", **POLICY}, (Code.GUARDRAIL_WITHOUT_REASON,)),
        ({"traceai.guardrail.verdict": "pass"}, ()),
        (
            {
                "gen_ai.guardrail.result.reason": "r",
                "gen_ai.guardrail.policy.id": "p",
                "gen_ai.guardrail.policy.version": "1",
                "gen_ai.guardrail.status": "FAILED",
            },
            (),
        ),
    ],
)
def test_what_a_guardrail_lacks_is_named(
    judged: Judge, otlp: Any, guardrail: dict[str, str], expected: tuple[Code, ...]
) -> None:
    attributes = {"gen_ai.operation.name": "guardrail", **guardrail}
    assert codes(judged(otlp.span("guardrail pii", attributes=attributes))) == expected


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


def test_a_profile_says_per_route_what_is_required(judged: Judge) -> None:
    lenient = Profile(name="x", observed=frozenset(), routes={"support": frozenset({Code.NO_USER})})
    verdict = judged(judged.call(remove=("user.id",)), rules=Rules(profile=lenient))
    assert (verdict.verdict, verdict.observed) == (Verdict.COMPLETE, (Code.NO_USER,))


def test_findings_and_subjects_are_of_the_calls_route_and_service(judged: Judge) -> None:
    verdict = judged(judged.call(remove=("user.id",)))
    [found] = verdict.findings
    assert (found.service, found.route, found.required) == ("shop", "support", True)
    [subjects] = verdict.subjects
    assert (subjects.service, subjects.route) == ("shop", "support")
    assert subjects.counts[Population.TRACES] == 1
    assert subjects.counts[Population.MODEL_CALLS] == 1
    assert Population.TOOL_CALLS not in subjects.counts


def test_every_code_has_a_population_and_a_remedy() -> None:
    assert set(TABLE) == set(Code)
    assert all(
        rule.remedy.endswith(".") and rule.population in Population for rule in TABLE.values()
    )
    assert {code for code in Code if not SOC2.requires(code, None)} == {
        Code.LATE_SPAN,
        Code.NO_CONTENT_STATE,
    }
