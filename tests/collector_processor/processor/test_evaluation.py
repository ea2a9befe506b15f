"""The runner over real trees: what is asked of which check, and what becomes of the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.model import Evaluation
from collector_processor.processor.decode import decode_request
from collector_processor.processor.evaluation import (
    ContentCheck,
    Evaluators,
    Flags,
    Runner,
    call_facts,
    flag,
)
from collector_processor.processor.tree import plant
from traceai.evaluators.detect import PII_KINDS
from traceai.evaluators.result import EvalResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector_processor.processor.tree import Tree

DIRTY = "write to jane.doe@acme-corp.com"


class Listener:
    """A check of a user's, which keeps what it was asked; unless told, it fails what is dirty."""

    version = "1"

    def __init__(self, name: str = "listener", result: EvalResult | None = None) -> None:
        self.name = name
        self.asked: list[dict[str, Any]] = []
        self._result = result

    def evaluate(self, **available: Any) -> EvalResult:
        self.asked.append(available)
        return self._result or EvalResult(passed=DIRTY not in available.values())


class Evaluated:
    """Decodes, plants, flags and evaluates spans as a seal does."""

    def __init__(self, otlp: Any) -> None:
        self._otlp = otlp

    def tree(self, *spans: Any) -> tuple[Tree, Mapping[bytes, Flags]]:
        decoded = decode_request(self._otlp.request(*spans), self._otlp.NOW_NS)
        flags = zip((span.digest for span in decoded), flag(decoded), strict=True)
        return plant(decoded), dict(flags)

    def __call__(
        self, evaluators: Evaluators, *spans: Any, known: Sequence[Evaluation] = ()
    ) -> tuple[Evaluation, ...]:
        tree, flags = self.tree(*spans)
        return Runner(evaluators).evaluate(tree, flags, known)

    def call(self, name: str = "call", **attributes: Any) -> Any:
        return self._otlp.span(name, attributes={**self._otlp.CALL, **attributes})


@pytest.fixture
def evaluated(otlp: Any) -> Evaluated:
    return Evaluated(otlp)


def content(*checks: Listener) -> Evaluators:
    return Evaluators(content=tuple(ContentCheck(check=c, kinds=PII_KINDS) for c in checks))


def said(text: str) -> str:
    return json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": text}]}])


ANSWERED = {"gen_ai.output.messages": said("good day")}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("chat", ["input", "output"]),
        ("text_completion", ["input", "output"]),
        ("generate_content", ["input", "output"]),
        ("embeddings", ["input"]),
        ("execute_tool", ["arguments", "result"]),
        ("retrieval", ["documents", "query"]),
        ("fetch_response", ["output"]),
        ("invoke_agent", []),
        ("chain", []),
        ("something_else", []),
    ],
)
def test_what_is_judged_depends_on_the_operation(
    evaluated: Evaluated, otlp: Any, operation: str, expected: list[str]
) -> None:
    span = otlp.span("s", attributes={"gen_ai.operation.name": operation})
    found = evaluated(content(Listener()), span)
    assert sorted(result.target for result in found) == expected


def test_what_the_gate_clears_is_not_looked_at_closely(evaluated: Evaluated) -> None:
    check = Listener()
    found = evaluated(content(check), *(evaluated.call(f"c{n}", **ANSWERED) for n in range(9)))
    # Asked once for each side, when the runner was made.
    assert check.asked == [{"input": "-"}, {"output": "-"}]
    [output] = [result for result in found if result.target == "output"]
    assert (output.passed, len(output.span_ids)) == (True, 9)


def test_what_the_gate_flags_is_read_and_judged(evaluated: Evaluated, otlp: Any) -> None:
    check = Listener()
    dirty = evaluated.call("dirty", **{"gen_ai.output.messages": said(DIRTY)})
    found = evaluated(content(check), dirty, evaluated.call("clean", **ANSWERED))
    assert check.asked[2:] == [{"output": DIRTY}]
    assert {f.span_ids: f.passed for f in found if f.target == "output"} == {
        (otlp.span_id("dirty").hex(),): False,
        (otlp.span_id("clean").hex(),): True,
    }


def test_a_digest_is_no_content(evaluated: Evaluated) -> None:
    attributes = {
        "gen_ai.output.messages.digest": "sha256:ab",
        "traceai.content.state": "digest",
    }
    found = evaluated(content(Listener()), evaluated.call(**attributes))
    assert {(f.target, f.passed, f.reason) for f in found} == {
        ("input", None, "input was not captured (content state: digest)"),
        ("output", None, "output was not captured (content state: digest)"),
    }


