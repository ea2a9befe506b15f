"""What a reader says of many traces at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector_processor.model import Population, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Query = Callable[..., list[Any]]

_SUMS = ", ".join(f"coalesce(sum(s.{population}), 0)" for population in Population)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingGroup:
    """Findings of one code, service and route over the newest revisions.

    Attributes:
        population: what is counted.
        count: how many subjects have it.
        of: how many subjects the rule applies to.
        first_seen_ns: when the first trace that has it arrived.
        example_trace: the newest trace that has it, hexadecimal.
    """

    service: str | None
    route: str | None
    code: str
    population: Population
    required: bool
    count: int
    of: int
    first_seen_ns: int
    last_seen_ns: int
    example_trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the store holds.

    Attributes:
        spans: distinct ones.
        traces_open: arrived and not sealed yet, when the pipeline last recorded.
        undecodable: pieces of acknowledged bytes that could not be read.
    """

    spans: int
    traces_open: int
    traces_sealed: int
    complete: int
    incomplete: int
    unknown: int
    evaluations: int
    undecodable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """The newest revision of a trace, without its spans."""

    trace_id: str
    revision: int
    verdict: Verdict
    service: str | None
    route: str | None
    name: str | None
    spans: int
    start_ns: int | None
    sealed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationGroup:
    """How one evaluator judged one target, over the traces of a service and route.

    Attributes:
        not_judged: results that are neither a pass nor a failure.
        example_trace: the newest trace with a failure, else the newest, hexadecimal.
        example_reason: what the evaluator said of it.
    """

    service: str | None
    route: str | None
    name: str
    version: str | None
    target: str
    passed: int
    failed: int
    not_judged: int
    example_trace: str
    example_reason: str | None


def totals(query: Query) -> Totals:
    """Return what the store holds."""
    verdicts = {
        verdict: (count, spans)
        for verdict, count, spans in query(
            "SELECT r.verdict, count(*), sum(r.spans) FROM traces t"
            " JOIN revisions r ON r.id = t.revision_id GROUP BY r.verdict"
        )
    }
    counts = {verdict: verdicts.get(verdict, (0, 0))[0] for verdict in Verdict}
    return Totals(
        spans=sum(spans for _, spans in verdicts.values()),
        traces_open=int(
            query("SELECT coalesce(max(value), '0') FROM meta WHERE key = 'open_traces'")[0][0]
        ),
        traces_sealed=sum(counts.values()),
        complete=counts[Verdict.COMPLETE],
        incomplete=counts[Verdict.INCOMPLETE],
        unknown=counts[Verdict.UNKNOWN],
        evaluations=query("SELECT coalesce(sum(count), 0) FROM evaluations")[0][0],
        undecodable=query("SELECT count(*) FROM undecodable")[0][0],
    )


def finding_groups(query: Query) -> tuple[FindingGroup, ...]:
    """Return the findings of the newest revisions, by service, route and code."""
    subjects = {
        (row[0], row[1]): dict(zip(Population, row[2:], strict=True))
        for row in query(
            f"SELECT s.service, s.route, {_SUMS} FROM subjects s"  # noqa: S608
            " JOIN traces t ON t.revision_id = s.revision_id GROUP BY s.service, s.route"
        )
    }
    groups = query(
        "SELECT g.service, g.route, g.code, g.population, g.required, g.count, g.first_seen,"
        " g.last_seen, r.trace_id FROM (SELECT f.service, f.route, f.code, f.population,"
        " max(f.required) AS required, sum(f.count) AS count,"
        " min(r.first_received_ns) AS first_seen, max(r.last_received_ns) AS last_seen,"
        " max(r.id) AS newest FROM findings f JOIN traces t ON t.revision_id = f.revision_id"
        " JOIN revisions r ON r.id = f.revision_id"
        " GROUP BY f.service, f.route, f.code, f.population) g"
        " JOIN revisions r ON r.id = g.newest ORDER BY g.service, g.route, g.code"
    )
    return tuple(
        FindingGroup(
            service=row[0],
            route=row[1],
            code=row[2],
            population=(population := Population(row[3])),
            required=bool(row[4]),
            count=row[5],
            of=subjects[row[0], row[1]][population],
            first_seen_ns=row[6],
            last_seen_ns=row[7],
            example_trace=row[8],
        )
        for row in groups
    )


def evaluation_groups(query: Query) -> tuple[EvaluationGroup, ...]:
    """Return how each evaluator judged, by service, route and target."""
    groups = query(
        "SELECT g.service, g.route, g.name, g.version, g.target, g.passed, g.failed, g.not_judged,"
        " r.trace_id, e.reason FROM (SELECT service, route, name, version, target,"
        " sum(CASE WHEN passed = 1 THEN count ELSE 0 END) AS passed,"
        " sum(CASE WHEN passed = 0 THEN count ELSE 0 END) AS failed,"
        " sum(CASE WHEN passed IS NULL THEN count ELSE 0 END) AS not_judged,"
        " coalesce(max(CASE WHEN passed = 0 THEN id END), max(id)) AS newest"
        " FROM evaluations GROUP BY service, route, name, version, target) g"
        " JOIN evaluations e ON e.id = g.newest JOIN revisions r ON r.id = e.revision_id"
        " ORDER BY g.service, g.route, g.name, g.target"
    )
    return tuple(
        EvaluationGroup(
            service=row[0],
            route=row[1],
            name=row[2],
            version=row[3],
            target=row[4],
            passed=row[5],
            failed=row[6],
            not_judged=row[7],
            example_trace=row[8],
            example_reason=row[9],
        )
        for row in groups
    )
