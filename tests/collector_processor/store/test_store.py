from __future__ import annotations

import os
import random
import sqlite3
import stat
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.errors import AlreadyRunningError, StoreError
from collector_processor.model import (
    Evaluation,
    Finding,
    Member,
    Population,
    SealedTrace,
    SealReason,
    Signal,
    Subjects,
    TraceVerdict,
    Undecodable,
    Verdict,
)
from collector_processor.store.reader import Reader
from collector_processor.store.summaries import EvaluationGroup, FindingGroup, Totals
from collector_processor.store.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path


def finding(code: str, span_id: str | None, **changed: Any) -> Finding:
    given = {
        "population": Population.MODEL_CALLS,
        "required": True,
        "service": "shop",
        "route": "support",
    }
    return Finding(code=code, span_id=span_id, **{**given, **changed})


def evaluation(*span_ids: str, **changed: Any) -> Evaluation:
    given = {
        "name": "pii",
        "version": "1",
        "target": "output",
        "passed": False,
        "score": 0.0,
        "label": "fail",
        "reason": "1 e-mail",
        "evidence": {"EMAIL_ADDRESS": 1},
        "service": "shop",
        "route": "support",
    }
    return Evaluation(span_ids=span_ids, **{**given, **changed})


def sealed(number: int = 1, revision: int = 1, **changed: Any) -> SealedTrace:
    verdict = TraceVerdict(
        verdict=Verdict.INCOMPLETE,
        findings=(
            finding("no_user", "aa" * 8),
            finding("no_user", "bb" * 8),
            finding("orphan_span", "aa" * 8, population=Population.TRACES),
            finding("orphan_span", "bb" * 8, population=Population.TRACES),
        ),
        subjects=(
            Subjects(
                service="shop",
                route="support",
                counts={Population.TRACES: 1, Population.MODEL_CALLS: 3},
            ),
        ),
    )
    given = {
        "trace_id": f"{number:032x}",
        "reason": SealReason.QUIET,
        "verdict": verdict,
        "evaluations": (
            evaluation("aa" * 8, "bb" * 8),
            evaluation("aa" * 8, passed=None, label=None),
        ),
        "request": b"bytes of spans" * 9,
        "members": (Member(b"a" * 8, b"d" * 32), Member(bytes(8), b"e" * 32)),
        "rooted": True,
        "spans": 3,
        "duplicates": 1,
        "emitters": (("shop", "i-1"),),
        "service": "shop",
        "route": "support",
        "name": "root",
        "start_ns": (1 << 64) - 1,
        "end_ns": 9,
        "first_received_ns": 100 * number,
        "last_received_ns": 100 * number + 50,
        "sealed_ns": 100 * number + 60,
    }
    return SealedTrace(revision=revision, **{**given, **changed})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evidence.db"


def test_a_recorded_revision_is_read_back_as_it_was(path: Path) -> None:
    trace = sealed()
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([trace], mark=7, open_traces=2)
        [stored] = reader.revisions(trace.trace_id)
        assert reader.mark() == 7
    expected = sealed(start_ns=(1 << 63) - 1, emitters=())
    assert stored == expected


def test_only_the_newest_revision_counts_and_older_ones_stay(path: Path) -> None:
    complete = TraceVerdict(verdict=Verdict.COMPLETE, findings=(), subjects=())
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1), sealed(2)], mark=1, open_traces=0)
        writer.record(
            [sealed(1, 2, verdict=complete, spans=4, evaluations=())], mark=2, open_traces=5
        )
        assert [r.revision for r in reader.revisions(f"{1:032x}")] == [1, 2]
        assert [(s.trace_id, s.revision) for s in reader.newest()] == [
            (f"{1:032x}", 2),
            (f"{2:032x}", 1),
        ]
        counts = {"traces_open": 5, "traces_sealed": 2, "complete": 1, "incomplete": 1}
        assert reader.totals() == Totals(spans=7, unknown=0, evaluations=6, undecodable=0, **counts)
        assert reader.emitters() == 1