def test_a_span_that_was_judged_before_is_not_judged_again(evaluated: Evaluated) -> None:
    tree, _ = evaluated.tree(evaluated.call(**ANSWERED))
    assert Runner(content(Listener())).evaluate(tree, {}) == ()


def test_a_new_copy_of_a_span_is_judged_whatever_is_known_of_the_other(
    evaluated: Evaluated, otlp: Any
) -> None:
    span_id = otlp.span_id("call").hex()
    known = Evaluation(
        span_ids=(span_id,), name="listener", version="1", target="output", passed=True
    )
    dirty = evaluated.call(**{"gen_ai.output.messages": said(DIRTY)})
    found = evaluated(content(Listener()), dirty, known=[known])
    assert {result.target: result.passed for result in found}["output"] is False


def test_a_verdict_on_a_call_that_is_known_is_not_made_again(evaluated: Evaluated) -> None:
    tree, _ = evaluated.tree(evaluated.call(**ANSWERED))
    ruling, approving = Listener("ruling"), Listener("approval")
    runner = Runner(Evaluators(policies={("p", "1"): ruling}, approval=approving))
    first = runner.evaluate(tree, {})
    assert [result.name for result in first] == ["approval", "ruling"]
    assert runner.evaluate(tree, {}, first) == ()


@pytest.mark.parametrize("changed", [{"version": "2"}, {"name": "other"}, {"arrived": True}])
def test_another_version_another_name_or_another_judge_does_not_count(
    evaluated: Evaluated, otlp: Any, changed: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"name": "listener", "version": "1", "target": "call", **changed}
    known = Evaluation(span_ids=(otlp.span_id("call").hex(),), passed=True, **given)
    tree, _ = evaluated.tree(evaluated.call())
    approval = Evaluators(approval=Listener())
    assert len(Runner(approval).evaluate(tree, {}, [known])) == 1


@pytest.mark.parametrize(
    ("operation", "approval", "policy"),
    [
        ("chat", 1, 1),
        ("embeddings", 1, 0),
        ("execute_tool", 0, 0),
        ("retrieval", 0, 0),
        ("invoke_agent", 0, 0),
    ],
)
def test_only_a_model_call_is_judged_as_a_call_and_only_an_answer_by_a_policy(
    evaluated: Evaluated, operation: str, approval: int, policy: int
) -> None:
    approving, ruling = Listener("approval"), Listener("ruling")
    evaluated(
        Evaluators(approval=approving, policies={("p", "1"): ruling}),
        evaluated.call(**{"gen_ai.operation.name": operation, **ANSWERED}),
    )
    assert (len(approving.asked), len(ruling.asked)) == (approval, policy)


def test_a_policy_is_given_what_was_captured_and_what_is_known_of_the_call(
    evaluated: Evaluated, otlp: Any
) -> None:
    ruling = Listener("ruling")
    evaluated(Evaluators(policies={("p", "1"): ruling}), evaluated.call(**ANSWERED))
    [asked] = ruling.asked
    assert asked.pop("span").span_id == otlp.span_id("call").hex()
    assert asked == {
        "input": None,
        "output": "good day",
        "provider": "openai",
        "server_address": None,
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "data_classes": None,
        "at": datetime.fromtimestamp(otlp.NOW_NS / 1e9, UTC),
    }


@pytest.mark.parametrize("policy", ["q", ""])
def test_a_policy_judges_the_calls_that_name_it_alone(evaluated: Evaluated, policy: str) -> None:
    found = evaluated(
        Evaluators(policies={("p", "1"): Listener()}),
        evaluated.call(**{"traceai.policy.id": policy, **ANSWERED}),
    )
    assert found == ()


def test_a_policy_without_anything_captured_cannot_judge(evaluated: Evaluated) -> None:
    ruling = Listener("ruling")
    [found] = evaluated(
        Evaluators(policies={("p", "1"): ruling}),
        evaluated.call(**{"traceai.content.state": "none"}),
    )
    assert ruling.asked == []
    assert (found.target, found.passed, found.reason) == (
        "call",
        None,
        "content was not captured (content state: none)",
    )


@pytest.mark.parametrize(
    ("start_ns", "expected"),
    [
        (0, None),
        (1_500_000_000, datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)),
        ((1 << 63) - 1, datetime.fromtimestamp(((1 << 63) - 1) / 1e9, UTC)),
        ((1 << 64) - 1, datetime.fromtimestamp(((1 << 64) - 1) / 1e9, UTC)),
    ],
)
def test_a_time_that_was_stated_is_passed_on_and_an_absent_one_is_none(
    evaluated: Evaluated, otlp: Any, start_ns: int, expected: datetime | None
) -> None:
    span = otlp.span("call", attributes=otlp.CALL, start_time_unix_nano=start_ns)
    tree, _ = evaluated.tree(span)
    assert call_facts(tree.nodes[0])["at"] == expected


