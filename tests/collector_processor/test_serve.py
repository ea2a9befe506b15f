"""The real program in a process of its own: what it opens, serves, forwards, and how it ends."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from collector_processor.config import Config, Processors
from collector_processor.datadir import DataDir
from collector_processor.errors import ConfigError
from collector_processor.processor.codes import SOC2
from collector_processor.processor.decode import decode_revision
from collector_processor.serve import evaluators, rules
from collector_processor.settings import Settings, settle
from collector_processor.store.reader import Reader
from tests.collector_processor.conftest import Otlp
from tests.e2e.running import FREE, TRACEAI, Collector, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collector_processor.store.summaries import Totals

NO_SPAN = bytes(8)
QUICK = "{settle_s: 0.1, quiet_s: 0.2}"
KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"
# Written by Python's own audit events: whom the process asks for an address, or connects to.
AUDIT = """
import os, sys
def hook(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        with open(os.environ["AUDIT"], "a") as file:
            file.write(f"{event} {arguments}\\n")
sys.addaudithook(hook)
"""
POLICY = """
import sys, traceai
@traceai.evaluator("leaver", version="1")
def leaver(*, output):
    sys.exit(1)
POLICY = traceai.Policy(id="p", version="1", checks=(leaver,))
"""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Return a collector that serves health too, and writes down what it connects to."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "sitecustomize.py").write_text(AUDIT)
    config = folder / "collector.yaml"
    config.write_text("version: 1\nui: {endpoint: '127.0.0.1:0'}\n")
    environ = {
        "AUDIT": str(folder / "audit"),
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
    }
    with Collector(folder / "data", config=config, environ=environ) as running:
        yield running


def post(address: str, body: bytes, path: str = "/v1/traces") -> int:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", path, body, {"content-type": "application/x-protobuf"})
    status = connection.getresponse().status
    connection.close()
    return status


def get(address: str, path: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer


def trace(name: str, **attributes: Any) -> bytes:
    """Return a request of one trace: a root, and a model call that lacks nothing."""
    root = f"{name}-root"
    call = {**Otlp.CALL, **attributes}
    return Otlp.request(
        Otlp.span(root, trace=name, attributes={"order": "first"}),
        Otlp.span(f"{name}-call", trace=name, parent=root, attributes=call),
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def wait_until_sealed(collector: Collector, spans: int) -> Totals:
    """Return what is stored when it is so many spans and none is waiting."""
    with Reader(DataDir.at(collector.folder).store) as reader:
        wait_until(lambda: (found := reader.totals()).spans >= spans and not found.traces_open)
        return reader.totals()


def sockets(process: int) -> dict[str, set[str]]:
    """Return the addresses of a process's internet sockets, by their state, as Linux has it."""
    own = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            own.add(descriptor.readlink().name)
        except FileNotFoundError:
            continue
    found: dict[str, set[str]] = {}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{process}/net/{kind}").read_text().splitlines()[1:]:
            words = line.split()
            if f"socket:[{words[9]}]" in own:
                state = "listens" if words[3] == "0A" else "other"
                found.setdefault(state, set()).add(_address(words[1]))
    return found


def _address(written: str) -> str:
    """Read `0100007F:10DE`, in which every four bytes are turned round."""
    host, port = written.split(":")
    raw = bytes.fromhex(host)
    turned = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    address = ipaddress.ip_address(turned)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return f"{mapped or address}:{int(port, 16)}"


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="Linux alone tells")
def test_it_listens_on_loopback_at_what_it_announced_and_connects_to_nobody(
    collector: Collector,
) -> None:
    wait_until(lambda: "other" not in sockets(collector.process.pid))
    announced = {collector.addresses[name] for name in ("http", "grpc", "ui")}
    assert sockets(collector.process.pid) == {"listens": announced}
    assert {address.split(":")[0] for address in announced} == {"127.0.0.1"}
    asked = (collector.folder.parent / "audit").read_text().splitlines()
    assert [line for line in asked if "127.0.0.1" not in line] == []
    assert [line for line in asked if not line.startswith("socket.getaddrinfo")] == []


