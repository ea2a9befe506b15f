"""Read any dialect of GenAI telemetry as OpenTelemetry's canonical fields. Pure.

The table is `dialect_table`. A field keeps the key that it was read from, and says whether the span
stated it or it was inferred; what no key says is absent from the result, never a default.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from collector_processor.model import Field, Known
from collector_processor.processor.dialect_table import (
    DETECTION,
    NO_OPERATION,
    OPERATION_KEYS,
    OPERATIONS,
)
from collector_processor.processor.json_text import parse_json
from collector_processor.processor.mapping import NO_DIALECT, OBJECTS, map_field
from traceai import semconv
from traceai.semconv import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from collector_processor.processor.decode import Resource, Span
    from collector_processor.processor.mapping import Mapped

    Fields = dict[str, Field]

_STATED = Known.STATED
# The one dialect that holds no field inside a JSON object.
_NEWEST = "opentelemetry"
# Longer texts than these are not opened to look for a field in them.
_JSON_CHARACTERS = 1 << 20


def _dialect(rank: int) -> str | None:
    return None if rank == NO_DIALECT else DETECTION[rank][0]


def canonical(span: Span) -> Fields:
    """Return the canonical fields that a span itself says, by their canonical names."""
    attributes = span.attributes
    dialect = _dialect(min([attribute.rank for attribute in span.read], default=NO_DIALECT))
    mapped = [attribute.mapped for attribute in span.read]
    fields = _read(chain(mapped, _members(attributes, dialect)), dialect)
    if dialect is not None:
        operation = _operation(attributes, dialect, fields)
        if operation is not None:
            fields[semconv.OPERATION_NAME] = operation
            _outcome(span, fields)
            if operation.value == Operation.EXECUTE_TOOL and semconv.TOOL_NAME not in fields:
                fields[semconv.TOOL_NAME] = Field(span.name, Known.DERIVED, "name")
    return fields


@lru_cache(maxsize=4096)
def resource_fields(resource: Resource) -> Fields:
    """Return the canonical fields that a resource says, once for each distinct resource."""
    return {
        name: Field(field.value, Known.DERIVED, f"resource {field.source}")
        for name, field in _read(
            (map_field(key, value) for key, value in resource.attributes.items()), None
        ).items()
    }


def _read(found: Iterable[tuple[Mapped, ...]], dialect: str | None) -> Fields:
    """Keep of each field the best source, and of equal ones the first."""
    fields: Fields = {}
    ranks: dict[str, int] = {}
    for mapped in found:
        for name, rank, only, field in mapped:
            if (name not in ranks or rank < ranks[name]) and (only is None or only == dialect):
                fields[name] = field
                ranks[name] = rank
    return fields


def _members(attributes: Mapping[str, Any], dialect: str | None) -> Iterator[tuple[Mapped, ...]]:
    """Map the members of JSON objects in which the dialect keeps fields, as `key#member`."""
    if dialect is None or dialect == _NEWEST:
        return
    for key in OBJECTS.keys() & attributes.keys():
        if dialect in OBJECTS[key]:
            for member, value in _open(attributes[key]).items():
                yield map_field(f"{key}#{member}", value)


def _open(value: Any) -> Mapping[str, Any]:
    """Return the members of a JSON object held as text; nothing when it is none or broken."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or value[:1] != "{" or len(value) > _JSON_CHARACTERS:
        return {}
    try:
        members = parse_json(value)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _operation(attributes: Mapping[str, Any], dialect: str, fields: Fields) -> Field | None:
    for key, only in OPERATION_KEYS:
        if only not in (None, dialect):
            continue
        value = attributes.get(key)
        if isinstance(value, str) and value and value.lower() not in NO_OPERATION:
            return Field(OPERATIONS.get(value.lower(), value.lower()), _STATED, key)
    if attributes.get("mcp.method.name") == "tools/call":
        return Field(Operation.EXECUTE_TOOL.value, _STATED, "mcp.method.name")
    # A span that asked a model of a provider is a model call, even if it does not say so.
    model = fields.get(semconv.REQUEST_MODEL)
    if model is not None and semconv.PROVIDER_NAME in fields:
        return Field(Operation.CHAT.value, Known.INFERRED, model.source)
    return None


def _outcome(span: Span, fields: Fields) -> None:
    """Say how a call ended when its emitter does not: from status, error and finish reason."""
    if semconv.OUTCOME in fields:
        return
    reasons = fields.get(semconv.RESPONSE_FINISH_REASONS)
    status = fields.get(semconv.RESPONSE_STATUS)
    level = span.attributes.get("langfuse.observation.level")
    if span.status_code == 2 or level == "ERROR":  # noqa: PLR2004 - Status.STATUS_CODE_ERROR
        outcome, source = "error", "status"
    elif semconv.ERROR_TYPE in fields:
        outcome, source = "error", semconv.ERROR_TYPE
    elif status is not None and status.value in {"failed", "cancelled"}:
        outcome, source = {"failed": "error"}.get(status.value, "cancelled"), status.source
    elif reasons is not None and "error" in reasons.value:
        outcome, source = "error", reasons.source
    elif span.end_ns == 0:
        return
    else:
        outcome, source = "completed", "status"
    fields[semconv.OUTCOME] = Field(outcome, Known.DERIVED, source)