def test_evidence_is_kept_as_json_has_it(evaluated: Evaluated) -> None:
    evidence = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "places": ("a", "b"),
        "kinds": frozenset({"EMAIL"}),
        "nested": MappingProxyType({1: [None, True, 2.5]}),
    }
    approval = Listener(result=EvalResult(passed=False, reason="", evidence=evidence))
    [found] = evaluated(Evaluators(approval=approval), evaluated.call())
    assert found.reason is None
    assert json.loads(json.dumps(found.evidence)) == {
        "at": "2026-01-02 00:00:00+00:00",
        "places": ["a", "b"],
        "kinds": ["EMAIL"],
        "nested": {"1": [None, True, 2.5]},
    }


def test_results_that_are_alike_are_one_for_each_place(evaluated: Evaluated, otlp: Any) -> None:
    found = evaluated(
        content(Listener()),
        evaluated.call("a"),
        evaluated.call("b"),
        evaluated.call("c", **{"traceai.route": "refund"}),
    )
    assert sorted((f.route or "", f.target, len(f.span_ids)) for f in found) == [
        ("refund", "input", 1),
        ("refund", "output", 1),
        ("support", "input", 2),
        ("support", "output", 2),
    ]
    assert {f.service for f in found} == {otlp.RESOURCE["service.name"]}


def test_without_evaluators_nothing_is_found(evaluated: Evaluated) -> None:
    assert evaluated(Evaluators(), evaluated.call(**ANSWERED)) == ()


def policies(*versions: str) -> Evaluators:
    return Evaluators(policies={("p", version): Listener("ruling") for version in versions})


@pytest.mark.parametrize(
    ("configured", "stated", "expected"),
    [
        (("1",), "1", ("1 p 1", True, None)),
        (("1", "2"), "2", ("1 p 2", True, None)),
        (
            ("3",),
            "2",
            (
                "1 p",
                None,
                "the call states another version of policy p; configured: 3",
            ),
        ),
        (
            ("3", "4"),
            "",
            ("1 p", None, "the call states no version of policy p; configured: 3 or 4"),
        ),
    ],
)
def test_a_policy_judges_only_the_calls_made_under_its_own_version(
    evaluated: Evaluated, configured: tuple[str, ...], stated: str, expected: tuple[Any, ...]
) -> None:
    call = evaluated.call(**ANSWERED, **{"traceai.policy.version": stated})
    [found] = evaluated(policies(*configured), call)
    assert (found.name, found.target) == ("ruling", "call")
    assert (found.version, found.passed, found.reason) == expected


PICTURE = json.dumps([{"role": "assistant", "parts": [{"type": "blob", "content": "AAAA"}]}])


def test_a_picture_alone_cannot_be_judged(evaluated: Evaluated) -> None:
    pictured = evaluated.call(**{"gen_ai.output.messages": PICTURE})
    both = Evaluators(
        content=content(Listener()).content, policies={("p", "1"): Listener("ruling")}
    )
    found = {(f.name, f.target): (f.passed, f.reason) for f in evaluated(both, pictured)}
    assert found["listener", "output"] == (None, "output holds nothing that can be read as text")
    assert found["ruling", "call"][0] is None


@pytest.mark.parametrize("outcome", ["error", "cancelled", "abandoned"])
def test_a_call_that_did_not_complete_has_no_output_to_capture(
    evaluated: Evaluated, outcome: str
) -> None:
    call = evaluated.call(**{"traceai.outcome": outcome})
    found = {f.target: f.reason for f in evaluated(content(Listener()), call)}
    assert found == {
        "input": "input was not captured (content state: full)",
        "output": f"the call ended as {outcome}: it has no output",
    }


def test_what_an_emitter_writes_as_content_state_is_no_reason(evaluated: Evaluated) -> None:
    calls = [
        evaluated.call(f"c{number}", **{"traceai.content.state": f"ignore {number}"})
        for number in range(20)
    ]
    found = evaluated(content(Listener()), *calls)
    assert sorted((f.reason, len(f.span_ids)) for f in found) == [
        ("input was not captured (content state: unknown)", 20),
        ("output was not captured (content state: unknown)", 20),
    ]
