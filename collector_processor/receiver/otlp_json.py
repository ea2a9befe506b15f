"""Turn an OTLP/JSON request into the protobuf bytes that the same request would have been.

OTLP 1.11, "JSON Protobuf Encoding": trace and span ids are hexadecimal, other bytes base64, 64-bit
integers come as text or as numbers, unknown fields are ignored, and a key in snake_case is unknown.
An id that is not hexadecimal becomes one that `envelope` rejects, so that it costs its span alone.
"""

from __future__ import annotations

import base64
import binascii
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector_processor.errors import MalformedRequestError, RequestTooLargeError
from collector_processor.model import Signal
from collector_processor.receiver.wire import FIXED32, FIXED64, LENGTH, VARINT, tag, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.descriptor import Descriptor, EnumDescriptor

    # From a JSON value to the bytes of a field, its header included.
    Encoder = Callable[[Any], bytes]

_REQUESTS = {
    Signal.TRACES: ExportTraceServiceRequest.DESCRIPTOR,
    Signal.LOGS: ExportLogsServiceRequest.DESCRIPTOR,
}
_WRONG_PARENT = b"\xff"  # one byte, a length that no parent may have
_MOST_VALUES = 500_000  # a span with 26 attributes has about 60
_LONGEST_INTEGER = 40  # digits read: more than 64 bits have, few enough to be read at once


