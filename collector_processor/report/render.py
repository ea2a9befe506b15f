"""Draw reports for a terminal. A status is a word before it is a colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from collector_processor.model import Verdict
from collector_processor.report.completeness import iso
from collector_processor.report.rates import fail_rate
from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from collector_processor.model import Evaluation
    from collector_processor.processor.tree import Node
    from collector_processor.report.completeness import Line, Report
    from collector_processor.report.trace import TraceView
    from collector_processor.store.summaries import EvaluationGroup, TraceSummary

_STYLES: Final = {
    Verdict.COMPLETE: "green",
    Verdict.INCOMPLETE: "bold red",
    Verdict.UNKNOWN: "yellow",
}
_NONE: Final = "(none)"
_UNPRINTABLE: Final = "\N{REPLACEMENT CHARACTER}"
# Deeper spans stand beside their parent and say their level: a terminal ends, a trace need not.
_DEEPEST: Final = 10
_MILLISECOND_NS: Final = 1_000_000
# What a reader of a tree looks for first, in this order; who it is for where that changes only.
_CALL: Final = (semconv.PROVIDER_NAME, semconv.RESPONSE_MODEL, semconv.TOOL_CALL_ID)
_IDENTITY: Final = (
    ("user", semconv.USER_ID, None),
    ("route", semconv.ROUTE, None),
    ("prompt", semconv.PROMPT_NAME, semconv.PROMPT_VERSION),
    ("policy", semconv.POLICY_ID, semconv.POLICY_VERSION),
)


def completeness(report: Report) -> RenderableType:
    """Return the completeness report: totals, findings, and the state of the streams."""
    totals = report.totals
    parts: list[RenderableType] = [
        Text(
            f"{_counted(totals.traces_sealed, 'trace')}: {totals.complete} complete, "
            f"{totals.incomplete} incomplete, {totals.unknown} unknown"
            + (f"; {totals.traces_open} still open" if totals.traces_open else ""),
            style="bold",
        ),
        Text(
            f"{_counted(report.streams, 'emitter')}, none proven: calls are not numbered yet, so "
            "one that never arrived would not be missed. Complete means complete, unproven."
        ),
    ]
    if totals.complete:
        parts.append(
            Text(
                "Complete says that nothing is missing, not that nothing was wrong: "
                "see `traceai report rates`."
            )
        )
    if totals.undecodable:
        pieces = _counted(totals.undecodable, "acknowledged piece")
        parts.append(Text(f"{pieces} that cannot be read: kept."))
    if report.required:
        parts.append(_findings("Missing", report.required))
    if report.observed:
        parts.append(_findings("Observed, not required by the profile", report.observed))
    return Group(*parts)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _printable(text: str) -> str:
    """Return a text that cannot steer a terminal: names are an emitter's, and may hold anything."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else _UNPRINTABLE
        for character in text
    )


def _tamed(text: Text) -> Text:
    text.plain = _printable(text.plain)
    return text


def _findings(title: str, lines: Sequence[Line]) -> RenderableType:
    parts: list[RenderableType] = [Text(f"\n{title}", style="bold")]
    for line in lines:
        group = line.group
        head = Text(f"\n  {group.code}", style="bold red" if group.required else "")
        head.append(f"  {group.count} of {group.of} {group.population.replace('_', ' ')}")
        head.append(f"  {group.service or _NONE}  {group.route or _NONE}", style="not bold")
        first, last = iso(group.first_seen_ns), iso(group.last_seen_ns)
        seen = f"seen {last}" if first == last else f"first {first}  last {last}"
        parts += [
            _tamed(head),
            Text(f"    {seen}\n    example {group.example_trace}", style="dim"),
            Padding(Text(line.remedy), (0, 0, 0, 4)),
        ]
    return Group(*parts)


def rates(groups: Sequence[EvaluationGroup]) -> RenderableType:
    """Return the fail rates of each service and route, and an example of each failure.

    What could not be judged stands beside the rate, never inside it.
    """
    if not groups:
        return Text("No evaluation is stored yet.")
    places: dict[tuple[str | None, str | None], list[EvaluationGroup]] = {}
    for group in groups:
        places.setdefault((group.service, group.route), []).append(group)
    parts: list[RenderableType] = []
    for (service, route), chosen in places.items():
        parts.append(_tamed(Text(f"\n{service or _NONE}  {route or _NONE}", style="bold")))
        parts.append(_rates(chosen))
        parts.extend(_example(group) for group in chosen if group.failed)
    return Group(*parts)