def test_it_says_once_what_it_is_bound_to(collector: Collector) -> None:
    assert set(collector.addresses) == {"schema_version", "http", "grpc", "ui", "data"}
    assert collector.addresses["data"] == str(collector.folder)


def test_health_tells_that_it_is_ready_and_has_caught_up(collector: Collector) -> None:
    assert post(collector.http, trace("health")) == 200
    wait_until_sealed(collector, 2)
    assert get(collector.addresses["ui"], "/healthz") == (200, {"status": "ok"})
    status, found = get(collector.addresses["ui"], "/readyz")
    assert (status, found["ready"]) == (200, True)
    pipeline = found["pipeline"]
    assert (pipeline["spans"], pipeline["behind_bytes"], pipeline["open_traces"]) == (2, 0, 0)
    assert found["receiver"]["accepted"] == {"traces": 2}
    assert found["forwarders"] == {"ok": True, "backends": []}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well_and_a_restart_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    running = Collector(tmp_path / "data")
    with running:
        assert post(running.http, Otlp.request(Otlp.span("leaf", parent="root"))) == 200
        running.process.send_signal(number)
        assert running.process.wait(30) == 0
    with running:
        assert post(running.http, Otlp.request(Otlp.span("root"))) == 200
        stored = wait_until_sealed(running, 2)
    assert (stored.spans, stored.traces_sealed) == (2, 1)


def test_a_ui_port_in_use_is_named_and_closes_what_was_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = ("--http", FREE, "--grpc", FREE)
        done = run("collect", *free, "--ui", address, "--data-dir", "data", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"traceai: {address} is in use: another collector, or another program, listens there. "
        "Stop it, or choose another port with --ui HOST:PORT or ui.endpoint.\n"
    )


def test_addresses_are_said_in_words_to_a_reader(tmp_path: Path) -> None:
    command = [*TRACEAI, "collect", "--http", FREE, "--grpc", FREE, "--data-dir", "data"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().split() for _ in range(4)]
        process.terminate()
    assert [words[0] for words in said] == ["http", "grpc", "data", "ready"]
    assert said[2] == ["data", "data"]
    assert {words[1].split(":")[0] for words in said[:2]} == {"127.0.0.1"}
    assert process.returncode == 0


def test_a_pipeline_that_dies_ends_the_collector_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "leaver.py").write_text(POLICY)
    config = tmp_path / "collector.yaml"
    config.write_text(
        "version: 1\nprocessors: {evaluators: [is_compliant]}\npolicies: ['leaver:POLICY']\n"
    )
    with Collector(tmp_path / "data", config=config) as running:
        said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "x"}]}])
        assert post(running.http, trace("t", **{"gen_ai.output.messages": said})) == 200
        assert running.process.wait(30) == 3
        errors = running.errors.read_text()
    assert "traceai: A part died: requests are not taken any more" in errors
    # Without the check, the same folder has everything that was acknowledged.
    with Collector(tmp_path / "data") as mended:
        assert wait_until_sealed(mended, 2).spans == 2


def test_what_a_second_collector_gets_is_what_the_first_got(tmp_path: Path) -> None:
    quick = f"version: 1\nprocessors: {{evaluators: [secrets], assemble: {QUICK}}}\n"
    (tmp_path / "second.yaml").write_text(quick)
    second = Collector(tmp_path / "second", config=tmp_path / "second.yaml")
    with second:
        to = f"exporters: {{otlp: [{{endpoint: '{second.url}'}}]}}\n"
        (tmp_path / "first.yaml").write_text(quick + to)
        first = Collector(tmp_path / "first", config=tmp_path / "first.yaml")
        said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": KEY}]}])
        requests = [
            trace("whole"),
            trace("leak", **{"gen_ai.output.messages": said}),
            trace("nameless", **{"user.id": ""}),
            Otlp.request(Otlp.span("late", trace="whole", parent="whole-root")),
            Otlp.request(Otlp.span("orphan", trace="lost", parent="nobody", remote=True)),
        ]
        with first:
            for body in requests[:3]:
                assert post(first.http, body) == 200
            wait_until_sealed(first, 6)
            wait_until_sealed(second, 6)
        # The second is away for a while, and the first is started again in that time.
        second.kill()
        with first:
            for body in requests[3:]:
                assert post(first.http, body) == 200
            wait_until_sealed(first, 8)
            second.__enter__()
            wait_until_sealed(second, 8)
            wait_until(lambda: arrived(second.folder) == judged(first.folder))
    assert contents(second.folder) == contents(first.folder)
    # Each result once, though both collectors were started again.
    assert len(judged(first.folder)) == len(set(judged(first.folder))) == 6


