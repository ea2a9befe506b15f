"""Read the set-up once, from the arguments of `instrument()` and the environment, and validate it.

An argument wins over a `TRACES` variable, which wins over the general one, which wins over the
default. A wrong value raises `ConfigurationError` and names the key, the value and what is allowed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from traceai.attributes import Content
from traceai.given import Given, pairs, wrong
from traceai.semconv import SERVICE_NAME, ContentState

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import TracerProvider

LIBRARIES: Final = ("openai", "langchain")
PROTOCOLS: Final = ("http/protobuf", "grpc")
DURABILITIES: Final = ("observe", "durable", "strict")
EXPORTERS: Final = ("otlp", "console", "none")
COMPRESSIONS: Final = ("none", "gzip", "deflate")
SIGNAL_PATH: Final = "/v1/traces"
DEFAULT_ENDPOINTS: Final = {
    "http/protobuf": "http://127.0.0.1:4318",
    "grpc": "http://127.0.0.1:4317",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where spans are sent, and how.

    Attributes:
        exporter: otlp, console or none.
        protocol: http/protobuf or grpc.
        endpoint: the full address, with `/v1/traces` for HTTP.
        headers: sent with each request; they often hold a secret.
        certificate: file of the authority that the collector is checked against.
        client_key: file of our own key for mutual TLS.
        client_certificate: file of our own certificate.
        timeout_s: bound of one request, its repetitions included; the variable holds seconds, as
            for the official exporters of Python, and not the milliseconds of the specification.
        compression: none, gzip or deflate.
    """

    exporter: str = "otlp"
    protocol: str = PROTOCOLS[0]
    endpoint: str = DEFAULT_ENDPOINTS[PROTOCOLS[0]] + SIGNAL_PATH
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None
    timeout_s: float = 10.0
    compression: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """How spans wait. Attributes: bounds of the queue and of a batch, in spans, and the pause."""

    max_queue_size: int = 16_384
    max_batch_size: int = 512
    delay_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that `instrument()` was told.

    Attributes:
        disabled: `OTEL_SDK_DISABLED` asks for silence.
        service: the service's name, as an argument.
        release: its version, as an argument.
        environment: its deployment environment, as an argument.
        resource: what the environment says of the process.
        target: where spans go.
        batching: how they wait.
        content: what may leave of what was said.
        digest_key: key of the digests; None for one of this process alone.
        durability: observe, durable or strict.
        spool_dir: where the spool is to be; None for the default place.
        tracer_provider: the provider to use instead of the global one.
        isolated: keep away from the application's own providers.
        libraries: what to patch.
    """

    disabled: bool = False
    service: str | None = None
    release: str | None = None
    environment: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    target: Target = field(default_factory=Target)
    batching: Batching = field(default_factory=Batching)
    content: ContentState = ContentState.REDACTED
    digest_key: bytes | None = field(default=None, repr=False)
    durability: str | None = None
    spool_dir: str | None = None
    tracer_provider: TracerProvider | None = None
    isolated: bool = False
    libraries: tuple[str, ...] = LIBRARIES

    @staticmethod
    def read(**arguments: Any) -> Config:
        """Return the set-up of this process: `resolve` with its environment."""
        return Config.resolve(os.environ, **arguments)

    @staticmethod
    def resolve(environ: Mapping[str, str], **arguments: Any) -> Config:
        """Return the set-up that `arguments` of `instrument()` and `environ` make together.

        Raises:
            ConfigurationError: a value is wrong; the message names it and what is allowed.
        """
        given = Given(environ, arguments)
        durability = given.choice("durability", (), DURABILITIES, "")
        return Config(
            disabled=given.flag("OTEL_SDK_DISABLED"),
            service=given.text("service"),
            release=given.text("release"),
            environment=given.text("environment"),
            resource=_resource(environ),
            target=_target(given),
            batching=Batching(
                max_queue_size=given.count("OTEL_BSP_MAX_QUEUE_SIZE", Batching().max_queue_size),
                max_batch_size=given.count(
                    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", Batching().max_batch_size
                ),
                delay_s=given.count("OTEL_BSP_SCHEDULE_DELAY", 1000) / 1000,
            ),
            content=ContentState(
                given.choice("content", ("TRACEAI_CONTENT",), _CONTENT, ContentState.REDACTED.value)
            ),
            digest_key=(given.text(None, "TRACEAI_DIGEST_KEY") or "").encode() or None,
            durability=durability or None,
            spool_dir=given.path("spool_dir"),
            tracer_provider=_provider(arguments.get("tracer_provider")),
            isolated=bool(arguments.get("isolated")),
            libraries=_libraries(arguments.get("libraries")),
        )

    def content_policy(self, process_key: bytes) -> Content:
        """Return what instrumentors may say; digests are made with `process_key` if no key is set.

        Digests with a key of the set-up can be compared between processes, `process` ones cannot.
        """
        if self.digest_key is None:
            return Content(state=self.content, digest=_digester(process_key, "process"))
        key_id = hashlib.sha256(self.digest_key).hexdigest()[:8]
        return Content(state=self.content, digest=_digester(self.digest_key, key_id))


_CONTENT: Final = tuple(
    state.value
    for state in (
        ContentState.NONE,
        ContentState.DIGEST,
        ContentState.REDACTED,
        ContentState.FULL,
    )
)


def _otlp(name: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def _target(given: Given) -> Target:
    protocol = given.choice("protocol", _otlp("PROTOCOL"), PROTOCOLS, PROTOCOLS[0])
    return Target(
        exporter=_exporter(given),
        protocol=protocol,
        endpoint=_endpoint(given, protocol),
        headers=_headers(given),
        certificate=given.text(None, *_otlp("CERTIFICATE")),
        client_key=given.text(None, *_otlp("CLIENT_KEY")),
        client_certificate=given.text(None, *_otlp("CLIENT_CERTIFICATE")),
        timeout_s=given.seconds(_otlp("TIMEOUT"), Target().timeout_s),
        compression=given.choice(None, _otlp("COMPRESSION"), COMPRESSIONS, COMPRESSIONS[0]),
    )


def _exporter(given: Given) -> str:
    """Take `otlp` of a list, else `console`: the rest is for the application's own SDK."""
    key, text = given.find(None, "OTEL_TRACES_EXPORTER") or ("", EXPORTERS[0])
    words = {word.strip().lower() for word in text.split(",")}
    taken = next((word for word in EXPORTERS if word in words), None)
    if taken is None:
        raise wrong(key, text, "one of " + ", ".join(EXPORTERS) + ", alone or in a list")
    return taken


