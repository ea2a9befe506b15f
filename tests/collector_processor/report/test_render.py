"""What a terminal of 80 columns shows; `drawings.py` writes the golden files again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from collector_processor.report import completeness, render, trace
from tests.collector_processor.conftest import Otlp
from tests.collector_processor.report.drawings import COLUMNS, GOLDEN, draw, drawings
from tests.collector_processor.report.scenes import call

if TYPE_CHECKING:
    from collector_processor.store.reader import Reader
    from tests.collector_processor.report.scenes import Recorded


@pytest.mark.parametrize("name", ["completeness", "rates", "trace", "traces"])
def test_a_drawing_is_its_golden(everything: Reader, name: str) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert drawings(everything)[name] == expected


@pytest.mark.parametrize("name", ["completeness", "rates", "trace", "traces"])
def test_a_drawing_fits_the_terminal(everything: Reader, name: str) -> None:
    assert max(map(len, drawings(everything)[name].splitlines())) <= COLUMNS


def test_an_empty_store_is_drawn_as_nothing_and_not_as_perfect(recorded: Recorded) -> None:
    report = completeness.build(recorded.reader)
    assert draw(render.completeness(report)) == (
        "0 traces: 0 complete, 0 incomplete, 0 unknown\n"
        "0 emitters, none proven: calls are not numbered yet, so one that never arrived\n"
        "would not be missed. Complete means complete, unproven.\n"
    )
    assert draw(render.rates(recorded.reader.evaluation_groups())) == (
        "No evaluation is stored yet.\n"
    )
    assert draw(render.traces(tuple(recorded.reader.newest()))) == "No trace is sealed yet.\n"


def test_what_is_complete_is_never_said_without_the_state_of_its_streams(
    recorded: Recorded,
) -> None:
    recorded.receive(call())
    recorded.wait()
    assert draw(render.completeness(completeness.build(recorded.reader))) == (
        "1 trace: 1 complete, 0 incomplete, 0 unknown\n"
        "1 emitter, none proven: calls are not numbered yet, so one that never arrived\n"
        "would not be missed. Complete means complete, unproven.\n"
        "Complete says that nothing is missing, not that nothing was wrong: see `traceai\n"
        "report rates`.\n"
    )


def test_a_name_is_drawn_as_it_came_and_not_as_markup(recorded: Recorded) -> None:
    name = "[red]x[/red] [/] :smile: {y}"
    recorded.receive(
        call(name, attributes={"traceai.route": name}),
        resource={**Otlp.RESOURCE, "service.name": name},
    )
    recorded.wait()
    drawn = draw(render.trace(trace.view(recorded.reader.revisions(Otlp.trace_id("t").hex()))))
    assert f"└── {name}  1000.0 ms  openai" in drawn
    assert draw(render.rates(recorded.reader.evaluation_groups())).splitlines()[1] == (
        f"{name}  {name}"
    )


@pytest.mark.parametrize("control", ["\x1b[2J", "\x1b]0;title\x07", "\r", "\x9b2J", "\u202e"])
def test_what_an_emitter_says_cannot_steer_the_terminal(recorded: Recorded, control: str) -> None:
    name = f"a{control}b"
    recorded.receive(
        call(name, remove=("user.id",), attributes={"traceai.route": name}),
        resource={**Otlp.RESOURCE, "service.name": name},
    )
    recorded.wait()
    reader = recorded.reader
    drawn = (
        draw(render.completeness(completeness.build(reader))),
        draw(render.rates(reader.evaluation_groups())),
        draw(render.trace(trace.view(reader.revisions(Otlp.trace_id("t").hex())))),
        draw(render.traces(tuple(reader.newest()))),
    )
    steering = {character for character in control if not character.isprintable()}
    assert [sorted(steering & set(text)) for text in drawn] == [[], [], [], []]


def test_a_trace_deeper_than_the_terminal_is_wide_is_drawn_whole(recorded: Recorded) -> None:
    names = [f"s{number}" for number in range(300)]
    parents = [None, *names]
    recorded.receive(
        *(
            Otlp.span(name, parent=parent, start_s=number)
            for number, (name, parent) in enumerate(zip(names, parents, strict=False))
        )
    )
    recorded.wait()
    drawn = draw(render.trace(trace.view(recorded.reader.revisions(Otlp.trace_id("t").hex()))))
    lines = drawn.splitlines()[1:]
    assert [line.split()[-3] for line in lines] == names
    assert lines[9].endswith("└── s9  1000.0 ms") or lines[9].endswith("├── s9  1000.0 ms")
    assert lines[299].endswith("└── level 300: s299  1000.0 ms")


def test_a_span_is_drawn_once_also_under_an_id_that_two_spans_carry(recorded: Recorded) -> None:
    recorded.receive(
        Otlp.span("root"),
        Otlp.span("twin", parent="root", start_s=1),
        Otlp.span("twin", parent="root", start_s=2, attributes={"a": 1}),
        Otlp.span("child", parent="twin", start_s=3),
    )
    recorded.wait()
    drawn = draw(render.trace(trace.view(recorded.reader.revisions(Otlp.trace_id("t").hex()))))
    assert (drawn.count("twin "), drawn.count("child ")) == (2, 1)


@pytest.mark.parametrize("parents", [("a", "b"), ("b", "a")])
def test_a_span_that_no_root_reaches_is_drawn(recorded: Recorded, parents: tuple[str, str]) -> None:
    recorded.receive(
        *(Otlp.span(name, parent=parent) for name, parent in zip("ab", parents, strict=True))
    )
    recorded.wait(1000)
    drawn = draw(render.trace(trace.view(recorded.reader.revisions(Otlp.trace_id("t").hex()))))
    assert "incomplete  revision 1  missing_root" in drawn
    assert (drawn.count(" a  1000.0 ms"), drawn.count(" b  1000.0 ms")) == (1, 1)