def contents(folder: Path) -> dict[str, Any]:
    """Return, of each stored trace, its spans as they are stored, and the newest verdict."""
    with Reader(DataDir.at(folder).store) as reader:
        stored = {found.trace_id: reader.revisions(found.trace_id) for found in reader.newest()}
    return {
        trace_id: (
            sorted(
                member
                for revision in revisions
                for member in revision.members
                if member.span_id != NO_SPAN  # a result that arrived is no span
            ),
            sorted(
                (span.name, sorted(span.attributes.items()), span.resource.attributes)
                for revision in revisions
                for span in decode_revision(revision)
            ),
            revisions[-1].verdict.verdict,
            revisions[-1].verdict.codes,
            revisions[-1].spans,
        )
        for trace_id, revisions in stored.items()
    }


def judged(folder: Path) -> list[tuple[Any, ...]]:
    """Return the results that a collector found by itself."""
    with Reader(DataDir.at(folder).store) as reader:
        found = reader.evaluations_after(0, 1000)
    return sorted(
        (
            each.trace_id,
            each.span_id,
            each.evaluation.name,
            each.evaluation.target,
            each.evaluation.passed is False,
        )
        for each in found
    )


def arrived(folder: Path) -> list[tuple[Any, ...]]:
    """Return the results that a collector was sent."""
    with Reader(DataDir.at(folder).store) as reader:
        revisions = [
            revision
            for summary in reader.newest()
            for revision in reader.revisions(summary.trace_id)
        ]
    return sorted(
        (revision.trace_id, span_id, found.name, found.target, found.passed is False)
        for revision in revisions
        for found in revision.evaluations
        if found.arrived
        for span_id in found.span_ids
    )


def settings(**processors: Any) -> Settings:
    chosen = settle()
    config = Config(processors=Processors(**processors))
    return Settings(config=config, place=chosen.place, policies=(), inventory=None)


@pytest.mark.parametrize(
    ("named", "expected"),
    [((), []), (("pii",), ["pii"]), (("secrets", "pii"), ["secrets", "pii"])],
)
def test_the_evaluators_are_those_that_are_named(
    named: tuple[str, ...], expected: list[str]
) -> None:
    found = evaluators(settings(evaluators=named))
    assert [chosen.check.name for chosen in found.content] == expected
    assert (found.approval, found.policies) == (None, {})


def test_approval_without_an_inventory_is_refused() -> None:
    with pytest.raises(ConfigError, match="Set inventory: FILE to the approved providers"):
        evaluators(settings(evaluators=("provider_approval",)))


def test_policies_and_inventory_judge_only_when_their_evaluator_is_named(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        "import traceai\nPOLICY = traceai.Policy(id='p', version='1', checks=())\n"
    )
    (tmp_path / "inventory.yaml").write_text(
        "version: 1\nproviders:\n  - {provider: openai, models: [gpt-4o]}\n"
    )
    text = "version: 1\npolicies: ['rules:POLICY']\ninventory: inventory.yaml\n"
    for named, expected in (
        ("pii", (False, set())),
        ("provider_approval", (True, set())),
        ("is_compliant", (False, {("p", "1")})),
    ):
        file = tmp_path / f"{named}.yaml"
        file.write_text(f"{text}processors: {{evaluators: [{named}]}}\n")
        found = evaluators(settle(file))
        assert (found.approval is not None, set(found.policies)) == expected


def test_the_profile_and_what_routes_require_come_from_the_file() -> None:
    found = rules(settings(required={"*": ("pii",), "refund": ("tone",)}))
    assert (found.profile, dict(found.required_evaluations)) == (
        SOC2,
        {"*": ("pii",), "refund": ("tone",)},
    )
