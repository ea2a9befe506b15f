"""The canary over the real path: recorder, exporter, a real collector, its store, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import traceai
from tests.e2e.running import Collector, run
from traceai.doctor import SERVICE, Check, examine
from traceai.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import OtlpSink

NOWHERE = "http://127.0.0.1:9"
PATIENCE_S = 60


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "TRACEAI_"))]:
        monkeypatch.delenv(name)
    yield
    traceai.uninstrument()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with Collector(tmp_path_factory.mktemp("doctor") / "data") as running:
        yield running


def test_a_canary_that_comes_back_complete_is_well(collector: Collector) -> None:
    store = ["--data-dir", str(collector.folder)]
    sent, read = examine(endpoint=collector.url, store=store, timeout_s=PATIENCE_S, version="1.2.3")
    assert sent == Check(
        name="send", ok=True, said=f"{collector.url}/v1/traces acknowledged the canary"
    )
    trace_id = read.said.split()[1]
    assert read == Check(name="read back", ok=True, said=f"trace {trace_id} is stored and complete")
    found = collector.ask("trace", trace_id)
    assert (found["verdict"], found["codes"]) == ("complete", [])
    [span] = found["spans"]
    # It makes no model call up, so it is in no total of calls and no evaluator judges it.
    assert (span["operation"], span["evaluations"]) == ("invoke_workflow", [])
    fields = span["fields"]
    assert {name: fields[name]["value"] for name in ("service.name", "service.version")} == {
        "service.name": SERVICE,
        "service.version": "1.2.3",
    }


def test_the_command_says_each_step_and_exits_with_0(collector: Collector) -> None:
    done = run(
        "doctor",
        "--endpoint",
        collector.url,
        "--store",
        f"sqlite:///{collector.folder}/evidence.db",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"✓ send: {collector.url}/v1/traces acknowledged the canary"
    assert lines[1].startswith("✓ read back: trace ")
    assert lines[1].endswith(" is stored and complete")


def test_the_canary_is_no_one_elses_span(collector: Collector) -> None:
    """It leaves by a provider of its own, and nothing stays patched behind it."""
    list(
        examine(
            endpoint=collector.url,
            store=["--data-dir", str(collector.folder)],
            timeout_s=PATIENCE_S,
            version="1",
        )
    )
    from traceai.instrumentation import _process  # noqa: PLC0415 - after the doctor

    assert _process.wanted == frozenset()


def test_where_nobody_listens_the_first_step_fails_and_is_the_last() -> None:
    [sent] = examine(endpoint=NOWHERE, store=(), timeout_s=0.5, version="1")
    assert sent == Check(
        name="send",
        ok=False,
        said=f"{NOWHERE}/v1/traces cannot be reached (Connection refused): is `traceai collect` "
        "running there?",
    )


def test_where_something_else_listens_the_first_step_fails_and_is_the_last(
    otlp_sink: OtlpSink,
) -> None:
    otlp_sink.statuses = [404] * 9
    [sent] = examine(endpoint=otlp_sink.url, store=(), timeout_s=0.5, version="1")
    assert sent == Check(
        name="send",
        ok=False,
        said=f"{otlp_sink.url}/v1/traces did not acknowledge the canary: is `traceai collect` "
        "running there?",
    )


def test_a_store_that_the_canary_does_not_reach_is_named(
    otlp_sink: OtlpSink, collector: Collector
) -> None:
    sent, read = examine(
        endpoint=otlp_sink.url,
        store=["--data-dir", str(collector.folder)],
        timeout_s=0.5,
        version="1",
    )
    assert sent.ok
    [span] = otlp_sink.spans()
    trace_id = span.trace_id.hex()
    assert read == Check(
        name="read back",
        ok=False,
        said=f"No sealed trace {trace_id} is stored. A trace is sealed when it is quiet; "
        f"`traceai traces` lists those that are. (canary: trace {trace_id})",
    )


def test_a_store_that_is_not_there_is_named(otlp_sink: OtlpSink) -> None:
    sent, read = examine(
        endpoint=otlp_sink.url, store=["--data-dir", "nowhere"], timeout_s=0.1, version="1"
    )
    assert (sent.ok, read.ok) == (True, False)
    assert read.said.startswith("There is no evidence store at nowhere/evidence.db.")


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_a_lost_canary_exits_with_3(how: tuple[str, ...]) -> None:
    done = run("doctor", "--endpoint", NOWHERE, "--timeout", "0.3", *how)
    assert done.returncode == 3
    if how:
        document = json.loads(done.stdout)
        assert (document["schema_version"], [c["ok"] for c in document["checks"]]) == (1, [False])
    else:
        assert done.stdout.startswith("✗ send: ")


def test_a_wrong_environment_is_named_and_exits_with_2() -> None:
    with pytest.raises(ConfigurationError):
        list(examine(endpoint="ftp://x", store=(), timeout_s=1, version="1"))
    done = subprocess.run(
        [sys.executable, "-m", "traceai", "doctor"],
        env={**os.environ, "TRACEAI_CONTENT": "everything"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("traceai: TRACEAI_CONTENT is 'everything'")
