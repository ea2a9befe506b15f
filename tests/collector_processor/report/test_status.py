from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from collector_processor.report.status import to_json, to_text
from tests.collector_processor.report.scenes import call

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader
    from tests.collector_processor.report.scenes import Recorded

EMPTY_ROOT = base64.b64encode(hashlib.sha256().digest()).decode()


def test_an_empty_store_holds_nothing_and_says_so(recorded: Recorded) -> None:
    assert to_json(recorded.reader) == {
        "schema_version": 1,
        "spans": 0,
        "traces": {"open": 0, "sealed": 0},
        "rows": 0,
        "evaluations": 0,
        "undecodable": 0,
        "log": {"size": 0, "root": EMPTY_ROOT},
    }


def test_every_kind_of_content_is_counted(everything: Reader) -> None:
    document = to_json(everything)
    assert document["traces"] == {"open": 1, "sealed": 5}
    # Four traces of one span, and a run of seven.
    assert (document["spans"], document["undecodable"]) == (11, 1)
    assert document["evaluations"] == sum(
        found.passed + found.failed + found.not_judged for found in everything.evaluation_groups()
    )


def test_a_span_that_is_sent_again_is_counted_once(recorded: Recorded) -> None:
    for _ in range(3):
        recorded.receive(call())
        recorded.wait()
    assert to_json(recorded.reader)["spans"] == 1


def test_a_reader_gets_the_same_numbers_as_a_program(everything: Reader) -> None:
    document = to_json(everything)
    assert to_text(document) == (
        "spans        11\n"
        "traces       5 sealed, 1 open\n"
        f"evaluations  {document['evaluations']}\n"
        "undecodable  1"
    )
