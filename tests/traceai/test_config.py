"""The set-up: which word wins, and which values are refused."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from traceai.config import LIBRARIES, Batching, Config, Target
from traceai.errors import ConfigurationError
from traceai.semconv import ContentState

OTLP = "OTEL_EXPORTER_OTLP_"


def test_without_a_word_everything_has_its_default() -> None:
    assert Config.resolve({}) == Config(
        target=Target(endpoint="http://127.0.0.1:4318/v1/traces"),
        batching=Batching(),
        content=ContentState.REDACTED,
        libraries=LIBRARIES,
    )


@pytest.mark.parametrize(
    ("environ", "arguments", "endpoint"),
    [
        ({OTLP + "ENDPOINT": "http://c:4318"}, {}, "http://c:4318/v1/traces"),
        ({OTLP + "ENDPOINT": "http://c:4318/"}, {}, "http://c:4318/v1/traces"),
        ({OTLP + "ENDPOINT": "https://c/otlp"}, {}, "https://c/otlp/v1/traces"),
        ({OTLP + "TRACES_ENDPOINT": "http://c:4318"}, {}, "http://c:4318"),
        ({OTLP + "TRACES_ENDPOINT": "http://t/x", OTLP + "ENDPOINT": "http://c"}, {}, "http://t/x"),
        ({OTLP + "TRACES_ENDPOINT": "http://t"}, {"endpoint": "http://a"}, "http://a/v1/traces"),
        ({}, {"endpoint": "http://a/v1/traces"}, "http://a/v1/traces"),
        ({OTLP + "ENDPOINT": ""}, {}, "http://127.0.0.1:4318/v1/traces"),
        ({}, {"protocol": "grpc"}, "http://127.0.0.1:4317"),
        ({OTLP + "PROTOCOL": "grpc", OTLP + "ENDPOINT": "c:4317"}, {}, "c:4317"),
        ({OTLP + "PROTOCOL": "grpc"}, {"endpoint": "https://c:4317"}, "https://c:4317"),
    ],
)
def test_an_address_is_used_as_the_specification_says(
    environ: dict[str, str], arguments: dict[str, Any], endpoint: str
) -> None:
    assert Config.resolve(environ, **arguments).target.endpoint == endpoint


@pytest.mark.parametrize(
    ("environ", "arguments", "headers"),
    [
        ({OTLP + "HEADERS": "Api-Key=1,b=x%20y"}, {}, {"api-key": "1", "b": "x y"}),
        ({OTLP + "HEADERS": "a=1", OTLP + "TRACES_HEADERS": "b=2"}, {}, {"b": "2"}),
        ({OTLP + "HEADERS": "a=1"}, {"headers": {"C": "3"}}, {"c": "3"}),
        ({}, {"headers": "authorization=Basic%20YWI%3D"}, {"authorization": "Basic YWI="}),
    ],
)
def test_headers_come_from_the_nearest_word(
    environ: dict[str, str], arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    assert Config.resolve(environ, **arguments).target.headers == headers


def test_every_variable_of_the_exporter_is_honoured() -> None:
    environ = {
        OTLP + "PROTOCOL": "grpc",
        OTLP + "CERTIFICATE": "ca.pem",
        OTLP + "CLIENT_KEY": "key.pem",
        OTLP + "TRACES_CLIENT_CERTIFICATE": "cert.pem",
        OTLP + "TIMEOUT": "2.5",
        OTLP + "COMPRESSION": "gzip",
        "OTEL_TRACES_EXPORTER": "otlp",
    }
    assert Config.resolve(environ).target == Target(
        protocol="grpc",
        endpoint="http://127.0.0.1:4317",
        certificate="ca.pem",
        client_key="key.pem",
        client_certificate="cert.pem",
        timeout_s=2.5,
        compression="gzip",
    )


def test_the_queue_has_the_bounds_of_the_environment() -> None:
    environ = {
        "OTEL_BSP_MAX_QUEUE_SIZE": "10",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5",
        "OTEL_BSP_SCHEDULE_DELAY": "250",
    }
    expected = Batching(max_queue_size=10, max_batch_size=5, delay_s=0.25)
    assert expected == Config.resolve(environ).batching


def test_the_resource_of_the_environment_is_read() -> None:
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,team=x%2Cy",
        "OTEL_SERVICE_NAME": "b",
    }
    assert Config.resolve(environ).resource == {"service.name": "b", "team": "x,y"}


@pytest.mark.parametrize(
    ("environ", "arguments", "content"),
    [
        ({"TRACEAI_CONTENT": "none"}, {}, ContentState.NONE),
        ({"TRACEAI_CONTENT": "none"}, {"content": "full"}, ContentState.FULL),
        ({}, {"content": "digest"}, ContentState.DIGEST),
    ],
)
def test_an_argument_wins_over_the_environment(
    environ: dict[str, str], arguments: dict[str, Any], content: ContentState
) -> None:
    assert Config.resolve(environ, **arguments).content is content


def test_one_library_may_be_named_alone() -> None:
    assert Config.resolve({}, libraries="openai").libraries == ("openai",)
    assert Config.resolve({}, libraries=["langchain"]).libraries == ("langchain",)
    assert Config.resolve({}, libraries=()).libraries == ()


@pytest.mark.parametrize(("word", "disabled"), [("true", True), ("TRUE", True), ("1", False)])
def test_the_sdk_can_be_disabled(word: str, *, disabled: bool) -> None:
    assert Config.resolve({"OTEL_SDK_DISABLED": word}).disabled is disabled


@pytest.mark.parametrize(
    ("environ", "arguments", "said"),
    [
        ({}, {"content": "all"}, "instrument(content=…) is 'all'. It takes one of none, digest,"),
        ({"TRACEAI_CONTENT": "ref"}, {}, "TRACEAI_CONTENT is 'ref'. It takes one of none,"),
        ({}, {"durability": "total"}, "It takes one of observe, durable, strict."),
        ({}, {"protocol": "http/json"}, "It takes one of http/protobuf, grpc."),
        ({OTLP + "PROTOCOL": "x"}, {}, OTLP + "PROTOCOL is 'x'."),
        ({}, {"endpoint": "collector:4318"}, "an address such as http://127.0.0.1:4318"),
        ({}, {"endpoint": "http://"}, "an address such as"),
        ({OTLP + "ENDPOINT": "http://c:port"}, {}, OTLP + "ENDPOINT is 'http://c:port'."),
        ({OTLP + "TIMEOUT": "soon"}, {}, OTLP + "TIMEOUT is 'soon'."),
        ({OTLP + "TIMEOUT": "0"}, {}, "a number of seconds above 0"),
        ({OTLP + "COMPRESSION": "br"}, {}, "It takes one of none, gzip, deflate."),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, {}, "OTEL_TRACES_EXPORTER is 'zipkin'."),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, {}, "a whole number above 0"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team"}, {}, "OTEL_RESOURCE_ATTRIBUTES is 'team'."),
        ({}, {"libraries": ["anthropic"]}, "'anthropic'. It takes names among openai, langchain."),
        ({}, {"service": ""}, "instrument(service=…) is ''."),
        ({}, {"release": 3}, "instrument(release=…) is 3."),
        ({}, {"libraries": 5}, "instrument(libraries=…) is 5."),
        ({}, {"libraries": [["openai"]]}, "instrument(libraries=…) is ['openai']."),
        ({}, {"spool_dir": 5}, "instrument(spool_dir=…) is 5. It takes a path that is not empty."),
        ({}, {"spool_dir": b"x"}, "instrument(spool_dir=…) is b'x'."),
        ({}, {"endpoint": 5}, "instrument(endpoint=…) is 5."),
        ({}, {"protocol": []}, "instrument(protocol=…) is []."),
        (
            {"OTEL_TRACES_EXPORTER": "zipkin,jaeger"},
            {},
            "one of otlp, console, none, alone or in a list.",
        ),
        ({}, {"tracer_provider": object()}, "a TracerProvider of the OpenTelemetry SDK"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    environ: dict[str, str], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.resolve(environ, **arguments)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "headers", ["secret", "a=secret\r\nb: c", {"": "secret"}, 5, ["secret"], [("a", "secret")]]
)
def test_a_wrong_header_is_refused_without_its_value(headers: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Config.resolve({}, headers=headers)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    config = Config.resolve({"TRACEAI_DIGEST_KEY": "hidden"}, headers={"authorization": "hidden"})
    assert "hidden" not in repr(config)


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        ("otlp,console", "otlp"),
        ("console, OTLP", "otlp"),
        ("zipkin,otlp", "otlp"),
        ("console,zipkin", "console"),
        ("none", "none"),
        ("", "otlp"),
    ],
)
def test_of_a_list_of_exporters_the_one_that_is_ours_is_taken(words: str, taken: str) -> None:
    assert Config.resolve({"OTEL_TRACES_EXPORTER": words}).target.exporter == taken


def test_a_path_may_be_an_object() -> None:
    assert Config.resolve({}, spool_dir=Path("a") / "b").spool_dir == "a/b"


def test_an_sdk_provider_is_accepted() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    assert Config.resolve({}, tracer_provider=provider).tracer_provider is provider


def test_a_digest_names_its_key_and_can_be_computed_again() -> None:
    policy = Config.resolve({"TRACEAI_DIGEST_KEY": "k"}).content_policy(b"process")
    key_id = hashlib.sha256(b"k").hexdigest()[:8]
    expected = hmac.new(b"k", b"text", hashlib.sha256).hexdigest()
    assert policy.digest("text") == f"hmac-sha256:{key_id}:{expected}"


def test_without_a_key_digests_are_of_this_process() -> None:
    policy = Config.resolve({}).content_policy(b"process")
    expected = hmac.new(b"process", b"text", hashlib.sha256).hexdigest()
    assert policy.digest("text") == f"hmac-sha256:process:{expected}"
