"""Kill the collector with -9 in the middle of traffic: what was acknowledged is there, once."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.running import EXAMPLES, Collector, traces_of

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 3
REQUESTS = 150
SPANS = 4


class Sender(threading.Thread):
    """Sends requests one after the other, each until it is acknowledged.

    Attributes:
        acknowledged: the spans that the collector said it has.
    """

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged = 0
        self._address = address

    def run(self) -> None:
        for _ in range(REQUESTS):
            body = request()
            while not self._sent(body):
                time.sleep(0.02)
            self.acknowledged += SPANS

    def _sent(self, body: bytes) -> bool:
        try:
            connection = http.client.HTTPConnection(self._address, timeout=10)
            headers = {"content-type": "application/x-protobuf"}
            connection.request("POST", "/v1/traces", body, headers)
            status = connection.getresponse().status
            connection.close()
        except (OSError, http.client.HTTPException):
            return False
        return status == 200


def request() -> bytes:
    """Return one trace of a root and its children."""
    trace_id, ids = os.urandom(16), [os.urandom(8) for _ in range(SPANS)]
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    now = time.time_ns()
    for index, span_id in enumerate(ids):
        span = spans.add(trace_id=trace_id, span_id=span_id, name="chat m")
        span.parent_span_id = ids[0] if index else b""
        span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1
    return message.SerializeToString()


def test_no_acknowledged_span_is_lost_or_stored_twice(tmp_path: Path) -> None:
    collector = Collector(tmp_path / "data")
    with collector:
        senders = [Sender(collector.http) for _ in range(4)]
        for sender in senders:
            sender.start()
        for kill in range(1, KILLS + 1):
            while sum(sender.acknowledged for sender in senders) < kill * 300:
                time.sleep(0.01)
            collector.kill()
            collector.__enter__()
        for sender in senders:
            sender.join()
        acknowledged = sum(sender.acknowledged for sender in senders)
        state = collector.wait_until_sealed(acknowledged)
    assert (state["spans"], state["traces"]["sealed"]) == (acknowledged, acknowledged // SPANS)


def test_the_demo_loses_nothing_when_its_collector_is_killed(tmp_path: Path) -> None:
    collector = Collector(tmp_path / "data", config=EXAMPLES / "collector.yaml")
    with collector:
        agent = subprocess.Popen(
            [sys.executable, "-u", str(EXAMPLES / "support_agent.py")],
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert agent.stdout is not None
        said = [agent.stdout.readline() for _ in range(6)]
        collector.kill()
        collector.__enter__()
        said += agent.stdout.readlines()
        assert agent.wait() == 0
        names = traces_of("".join(said))
        collector.wait_until_sealed()
        report = collector.ask("report", "completeness")
        found = {
            name: collector.ask("trace", trace_id)["codes"] for trace_id, name in names.items()
        }
    assert len(names) == 13
    assert {name: codes for name, codes in found.items() if codes} == {
        "call_without_user": ["no_user"],
        "fallback_without_reason": ["fallback_without_reason"],
        "orphan_span": ["orphan_span"],
    }
    assert report["traces"] == {"complete": 10, "incomplete": 3, "unknown": 0, "proven": 0}
