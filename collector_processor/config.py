"""Read the collector's one YAML file into a frozen value, or say which key is wrong and where.

The file has the manner of the OpenTelemetry Collector's: `${env:NAME}` and `${env:NAME:-default}`
in any text, `$$` for a dollar sign, keys checked strictly. Flags of the command line override it.
This is the only module of the collector that looks at the environment.
"""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from collector_processor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Seconds = Annotated[float, Meta(gt=0, le=30 * 86_400)]
Mebibytes = Annotated[int, Meta(ge=1, le=1 << 24)]

# Named by the design, built by a later release: to ignore one in silence would be a promise broken.
_LATER = {
    "auth": "tokens and roles",
    "log": "the transparency log",
    "retention": "lifetimes of content and rows",
}


class _Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file in which an unknown key is an error."""


class Endpoint(_Strict, frozen=True, kw_only=True):
    """Where to listen."""

    endpoint: str


class OTLPReceiver(_Strict, frozen=True, kw_only=True):
    """The OTLP receivers; `max_request_mib` holds after decompression."""

    grpc: Endpoint = Endpoint(endpoint="127.0.0.1:4317")
    http: Endpoint = Endpoint(endpoint="127.0.0.1:4318")
    max_request_mib: Annotated[int, Meta(ge=1, le=1024)] = 64


class Receivers(_Strict, frozen=True, kw_only=True):
    """What is listened to."""

    otlp: OTLPReceiver = OTLPReceiver()


class JournalPart(_Strict, frozen=True, kw_only=True):
    """Where accepted requests are made durable, and how much may wait there."""

    path: str | None = None
    max_mib: Mebibytes = 4096


class StorePart(_Strict, frozen=True, kw_only=True):
    """Where the evidence is kept: `sqlite:///PATH`."""

    url: str | None = None


class Assemble(_Strict, frozen=True, kw_only=True):
    """When a trace is sealed, in seconds of quiet, and of age at most."""

    settle_s: Seconds = 0.5
    quiet_s: Seconds = 2.0
    deadline_s: Seconds = 600.0


class CompletenessPart(_Strict, frozen=True, kw_only=True):
    """Which codes are required."""

    profile: Literal["soc2"] = "soc2"


EvaluatorName = Literal["pii", "secrets", "provider_approval", "is_compliant"]


class Processors(_Strict, frozen=True, kw_only=True):
    """How traces are assembled and judged.

    Attributes:
        evaluators: what is run on 100 % of the calls.
        required: what each model call must have a verdict of, by route; `*` for every route.
    """

    assemble: Assemble = Assemble()
    completeness: CompletenessPart = CompletenessPart()
    evaluators: tuple[EvaluatorName, ...] = ("pii", "secrets")
    required: dict[str, tuple[str, ...]] = {}


class OTLPExporter(_Strict, frozen=True, kw_only=True):
    """A backend that gets every span as it came, and the evaluation results as log records."""

    endpoint: str
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    headers: dict[str, str] = {}
    compression: Literal["none", "gzip"] = "gzip"
    timeout_s: Seconds = 10.0

    def __post_init__(self) -> None:
        """Refuse what can never be reached; it would wait for ever."""
        schemed = self.endpoint if "//" in self.endpoint else f"//{self.endpoint}"
        parts = urlsplit(schemed)
        schemes = ("", "http", "https") if self.protocol == "grpc" else ("http", "https")
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(
                f"`endpoint` is {self.endpoint!r}, no address such as http://host:4318"
            )
        if parts.path.rstrip("/").endswith(("/v1/traces", "/v1/logs")):
            raise ValueError("`endpoint` ends in a signal's path, which is appended: leave it out")


class Exporters(_Strict, frozen=True, kw_only=True):
    """Where to forward to."""

    otlp: tuple[OTLPExporter, ...] = ()


class UIPart(_Strict, frozen=True, kw_only=True):
    """Where health is answered and, later, the pages."""

    endpoint: str | None = None


class Config(_Strict, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        policies: `module:NAME` of a `traceai.Policy` in Python, imported from beside the file.
        inventory: path of the approved providers, relative to the file.
    """

    version: Literal[1] = 1
    receivers: Receivers = Receivers()
    journal: JournalPart = JournalPart()
    store: StorePart = StorePart()
    processors: Processors = Processors()
    policies: tuple[str, ...] = ()
    inventory: str | None = None
    exporters: Exporters = Exporters()
    ui: UIPart = UIPart()