def test_findings_are_grouped_with_what_they_are_counted_out_of(path: Path) -> None:
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1), sealed(2)], mark=1, open_traces=0)
        groups = reader.finding_groups()
    common = {
        "service": "shop",
        "route": "support",
        "required": True,
        "first_seen_ns": 100,
        "last_seen_ns": 250,
        "example_trace": f"{2:032x}",
    }
    assert groups == (
        FindingGroup(code="no_user", population=Population.MODEL_CALLS, count=4, of=6, **common),
        FindingGroup(code="orphan_span", population=Population.TRACES, count=2, of=2, **common),
    )


def test_results_are_grouped_by_evaluator_and_target(path: Path) -> None:
    passed = evaluation("cc" * 8, passed=True, label="pass", reason="clean")
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1), sealed(2, evaluations=(passed,))], mark=1, open_traces=0)
        groups = reader.evaluation_groups()
    assert groups == (
        EvaluationGroup(
            service="shop",
            route="support",
            name="pii",
            version="1",
            target="output",
            passed=1,
            failed=2,
            not_judged=1,
            example_trace=f"{1:032x}",
            example_reason="1 e-mail",
        ),
    )


def test_an_exporter_reads_its_own_results_in_order_each_once(path: Path) -> None:
    arrived = evaluation("aa" * 8, arrived=True)
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1), sealed(2, evaluations=(arrived,))], mark=1, open_traces=0)
        writer.record([sealed(3)], mark=1, open_traces=0)
        cursor, found = 0, []
        while batch := reader.evaluations_after(cursor, 1):
            found += batch
            cursor = batch[-1].number
    assert [(f.trace_id[-1], f.span_id, f.number) for f in found] == [
        ("1", "aa" * 8, 1),
        ("1", "bb" * 8, 1),
        ("1", "aa" * 8, 2),
        ("3", "aa" * 8, 4),
        ("3", "bb" * 8, 4),
        ("3", "aa" * 8, 5),
    ]
    assert (found[0].service, found[0].route, found[0].sealed_ns) == ("shop", "support", 160)


def test_a_stored_trace_is_known_by_its_members_over_all_revisions(path: Path) -> None:
    later = (Member(b"b" * 8, b"f" * 32),)
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1), sealed(1, 2, members=later, rooted=False)], mark=1, open_traces=0)
        priors = reader.priors([n.to_bytes(16, "big") for n in range(1200)])
    [(trace_id, prior)] = priors.items()
    assert trace_id == (1).to_bytes(16, "big")
    assert (prior.revision, prior.rooted) == (2, True)
    assert prior.digests == {b"d" * 32, b"e" * 32, b"f" * 32}
    assert {b"a" * 8, b"b" * 8} <= prior.span_ids


def test_a_batch_is_recorded_whole_or_not_at_all(path: Path) -> None:
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1)], mark=1, open_traces=0)
        with pytest.raises(StoreError, match="UNIQUE"):
            writer.record([sealed(2), sealed(1)], mark=2, open_traces=0)
        assert (reader.mark(), reader.totals().traces_sealed) == (1, 1)
        writer.record([sealed(2)], mark=2, open_traces=0)
        assert (reader.mark(), reader.totals().traces_sealed) == (2, 2)


@pytest.mark.parametrize(
    "changed",
    [{"name": "\ud800"}, {"spans": 1 << 70}, {"evaluations": (evaluation("a", score=1 << 70),)}],
)
def test_a_value_that_no_store_takes_is_no_fault_of_the_store(
    path: Path, changed: dict[str, Any]
) -> None:
    bad = sealed(2, **changed)
    with Writer(path) as writer, Reader(path) as reader:
        for attempt in (
            lambda: writer.record([sealed(1), bad], mark=2, open_traces=0),
            lambda: writer.rehearse(bad),
        ):
            with pytest.raises((UnicodeEncodeError, OverflowError)):
                attempt()
        assert (reader.mark(), reader.totals().traces_sealed) == (0, 0)


def test_a_rehearsal_leaves_nothing_behind(path: Path) -> None:
    with Writer(path) as writer, Reader(path) as reader:
        writer.rehearse(sealed())
        assert reader.totals().traces_sealed == 0
        writer.record([sealed()], mark=1, open_traces=0)
        with pytest.raises(StoreError, match="UNIQUE"):
            writer.rehearse(sealed())


