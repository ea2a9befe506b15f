"""`instrument()` sets up, changes and takes away, and real calls come out at the other end."""

from __future__ import annotations

import json
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import openai
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import traceai
from traceai.entry_points import LangChainInstrumentor, OpenAIInstrumentor
from traceai.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import OtlpSink

ANSWER = {
    "id": "r-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}


class _Model(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True).start()
    yield openai.OpenAI(base_url=f"http://127.0.0.1:{server.server_port}/v1", api_key="k")
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "TRACEAI_CONTENT"):
        monkeypatch.delenv(name, raising=False)
    yield
    traceai.uninstrument()


def ask(client: openai.OpenAI) -> str | None:
    answer = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hello"}]
    )
    return answer.choices[0].message.content


def test_a_call_of_the_sdk_arrives_with_who_it_was_for(
    otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    traceai.instrument(service="support", release="1", environment="test", endpoint=otlp_sink.url)
    with traceai.context(user="u-7", route="help"):
        assert ask(client) == "hi"
    assert traceai.flush(10).spooled == 0
    (span,) = otlp_sink.spans()
    (attributes,) = otlp_sink.attributes()
    (resource,) = otlp_sink.resources()
    assert span.name == "chat gpt-4o"
    assert {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 1,
        "traceai.outcome": "completed",
        "user.id": "u-7",
        "traceai.route": "help",
    }.items() <= attributes.items()
    assert {
        "service.name": "support",
        "service.version": "1",
        "deployment.environment.name": "test",
        "telemetry.sdk.language": "python",
    }.items() <= resource.items()
    assert resource["service.instance.id"][14] == "7"


def test_instrumenting_twice_records_a_call_once_and_says_it_once(
    otlp_sink: OtlpSink, client: openai.OpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        traceai.instrument(service="twice", endpoint=otlp_sink.url)
    ask(client)
    traceai.flush(10)
    assert otlp_sink.names() == ["chat gpt-4o"]
    assert capsys.readouterr().err.count("traceai:") == 1


def test_a_second_time_changes_the_way_the_resource_and_the_content(
    otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    traceai.instrument(service="first", endpoint="http://127.0.0.1:9", content="none")
    traceai.instrument(service="second", endpoint=otlp_sink.url, content="full")
    ask(client)
    traceai.flush(10)
    assert otlp_sink.resources()[0]["service.name"] == "second"
    assert "hello" in otlp_sink.attributes()[0]["gen_ai.input.messages"]


def test_a_manual_span_above_a_call_arrives_with_it(
    otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    traceai.instrument(service="s", endpoint=otlp_sink.url)
    with trace.get_tracer("app").start_as_current_span("handle"):
        ask(client)
    with trace.get_tracer("app").start_as_current_span("GET /health"):
        pass
    traceai.flush(10)
    assert otlp_sink.names() == ["chat gpt-4o", "handle"]


def test_taking_away_leaves_no_patch_and_no_span(
    otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    before = vars(openai.OpenAI).get("request"), threading.Thread.start
    sent = traceai.flush(1).sent
    handle = traceai.instrument(service="s", endpoint=otlp_sink.url)
    assert vars(openai.OpenAI).get("request") is not before[0]
    handle.uninstrument()
    handle.uninstrument()
    assert ask(client) == "hi"
    assert (vars(openai.OpenAI).get("request"), threading.Thread.start) == before
    assert (handle.flush(1).sent - sent, otlp_sink.requests) == (0, [])


def test_what_was_taken_away_can_come_back(otlp_sink: OtlpSink, client: openai.OpenAI) -> None:
    for name in ("first", "second"):
        traceai.instrument(service=name, endpoint=otlp_sink.url)
        ask(client)
        traceai.uninstrument()
    assert [resource["service.name"] for resource in otlp_sink.resources()] == ["first", "second"]


def test_a_wrong_value_changes_nothing(otlp_sink: OtlpSink, client: openai.OpenAI) -> None:
    traceai.instrument(service="s", endpoint=otlp_sink.url)
    with pytest.raises(ConfigurationError):
        traceai.instrument(service="s", content="everything")
    ask(client)
    traceai.flush(10)
    assert otlp_sink.names() == ["chat gpt-4o"]


@pytest.mark.parametrize("wrong", [{"headers": 5}, {"libraries": 5}, {"spool_dir": 5}])
def test_a_value_of_the_wrong_kind_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        traceai.instrument(**wrong)


def test_a_working_directory_that_is_gone_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    traceai.instrument(service="s", endpoint=otlp_sink.url)
    ask(client)
    assert traceai.flush(10).spooled == 0
    assert otlp_sink.names() == ["chat gpt-4o"]


def test_beside_another_global_provider_no_root_is_missing(
    otlp_sink: OtlpSink, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False))
    chosen = TracerProvider(shutdown_on_exit=False)
    traceai.instrument(service="s", endpoint=otlp_sink.url, tracer_provider=chosen)
    with trace.get_tracer("app").start_as_current_span("request"):
        ask(client)
    traceai.flush(10)
    (span,) = otlp_sink.spans()
    is_remote, is_known = 0x200, 0x100
    assert span.flags & (is_remote | is_known) == is_remote | is_known


def test_only_the_libraries_that_were_named_are_patched(
    otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    traceai.instrument(service="s", endpoint=otlp_sink.url, libraries=["langchain"])
    ask(client)
    assert "request" not in vars(openai.OpenAI)
    traceai.instrument(service="s", endpoint=otlp_sink.url, libraries=["openai"])
    ask(client)
    traceai.flush(10)
    assert otlp_sink.names() == ["chat gpt-4o"]


def test_a_disabled_sdk_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    handle = traceai.instrument(service="s", endpoint=otlp_sink.url)
    assert handle.summary == "traceai: off (OTEL_SDK_DISABLED)"
    assert ask(client) == "hi"
    assert "request" not in vars(openai.OpenAI)


def test_an_exporter_of_none_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    traceai.instrument(service="s", endpoint=otlp_sink.url)
    ask(client)
    traceai.flush(1)
    assert otlp_sink.requests == []


def test_the_environment_is_enough(
    monkeypatch: pytest.MonkeyPatch, otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-env")
    monkeypatch.setenv("TRACEAI_CONTENT", "none")
    traceai.instrument()
    ask(client)
    traceai.flush(10)
    assert otlp_sink.resources()[0]["service.name"] == "from-env"
    assert otlp_sink.attributes()[0]["traceai.content.state"] == "none"


def test_the_entry_points_add_one_library_each(
    monkeypatch: pytest.MonkeyPatch, otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_sink.url)
    openai_part, langchain_part = OpenAIInstrumentor(), LangChainInstrumentor()
    openai_part.instrument(tracer_provider=None, skip_dep_check=True)
    langchain_part.instrument()
    ask(client)
    langchain_part.uninstrument()
    ask(client)
    openai_part.uninstrument()
    ask(client)
    assert otlp_sink.names() == ["chat gpt-4o"] * 2
    assert openai_part.instrumentation_dependencies() == ()


def test_an_entry_point_keeps_what_the_code_has_set_up(
    otlp_sink: OtlpSink, client: openai.OpenAI
) -> None:
    traceai.instrument(service="code", endpoint=otlp_sink.url, libraries=["langchain"])
    OpenAIInstrumentor().instrument()
    ask(client)
    traceai.flush(10)
    assert otlp_sink.resources()[0]["service.name"] == "code"


def test_the_handle_shows_what_was_set_up(otlp_sink: OtlpSink) -> None:
    handle = traceai.instrument(service="s", release="1", endpoint=otlp_sink.url)
    assert repr(handle) == f"<{handle.summary}>"
    assert "missing for complete evidence: environment" in handle.summary
    assert handle.config.service == "s"


def test_nothing_is_printed_but_the_line(
    otlp_sink: OtlpSink, client: openai.OpenAI, capfd: pytest.CaptureFixture[str]
) -> None:
    handle = traceai.instrument(service="quiet", endpoint=otlp_sink.url)
    ask(client)
    traceai.flush(10)
    sys.stderr.flush()
    assert capfd.readouterr() == ("", handle.summary + "\n")