def _endpoint(given: Given, protocol: str) -> str:
    """Use the TRACES address as it is; give any other the path of the signal, unless it has it."""
    signal, general = _otlp("ENDPOINT")
    key, address = given.find("endpoint", signal, general) or ("", DEFAULT_ENDPOINTS[protocol])
    if not isinstance(address, str) or not _is_address(address, protocol):
        raise wrong(key, address, "an address such as " + DEFAULT_ENDPOINTS[protocol])
    if protocol == "grpc" or key == signal or address.endswith(SIGNAL_PATH):
        return address
    return address.rstrip("/") + SIGNAL_PATH


def _is_address(address: str, protocol: str) -> bool:
    try:
        parts = urlsplit(address if "://" in address else f"grpc://{address}")
        known = parts.scheme in ("http", "https") or (protocol == "grpc" and parts.scheme == "grpc")
        return known and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _headers(given: Given) -> dict[str, str]:
    found = given.find("headers", *_otlp("HEADERS"))
    if found is None:
        return {}
    key, value = found
    # The value may be a secret: an error names the key, never what it holds.
    items = dict(pairs(value)) if isinstance(value, str) else value
    named = items.items() if isinstance(items, Mapping) else [("", "")]
    headers = {str(name).strip().lower(): str(text) for name, text in named}
    if not all(headers) or any(symbol in text for text in headers.values() for symbol in "\r\n"):
        raise wrong(key, "…", "pairs such as authorization=Bearer%20token, or a mapping")
    return headers


def _resource(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the resource attributes of the environment; a malformed pair stops start-up."""
    text = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    found = dict(pairs(text))
    if "" in found:
        raise wrong("OTEL_RESOURCE_ATTRIBUTES", text, "pairs key=value, separated by commas")
    if name := environ.get("OTEL_SERVICE_NAME"):
        found[SERVICE_NAME] = name
    return found


def _provider(provider: Any) -> TracerProvider | None:
    if provider is not None and not hasattr(provider, "add_span_processor"):
        raise wrong("tracer_provider=", provider, "a TracerProvider of the OpenTelemetry SDK")
    return cast("TracerProvider | None", provider)


def _libraries(names: object) -> tuple[str, ...]:
    if names is None:
        return LIBRARIES
    chosen = (
        tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)
    )
    for name in chosen:
        if name not in LIBRARIES:
            raise wrong("libraries=", name, "names among " + ", ".join(LIBRARIES))
    return chosen


def _digester(key: bytes, key_id: str) -> Callable[[str], str]:
    def digest(text: str) -> str:
        data = text.encode(errors="backslashreplace")
        return f"hmac-sha256:{key_id}:{hmac.new(key, data, hashlib.sha256).hexdigest()}"

    return digest