def load(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file cannot be read, is no YAML, or has a wrong key or value: the message
            names the key and its line.
    """
    tree, lines = _parse(path)
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} holds no mapping.", remedy="Start it with `version: 1`.")
    for key, what in _LATER.items():
        if key in tree:
            raise ConfigError(
                f"{path}, line {lines.get((key,), 1)}: `{key}` ({what}) is not built yet.",
                remedy="Remove the key: ignoring it would promise what is not kept.",
            )
    values = _substitute(tree, os.environ if environ is None else environ, path)
    try:
        config = msgspec.convert({"version": None, **values}, Config, strict=False)
    except msgspec.ValidationError as error:
        raise _explain(error, path, lines) from None
    return config


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    return msgspec.json.schema(Config)


def _parse(path: Path) -> tuple[Any, dict[tuple[str | int, ...], int]]:
    from ruamel.yaml import YAML  # noqa: PLC0415 - 60 ms that a start without a file need not pay
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"Cannot read the configuration {path}: {error.strerror}.",
            remedy="Name an existing file with --config, or leave the flag out.",
        ) from error
    try:
        loaded = YAML(typ="rt").load(text)
    except YAMLError as error:
        raise ConfigError(
            f"{path} is not YAML: {' '.join(str(error).split())}", remedy="Mend that line."
        ) from error
    lines: dict[tuple[str | int, ...], int] = {}
    return _plain(loaded, (), lines), lines


def _plain(node: Any, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]) -> Any:
    """Turn ruamel's nodes into plain values, keeping the line of each key."""
    if isinstance(node, dict):
        marks: Any = node
        for key in node:
            lines[(*path, key)] = marks.lc.key(key)[0] + 1
        return {key: _plain(value, (*path, key), lines) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, (*path, index), lines) for index, value in enumerate(node)]
    for plain in (str, float):  # ruamel's scalars carry their spelling, which msgspec refuses
        if isinstance(node, plain):
            return plain(node)
    return node


_REFERENCE = re.compile(r"\$\$|\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _substitute(node: Any, environ: Mapping[str, str], path: Path) -> Any:
    if isinstance(node, dict):
        return {key: _substitute(value, environ, path) for key, value in node.items()}
    if isinstance(node, list):
        return [_substitute(value, environ, path) for value in node]
    if not isinstance(node, str):
        return node

    def value_of(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name is None:
            return "$"
        if name in environ:
            return environ[name]
        if default is None:
            raise ConfigError(
                f"{path} asks for the environment variable {name}, which is not set.",
                remedy=f"Set it, or write ${{env:{name}:-a default}}.",
            )
        return default

    return _REFERENCE.sub(value_of, node)


def _explain(
    error: msgspec.ValidationError, path: Path, lines: Mapping[tuple[str | int, ...], int]
) -> ConfigError:
    text = str(error)
    where = re.search(r" - at `\$(.*)`$", text)
    keys = _keys(where.group(1) if where else "")
    unknown = re.match(r"Object contains unknown field `(.+?)`", text)
    if not unknown:
        said = text.split(" - at ", 1)[0]
        return ConfigError(
            f"{path}, line {_line(keys, lines)}: `{_dotted(keys) or 'version'}`: {said}.",
            remedy="See `traceai config schema` for what each key takes.",
        )
    name = unknown.group(1)
    known = _known(keys)
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(known)}."
    return ConfigError(
        f"{path}, line {_line((*keys, name), lines)}: unknown key `{_dotted((*keys, name))}`.",
        remedy=meant,
    )


def _keys(path: str) -> tuple[str | int, ...]:
    parts = re.findall(r"\.([A-Za-z_0-9]+)|\[(\d+|\.\.\.)\]", path)
    return tuple(name or (int(index) if index.isdigit() else 0) for name, index in parts)


def _dotted(keys: tuple[str | int, ...]) -> str:
    return ".".join(str(key) for key in keys)


def _line(keys: tuple[str | int, ...], lines: Mapping[tuple[str | int, ...], int]) -> int:
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 1)


def _known(keys: tuple[str | int, ...]) -> list[str]:
    """Return the field names of the part of the file that `keys` leads to."""
    kind: Any = Config
    for key in keys:
        if isinstance(key, str):
            kind = next(f.type for f in msgspec.structs.fields(kind) if f.name == key)
        else:
            kind = kind.__args__[0]
    return [field.name for field in msgspec.structs.fields(kind)]
