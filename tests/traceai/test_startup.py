"""The one line that is printed."""

from __future__ import annotations

import io
import socket

import pytest

from traceai.config import Config
from traceai.instrumentors.libraries import Found
from traceai.startup import reachable, say, summary

OPENAI = Found(name="openai", version="3.57.0", needs=None)
OLD = Found(name="openai", version="0.28.1", needs=">=1.40,<4")


def line(config: Config, found: tuple[Found, ...] = (OPENAI,), **more: object) -> str:
    return summary(config, found=found, **{"missing": [], "sampler": None, **more})  # type: ignore[arg-type]  # one default for many tests


def test_it_says_what_is_recorded_and_where_it_goes() -> None:
    expected = "traceai: openai 3.57.0 ✓ → http://127.0.0.1:4318/v1/traces | content: redacted"
    assert line(Config.resolve({})) == expected


def test_it_names_a_version_that_is_not_supported() -> None:
    assert "openai 0.28.1 ✗ needs >=1.40,<4" in line(Config(), (OLD,))


def test_it_says_that_there_is_nothing_to_record() -> None:
    assert "no library to record is installed" in line(Config(), ())


def test_it_names_what_is_missing() -> None:
    said = line(Config(), missing=["service.name", "release"])
    assert said.endswith("| missing for complete evidence: service.name, release")


def test_it_leaves_the_program_to_say_what_is_missing_yet() -> None:
    said = line(Config(), missing=["release"], final=False)
    assert said.endswith("| missing for complete evidence (unless the program says it): release")


@pytest.mark.parametrize(
    ("durability", "said"), [(None, False), ("observe", False), ("durable", True), ("strict", True)]
)
def test_it_says_what_durability_it_cannot_give(durability: str | None, *, said: bool) -> None:
    phrase = "durability: observe (the spool is not built yet)"
    assert (phrase in line(Config(durability=durability))) is said


def test_it_says_that_evidence_is_not_sampled() -> None:
    said = line(Config(), sampler="TraceIdRatioBased{0.1}")
    assert "evidence is recorded in full beside the application's TraceIdRatioBased{0.1}" in said


def test_it_says_when_nobody_listens() -> None:
    said = line(Config.resolve({}), reachable=False)
    assert "→ http://127.0.0.1:4318/v1/traces (nobody listens there yet) |" in said


def test_only_this_machine_is_asked_whether_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert reachable(f"http://127.0.0.1:{port}/v1/traces") is True
    assert reachable(f"http://127.0.0.1:{port}/v1/traces") is False
    assert reachable("https://collector.example.com:4318/v1/traces") is None


def test_it_hides_a_password() -> None:
    said = line(Config.resolve({}, endpoint="https://me:secret@c:4318"))
    assert "→ https://c:4318/v1/traces" in said


@pytest.mark.parametrize(
    ("exporter", "place"),
    [("none", "nowhere (OTEL_TRACES_EXPORTER=none)"), ("console", "the console")],
)
def test_it_says_that_nothing_is_sent(exporter: str, place: str) -> None:
    assert f"→ {place} |" in line(Config.resolve({"OTEL_TRACES_EXPORTER": exporter}))


def test_it_is_written_in_the_letters_that_the_stream_has() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    say("→ done ✓", stream)
    assert raw.getvalue() == b"? done ?\n"


def test_without_a_stream_nothing_is_written() -> None:
    say("line", None)
