from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.model import Known
from collector_processor.report.trace import to_json, view
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.scenes import KEY, call, said

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader
    from tests.collector_processor.report.scenes import Recorded

RUN = Otlp.trace_id("run").hex()


def document(reader: Reader, trace: str) -> dict[str, Any]:
    return to_json(view(reader.revisions(Otlp.trace_id(trace).hex())))


def spans(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {span["name"]: span for span in found["spans"]}


def test_the_newest_revision_is_the_verdict_over_the_spans_of_all(everything: Reader) -> None:
    found = document(everything, "run")
    assert (found["schema_version"], found["trace_id"], found["revision"]) == (1, RUN, 2)
    assert (found["verdict"], found["codes"], found["observed"]) == (
        "incomplete",
        ["no_tool_authorization", "no_tool_result", "no_usage", "orphan_span"],
        ["late_span"],
    )
    assert [span["name"] for span in found["spans"]] == [
        "invoke_agent desk",
        "plan",
        "execute_tool refund",
        "summary",
        "answer",
        "broken off",
        "lost its parent",
    ]


def test_a_finding_names_the_span_it_is_about(everything: Reader) -> None:
    found = document(everything, "run")
    ids = {span["span_id"]: name for name, span in spans(found).items()}
    assert {(ids[f["span_id"]], f["code"], f["required"]) for f in found["findings"]} == {
        ("lost its parent", "orphan_span", True),
        ("execute_tool refund", "no_tool_result", True),
        ("execute_tool refund", "no_tool_authorization", True),
        ("answer", "no_usage", True),
        ("summary", "late_span", False),
    }


@pytest.mark.parametrize(
    ("span", "name", "expected"),
    [
        ("plan", "gen_ai.request.model", ("gpt-4o", Known.STATED)),
        ("plan", "user.id", ("u-1", Known.DERIVED)),
        ("plan", "traceai.route", ("support", Known.DERIVED)),
        ("plan", "service.version", ("1.2", Known.DERIVED)),
        ("answer", "user.id", ("u-2", Known.STATED)),
        ("summary", "user.id", ("u-1", Known.DERIVED)),
        ("lost its parent", "service.name", ("shop", Known.DERIVED)),
    ],
)
def test_each_value_says_how_it_is_known(
    everything: Reader, span: str, name: str, expected: tuple[str, Known]
) -> None:
    field = spans(document(everything, "run"))[span]["fields"][name]
    assert (field["value"], field["known"]) == expected


def test_an_inherited_value_says_where_it_was_found(everything: Reader) -> None:
    found = spans(document(everything, "run"))
    root = found["invoke_agent desk"]["span_id"]
    assert found["plan"]["fields"]["user.id"]["source"] == f"span {root} user.id"


def test_what_is_absent_is_not_listed(everything: Reader) -> None:
    found = spans(document(everything, "run"))
    assert "gen_ai.usage.output_tokens" not in found["answer"]["fields"]
    assert "user.id" not in found["lost its parent"]["fields"]


def test_an_evaluation_stands_at_the_span_it_judged(everything: Reader) -> None:
    found = spans(document(everything, "run"))
    [failed] = [result for result in found["answer"]["evaluations"] if result["passed"] is False]
    assert failed == {
        "name": "secrets",
        "version": "1",
        "target": "output",
        "passed": False,
        "score": 0.0,
        "label": "fail",
        "reason": "secrets in output: 1 OPENAI_API_KEY",
    }
    assert found["summary"]["evaluations"] == []


def test_evaluations_of_every_revision_stand_together(recorded: Recorded) -> None:
    recorded.receive(call("first", attributes=said("fine")))
    recorded.wait()
    recorded.receive(call("second", parent="first", attributes=said("fine")))
    recorded.wait()
    found = spans(document(recorded.reader, "t"))
    judged = {
        name: sorted((e["name"], e["target"]) for e in span["evaluations"])
        for name, span in found.items()
    }
    assert judged["first"] == judged["second"]
    assert len(judged["first"]) == 5


def test_a_trace_is_a_document_of_plain_json_without_secrets(everything: Reader) -> None:
    text = json.dumps(document(everything, "run"))
    assert json.loads(text)["verdict"] == "incomplete"
    assert KEY not in text


def test_a_trace_of_other_work_is_unknown_and_its_spans_have_no_operation(
    everything: Reader,
) -> None:
    found = document(everything, "web")
    assert (found["verdict"], found["codes"]) == ("unknown", [])
    assert [(span["operation"], span["parent_span_id"]) for span in found["spans"]] == [
        (None, None)
    ]
