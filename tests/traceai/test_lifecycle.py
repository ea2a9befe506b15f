"""A process that ends or forks loses nothing that it could still send, and takes no longer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import OtlpSink

PREAMBLE = """
import os, signal, sys, time
import traceai
from opentelemetry import trace

def call(name):
    trace.get_tracer("app").start_span(name, attributes={"gen_ai.system": "x"}).end()

traceai.instrument(service="s", release="1", environment="test", endpoint=sys.argv[1])
"""


def run(script: str, url: str, *, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Run a program of its own; the time limit is against a hang, no measure."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(PREAMBLE + textwrap.dedent(script))
        file.flush()
        return subprocess.run(
            [sys.executable, file.name, url],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("raise ValueError", 1),
        ("traceai.flush(10); call('last'); raise KeyboardInterrupt", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)", -signal.SIGTERM),
    ],
    ids=["return", "exit", "exception", "SIGINT", "SIGTERM"],
)
def test_what_has_ended_is_sent_however_the_process_ends(
    otlp_sink: OtlpSink, end: str, code: int
) -> None:
    result = run(f"for n in range(100): call(f'call {{n}}')\n{end}", otlp_sink.url)
    assert result.returncode == code
    assert len(set(otlp_sink.names()) - {"last"}) == 100


def test_a_handler_of_the_applications_own_is_left_alone(otlp_sink: OtlpSink) -> None:
    command = """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    traceai.instrument(service="again", endpoint=sys.argv[1])
    call("call")
    os.kill(os.getpid(), signal.SIGTERM)
    """
    assert run(command, otlp_sink.url).returncode == 7
    assert otlp_sink.names() == ["call"]


def test_taking_everything_away_gives_the_signal_back(otlp_sink: OtlpSink) -> None:
    command = """
    traceai.uninstrument()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    """
    assert run(command, otlp_sink.url).returncode == 0


def test_a_forked_child_sends_its_own_spans_and_not_its_parents(otlp_sink: OtlpSink) -> None:
    command = """
    for n in range(20): call(f"parent {n}")
    child = os.fork()
    if child == 0:
        for n in range(20): call(f"child {n}")
        result = traceai.flush(10)
        os._exit(0 if (result.sent, result.spooled) == (20, 0) else 1)
    _, status = os.waitpid(child, 0)
    call("parent 20")
    assert traceai.flush(10).sent == 21
    sys.exit(status)
    """
    assert run(command, otlp_sink.url).returncode == 0
    assert len(otlp_sink.names()) == len(set(otlp_sink.names())) == 41


def test_a_forked_child_is_an_instance_of_its_own(otlp_sink: OtlpSink) -> None:
    command = """
    call("parent")
    traceai.flush(10)
    if os.fork() == 0:
        call("child")
        traceai.flush(10)
        os._exit(0)
    os.wait()
    """
    run(command, otlp_sink.url)
    first, second = (each["service.instance.id"] for each in otlp_sink.resources())
    assert first != second


def test_a_child_of_multiprocessing_sends_its_spans(otlp_sink: OtlpSink) -> None:
    command = """
    import multiprocessing
    process = multiprocessing.get_context("fork").Process(target=call, args=("child",))
    process.start(); process.join()
    """
    assert run(command, otlp_sink.url).returncode == 0
    assert otlp_sink.names() == ["child"]


def test_a_dead_collector_costs_the_application_nothing() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    command = """
    for n in range(100): call(f"call {n}")
    result = traceai.flush(0.1)
    assert (result.sent, result.spooled, result.dropped) == (0, 100, 0), result
    print("done")
    """
    result = run(command, url)
    assert (result.returncode, result.stdout) == (0, "done\n")
    assert result.stderr.splitlines() == [_line(url, note=" (nobody listens there yet)")]


def test_a_collector_that_never_answers_holds_nobody_up(otlp_sink: OtlpSink) -> None:
    otlp_sink.release.clear()
    result = run("call('call')", otlp_sink.url)
    assert result.returncode == 0
    assert result.stderr.splitlines() == [_line(otlp_sink.url)]


def _line(url: str, *, note: str = "") -> str:
    from traceai.instrumentors.libraries import KNOWN  # noqa: PLC0415 - what is installed here

    found = [each for library in KNOWN.values() for each in library.found()]
    libraries = " ".join(f"{each.name} {each.version} ✓" for each in found)
    return f"traceai: {libraries} → {url}/v1/traces{note} | content: redacted"