def _rates(groups: Sequence[EvaluationGroup]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("  evaluator", "target"):
        table.add_column(name, no_wrap=True)
    for name in ("failed", "judged", "rate", "unjudged"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in groups:
        rate = fail_rate(group)
        table.add_row(
            escape(_printable(f"  {group.name} {group.version or ''}".rstrip())),
            escape(_printable(group.target)),
            str(group.failed),
            str(group.passed + group.failed),
            "no data" if rate is None else f"{rate:.1%}",
            str(group.not_judged),
            style="red" if group.failed else "",
        )
    return table


def _example(group: EvaluationGroup) -> Text:
    return _tamed(
        Text(f"  {group.name}: {group.example_reason}\n    example {group.example_trace}")
    )


def traces(summaries: Sequence[TraceSummary]) -> RenderableType:
    """Return a list of traces, two lines each: the id has to be copied, so it is never cut."""
    if not summaries:
        return Text("No trace is sealed yet.")
    text = Text()
    for summary in summaries:
        text.append(f"{summary.trace_id}  ")
        text.append(summary.verdict, style=_STYLES[summary.verdict])
        text.append(f"  {iso(summary.sealed_ns)}\n")
        said = (summary.name, summary.service, summary.route, _counted(summary.spans, "span"))
        text.append(f"    {'  '.join(each for each in said if each)}\n", style="dim")
    return _tamed(text)


def trace(view: TraceView) -> RenderableType:
    """Return the tree of a trace, each span with what is missing on it and how checks went."""
    verdict = view.newest.verdict
    found: dict[str | None, list[str]] = {}
    for finding in verdict.findings:
        found.setdefault(finding.span_id, []).append(finding.code)
    head = Text.assemble(
        f"trace {view.newest.trace_id}  ",
        (verdict.verdict, _STYLES[verdict.verdict]),
        f"  revision {view.newest.revision}",
    )
    if found.get(None):
        head.append(f"  {' '.join(found[None])}", style="red")
    tree = Tree(head)
    # By span and not by span id, which two different spans may carry.
    children: dict[Node | None, list[Node]] = {}
    for node in view.nodes:
        children.setdefault(node.parent, []).append(node)
    waiting = [(tree, 1, node) for node in reversed(children.get(None, ()))]
    while waiting:
        above, level, node = waiting.pop()
        line = _line(node, found, view.evaluations)
        if level > _DEEPEST:
            line = Text(f"level {level}: ", style="dim").append_text(line)
        branch = above.add(line)
        beneath = children.get(node, ())
        place = branch if level < _DEEPEST else above
        waiting.extend((place, level + 1, child) for child in reversed(beneath))
    return tree


def _line(
    node: Node,
    found: Mapping[str | None, Sequence[str]],
    evaluations: Mapping[str, Sequence[Evaluation]],
) -> Text:
    span = node.span
    outcome = node.get(semconv.OUTCOME).value
    line = Text(span.name, style="bold" if node.operation else "")
    line.append(f"  {(span.end_ns - span.start_ns) / _MILLISECOND_NS:.1f} ms", style="dim")
    if outcome and outcome != semconv.Outcome.COMPLETED:
        line.append(f"  {outcome}", style="yellow")
    if span.parent_id and node.parent is None:
        line.append(f"  parent {span.parent_id} did not arrive", style="red")
    for code in found.get(span.span_id, ()):
        line.append(f"  {code}", style="red")
    said = [f"{node.get(name).value}" for name in _CALL if node.get(name).value is not None]
    who = _identity(node)
    if node.parent is None or (node.operation and who != _identity(node.parent)):
        said += who
    if said:
        line.append(f"  {' · '.join(said)}", style="dim")
    for result in evaluations.get(span.span_id, ()):
        if result.passed is not True:
            line.append_text(_result(result))
    return _tamed(line)


def _identity(node: Node) -> list[str]:
    """Return for whom and under which rules a span ran: `user u-1`, `prompt refund 7`."""
    said = []
    for word, name, version in _IDENTITY:
        value = node.get(name).value
        if value is not None:
            number = node.get(version).value if version else None
            said.append(f"{word} {value}" + (f" {number}" if number is not None else ""))
    return said


def _result(result: Evaluation) -> Text:
    word = "could not be judged" if result.passed is None else "fail"
    style = "yellow" if result.passed is None else "red"
    return Text(f"\n{result.name} {word} ({result.target}): {result.reason or ''}", style=style)
