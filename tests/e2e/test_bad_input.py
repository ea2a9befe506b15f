"""What goes wrong at start and while running, against the real program: what, why, what to do."""

from __future__ import annotations

import http.client
import json
import resource
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.running import TRACEAI, Collector, run
from tests.e2e.test_crash import request

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1 << 20


def start(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Start a collector that cannot start."""
    defaults = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    return subprocess.run(
        [*TRACEAI, "collect", *defaults, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=cwd,
    )


def post(address: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("POST", "/v1/traces", body, headers)
    response = connection.getresponse()
    said = response.read()
    connection.close()
    return response.status, {k.lower(): v for k, v in response.getheaders()}, said


PROTOBUF = {"content-type": "application/x-protobuf"}


def test_an_unknown_key_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("version: 1\nprocesors: {}\n")
    for done in (
        start("--config", "c.yaml", cwd=tmp_path),
        run("config", "check", "c.yaml", cwd=tmp_path),
    ):
        assert (done.returncode, done.stderr) == (
            2,
            "traceai: c.yaml, line 2: unknown key `procesors`. Did you mean `processors`?\n",
        )
    assert not (tmp_path / "traceai-data").exists()


def test_a_good_configuration_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("version: 1\n")
    assert run("config", "check", "c.yaml", cwd=tmp_path).stdout == "c.yaml: ok\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies: [nowhere:POLICY]", "No module named 'nowhere'"),
        ("policies: [broken:POLICY]", "broken:POLICY' cannot be imported: NameError"),
        ("policies: [empty:POLICY]", "is not a traceai.Policy"),
        ("policies: [empty]", "is no module:NAME"),
        ("inventory: nowhere.yaml", "nowhere.yaml"),
        ("processors: {evaluators: [provider_approval]}", "there is no inventory"),
        ("receivers: {otlp: {http: {endpoint: '0.0.0.0:4318'}}}", "can be reached from other"),
        ("receivers: {otlp: {http: {endpoint: 'localhost'}}}", "is no host:port"),
        ("store: {url: postgresql://db/x}", "Use sqlite:///PATH"),
    ],
)
def test_what_a_configuration_refers_to_is_checked_before_anything_starts(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "c.yaml").write_text(f"version: 1\n{text}\n")
    (tmp_path / "broken.py").write_text("POLICY = undefined_name\n")
    (tmp_path / "empty.py").write_text("POLICY = None\n")
    done = subprocess.run(
        [*TRACEAI, "collect", "--config", "c.yaml"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode in {2, 3}
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_collector_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with Collector(tmp_path / "data") as first:
        done = start("--data-dir", "data", cwd=tmp_path)
        assert done.returncode == 3
        assert "--data-dir" in done.stderr
        assert post(first.http, request(), PROTOBUF)[0] == 200


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with Collector(tmp_path / "data") as first:
        for flag in ("http", "grpc"):
            address = first.addresses[flag]
            done = start("--data-dir", "other", f"--{flag}", address, cwd=tmp_path)
            assert done.returncode == 3
            assert f"{address} is in use" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = start("--data-dir", "/proc/nowhere", cwd=tmp_path)
    assert done.returncode == 3
    assert "/proc/nowhere" in done.stderr
    assert "--data-dir" in done.stderr


def test_reading_where_no_collector_ever_ran_says_so(tmp_path: Path) -> None:
    done = run("report", "completeness", "--data-dir", str(tmp_path / "nowhere"))
    assert done.returncode == 3
    assert "There is no evidence store" in done.stderr


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Collector(tmp_path / "data"):
        done = run("trace", "ab" * 16, "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 3
    assert f"No sealed trace {'ab' * 16} is stored." in done.stderr


def test_what_is_refused_is_not_stored_and_what_is_stored_was_acknowledged(tmp_path: Path) -> None:
    good = request()
    with Collector(tmp_path / "data") as collector:
        answers = {
            "malformed": post(collector.http, b"\xff\xff\xff", PROTOBUF),
            "truncated": post(collector.http, good[:-3], PROTOBUF),
            "not gzip": post(collector.http, good, {**PROTOBUF, "content-encoding": "gzip"}),
            "json": post(collector.http, b"{", {"content-type": "application/json"}),
            "type": post(collector.http, good, {"content-type": "text/plain"}),
            "empty": post(collector.http, b"", PROTOBUF),
            "good": post(collector.http, good, PROTOBUF),
        }
        state = collector.wait_until_sealed(4)
    assert {name: status for name, (status, _, _) in answers.items()} == {
        "malformed": 400,
        "truncated": 400,
        "not gzip": 400,
        "json": 400,
        "type": 415,
        "empty": 200,
        "good": 200,
    }
    assert json.loads(answers["json"][2])["message"]
    assert state["spans"] == 4


def test_a_full_disk_refuses_what_it_cannot_store_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    sizes = resource.getrlimit(resource.RLIMIT_FSIZE)
    padded = request() + b"\x7a\x80\x80\x10" + bytes(256 << 10)  # an unknown field of 256 KiB
    with Collector(tmp_path / "data") as collector:
        # No file may grow beyond 2 MiB: the journal's segment is full before long.
        resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, (2 * MEBIBYTE, sizes[1]))
        answers = [post(collector.http, padded, PROTOBUF) for _ in range(12)]
        refused = [headers for status, headers, _ in answers if status == 503]
        assert refused
        assert all(headers["retry-after"] == "1" for headers in refused)
        assert {status for status, _, _ in answers} == {200, 503}
        resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, sizes)
        assert post(collector.http, request(), PROTOBUF)[0] == 200
        state = collector.wait_until_sealed(8)
    # Each request is the same four spans: stored once, however often it was sent.
    assert state["spans"] == 8


def test_it_stops_cleanly_when_told_to(tmp_path: Path) -> None:
    with Collector(tmp_path / "data") as collector:
        assert post(collector.http, request(), PROTOBUF)[0] == 200
        collector.process.send_signal(signal.SIGTERM)
        assert collector.process.wait(10) == 0