def test_a_report_sees_one_moment_however_much_is_recorded_meanwhile(path: Path) -> None:
    with Writer(path) as writer, Reader(path) as reader:
        writer.record([sealed(1)], mark=1, open_traces=0)
        with reader.snapshot():
            before = reader.totals()
            writer.record([sealed(2)], mark=2, open_traces=3)
            assert (reader.totals(), reader.mark()) == (before, 1)
            [group, _] = reader.finding_groups()
            assert (group.count, group.of) == (2, 3)
        assert (reader.totals().traces_sealed, reader.mark()) == (2, 2)


def test_findings_of_a_new_route_never_lack_their_denominator(path: Path) -> None:
    """Each report is read while the writer adds a route between its queries."""
    with Writer(path) as writer, Reader(path) as reader:
        query = reader._query

        def interrupted(statement: str, *parameters: Any) -> list[Any]:
            rows = query(statement, *parameters)
            if not done:
                done.append(statement)
                writer.record([sealed(7, route="new", **only("new"))], mark=1, open_traces=0)
            return rows

        done: list[str] = []
        reader._query = interrupted  # type: ignore[method-assign]
        assert reader.finding_groups() == ()
        assert [group.route for group in reader.finding_groups()] == ["new"]


def only(route: str) -> dict[str, Any]:
    verdict = TraceVerdict(
        verdict=Verdict.INCOMPLETE,
        findings=(finding("no_user", "aa" * 8, route=route),),
        subjects=(Subjects(service="shop", route=route, counts={Population.MODEL_CALLS: 1}),),
    )
    return {"verdict": verdict}


def test_what_cannot_be_decoded_is_kept_once(path: Path) -> None:
    bad = Undecodable(
        position=3,
        ordinal=0,
        received_ns=1,
        signal=Signal.TRACES,
        trace_id=None,
        reason="broken",
        body=b"\xff",
    )
    with Writer(path) as writer, Reader(path) as reader:
        writer.record(mark=1, open_traces=0, undecodable=[bad, bad])
        writer.record(mark=1, open_traces=0, undecodable=[bad])
        assert reader.totals().undecodable == 1


def test_the_store_is_readable_by_its_owner_alone(path: Path) -> None:
    with Writer(path) as writer:
        writer.record([sealed()], mark=1, open_traces=0)
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def test_a_second_writer_is_refused_until_the_first_has_closed(path: Path) -> None:
    with Writer(path), pytest.raises(AlreadyRunningError, match="already writes"):
        Writer(path)
    Writer(path).close()


def test_a_store_that_is_missing_is_named(path: Path) -> None:
    with pytest.raises(StoreError, match=r"no evidence store at .*traceai collect"):
        Reader(path)


def test_a_newer_store_is_refused_by_writers_and_readers(path: Path) -> None:
    Writer(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    for kind in (Writer, Reader):
        with pytest.raises(StoreError, match=r"version 99; this program knows 1.*Install"):
            kind(path)


@pytest.mark.parametrize("kind", [Writer, Reader])
def test_a_file_that_is_no_store_is_named(path: Path, kind: type[Writer | Reader]) -> None:
    path.write_bytes(random.Random(1).randbytes(8192))
    with pytest.raises(StoreError, match=r"not a database.*backup"):
        kind(path)


def test_a_damaged_store_is_named(path: Path) -> None:
    with Writer(path) as writer:
        writer.record([sealed(n) for n in range(200)], mark=1, open_traces=0)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xab" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match=r"malformed.*backup"), Reader(path) as reader:
        reader.totals()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(path: Path) -> None:
    path.parent.chmod(0o500)
    with pytest.raises(StoreError, match=r"Permission denied.*--data-dir"):
        Writer(path)


def test_a_folder_that_cannot_be_made_is_named(path: Path) -> None:
    path.write_text("a file")
    with pytest.raises(StoreError, match=r"--data-dir|folder"):
        Writer(path / "below" / "evidence.db")


def test_a_crash_while_the_schema_is_made_leaves_a_store_that_opens(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match="empty or of version 0"):
        Reader(path)
    with Writer(path) as writer:
        writer.record([sealed()], mark=1, open_traces=0)