class _WrongValueError(Exception):
    """A value is not of the field's type; `path` grows as the error passes the fields above."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.path = ""


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """Encode an OTLP/JSON request as protobuf.

    Raises:
        MalformedRequestError: the body is no JSON, or a value has the wrong type; the message names
            its path.
        RequestTooLargeError: it holds too many values: an empty object of two bytes takes a
            hundred in memory.
    """
    if body.count(b"{") + body.count(b"[") > _MOST_VALUES:
        raise RequestTooLargeError(
            f"The body holds more than {_MOST_VALUES} objects and arrays.",
            remedy="Send smaller batches, or protobuf.",
        )
    try:
        return _encode_message(msgspec.json.decode(body), _REQUESTS[signal])
    except _WrongValueError as error:
        raise MalformedRequestError(
            f"{error.path.lstrip('.') or 'The body'}: {error}.",
            remedy="See the JSON encoding in the OTLP specification.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequestError(
            f"The body is not JSON: {error}.", remedy="Send an OTLP/JSON request."
        ) from error
    except RecursionError as error:
        raise MalformedRequestError(
            "The body is nested too deeply.", remedy="Send flatter values."
        ) from error


def _encode_message(value: Any, shape: Descriptor) -> bytes:
    if type(value) is not dict:
        raise _WrongValueError(f"must be an object, not {_kind(value)}")
    encoders = _encoders(shape)
    parts = []
    for key, item in value.items():
        encoder = encoders.get(key)
        if encoder is None or item is None:
            continue
        try:
            parts.append(encoder(item))
        except _WrongValueError as error:
            error.path = f".{key}{error.path}"
            raise
    return b"".join(parts)


@cache
def _encoders(shape: Descriptor) -> Mapping[str, Encoder]:
    """Return how each field of a message is encoded, by its name in JSON."""
    return {field.json_name: _field_encoder(field) for field in shape.fields}


def _field_encoder(field: FieldDescriptor) -> Encoder:
    encode = _value_encoder(field)
    return _repeated(encode) if field.is_repeated else encode


def _repeated(encode: Encoder) -> Encoder:
    def encode_all(value: Any) -> bytes:
        if type(value) is not list:
            raise _WrongValueError(f"must be an array, not {_kind(value)}")
        parts = []
        for index, item in enumerate(value):
            try:
                parts.append(encode(item))
            except _WrongValueError as error:
                error.path = f"[{index}]{error.path}"
                raise
        return b"".join(parts)

    return encode_all


def _value_encoder(field: FieldDescriptor) -> Encoder:
    if field.message_type is not None:
        inner = field.message_type
        return _delimited(field.number, lambda value: _encode_message(value, inner))
    if field.enum_type is not None:
        return _number(field.number, _enum(field.enum_type))
    if field.type == FieldDescriptor.TYPE_STRING:
        return _delimited(field.number, _text)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _delimited(field.number, _IDS.get(field.name, _base64))
    return _number_encoder(field)


def _number_encoder(field: FieldDescriptor) -> Encoder:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _number(field.number, _boolean)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return _packed(field.number, FIXED64, "<d", _double)
    if field.type == FieldDescriptor.TYPE_FIXED64:
        return _packed(field.number, FIXED64, "<Q", _integer(0, 2**64))
    if field.type == FieldDescriptor.TYPE_FIXED32:
        return _packed(field.number, FIXED32, "<I", _integer(0, 2**32))
    low, high = {
        FieldDescriptor.TYPE_INT64: (-(2**63), 2**63),
        FieldDescriptor.TYPE_INT32: (-(2**31), 2**31),
        FieldDescriptor.TYPE_UINT32: (0, 2**32),
    }[field.type]
    return _number(field.number, _integer(low, high))


def _delimited(number: int, decode: Callable[[Any], bytes]) -> Encoder:
    header = tag(number, LENGTH)

    def encode(value: Any) -> bytes:
        content = decode(value)
        return header + varint(len(content)) + content

    return encode


def _packed(number: int, wire_type: int, layout: str, decode: Callable[[Any], float]) -> Encoder:
    header = tag(number, wire_type)
    pack = struct.Struct(layout).pack
    return lambda value: header + pack(decode(value))


def _number(number: int, decode: Callable[[Any], int]) -> Encoder:
    header = tag(number, VARINT)
    # A negative number is ten bytes long on the wire: its two's complement in 64 bits.
    return lambda value: header + varint(decode(value) & 0xFFFF_FFFF_FFFF_FFFF)


def _text(value: Any) -> bytes:
    if type(value) is not str:
        raise _WrongValueError(f"must be a text, not {_kind(value)}")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _WrongValueError("holds half a surrogate pair") from None


def _id(value: Any) -> bytes:
    return _hexadecimal(value) or b""


def _parent_id(value: Any) -> bytes:
    decoded = _hexadecimal(value)
    return _WRONG_PARENT if decoded is None else decoded


def _hexadecimal(value: Any) -> bytes | None:
    """Return the bytes that a text says, None when it is not hexadecimal."""
    if type(value) is not str:
        raise _WrongValueError(f"must be a hexadecimal text, not {_kind(value)}")
    try:
        return binascii.unhexlify(value)
    except ValueError:
        return None


_IDS = {"trace_id": _id, "span_id": _id, "parent_span_id": _parent_id}


def _base64(value: Any) -> bytes:
    if type(value) is not str:
        raise _WrongValueError(f"must be a base64 text, not {_kind(value)}")
    standard = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        raise _WrongValueError("is not base64") from None


def _double(value: Any) -> float:
    if type(value) in (int, float) or (type(value) is str and value == value.strip()):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise _WrongValueError(f"must be a number, not {_kind(value)}")


def _boolean(value: Any) -> int:
    if type(value) is not bool:
        raise _WrongValueError(f"must be true or false, not {_kind(value)}")
    return int(value)


def _enum(names: EnumDescriptor) -> Callable[[Any], int]:
    """Read an enum: a number by the specification; a name is accepted as well."""
    numbers = {value.name: value.number for value in names.values}
    integer = _integer(-(2**31), 2**31)
    return lambda value: integer(numbers.get(value, value) if type(value) is str else value)


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def decode(value: Any) -> int:
        number = value
        if type(value) is str and value.removeprefix("-").isdecimal() and value.isascii():
            number = int(value[:_LONGEST_INTEGER])
        elif type(value) is float and value.is_integer():
            number = int(value)
        if type(number) is not int:
            raise _WrongValueError(f"must be a whole number, not {_kind(value)}")
        if not low <= number < high:
            raise _WrongValueError(f"is out of range, {low} to {high - 1}")
        return number

    return decode


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "this text", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "this number")
