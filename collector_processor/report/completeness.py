"""What is missing, where, since when, and what to do: over the newest revision of every trace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from collector_processor.processor.codes import TABLE, Code

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader
    from collector_processor.store.summaries import FindingGroup, Totals

SCHEMA_VERSION = 1
_MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One finding of the report, with its remedy."""

    group: FindingGroup
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The completeness report.

    Attributes:
        required: what makes traces incomplete, by service, route and code.
        observed: what was seen besides, and the profile does not require.
        streams: how many emitters were seen; none is proven as long as none numbers its calls.
    """

    totals: Totals
    required: tuple[Line, ...]
    observed: tuple[Line, ...]
    streams: int

    @property
    def incomplete(self) -> bool:
        """Whether anything required is missing anywhere."""
        return self.totals.incomplete > 0


def build(reader: Reader) -> Report:
    """Read the report from a store, all of it of one moment."""
    with reader.snapshot():
        groups, totals, streams = reader.finding_groups(), reader.totals(), reader.emitters()
    lines = [Line(group=group, remedy=TABLE[Code(group.code)].remedy) for group in groups]
    return Report(
        totals=totals,
        required=tuple(line for line in lines if line.group.required),
        observed=tuple(line for line in lines if not line.group.required),
        streams=streams,
    )


def to_json(report: Report) -> dict[str, Any]:
    """Return the document that `traceai report completeness --json` prints (DESIGN section 5)."""
    totals = report.totals
    return {
        "schema_version": SCHEMA_VERSION,
        "traces": {
            "complete": totals.complete,
            "incomplete": totals.incomplete,
            "unknown": totals.unknown,
            "proven": 0,
        },
        "findings": [_line(line) for line in report.required],
        "observed": [_line(line) for line in report.observed],
        "streams": {"proven": 0, "gap": 0, "unproven": report.streams},
    }


def _line(line: Line) -> dict[str, Any]:
    group = line.group
    return {
        "service": group.service,
        "route": group.route,
        "code": group.code,
        "count": group.count,
        "of": group.of,
        "first_seen": iso(group.first_seen_ns),
        "last_seen": iso(group.last_seen_ns),
        "example_trace": group.example_trace,
        "remedy": line.remedy,
    }


def iso(time_ns: int) -> str:
    """Return a time in UTC, to the millisecond, as ISO 8601."""
    milliseconds = time_ns // _MILLISECOND_NS
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
