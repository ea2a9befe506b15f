"""Decompress a request body, never past the limit: a bomb is refused, not inflated."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING

import zstandard

from collector_processor.errors import (
    MalformedRequestError,
    RequestTooLargeError,
    UnsupportedEncodingError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a Content-Encoding.

    Args:
        body: as it came.
        encoding: the header's value; empty for none.
        limit: how many bytes may come out.

    Raises:
        UnsupportedEncodingError: the encoding is none that we read.
        MalformedRequestError: the body is not in that encoding, or breaks off.
        RequestTooLargeError: more than `limit` bytes would come out.
    """
    name = encoding.strip().lower()
    if name in ("", "identity", "none"):
        return body
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise UnsupportedEncodingError(
            f"Content-Encoding {encoding!r} is not supported.",
            remedy=f"Use one of: {', '.join(sorted(_DECODERS))}, or none.",
        )
    try:
        return decoder(body, limit)
    except (zlib.error, zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
        raise MalformedRequestError(
            f"The body is not {name}: {error}.",
            remedy="Send what the Content-Encoding header says.",
        ) from error


def too_large(limit: int) -> RequestTooLargeError:
    """Say that a request is over the limit."""
    return RequestTooLargeError(
        f"The request is larger than {limit} bytes, as sent or decompressed.",
        remedy="Send smaller batches, or raise receivers.otlp.max_request_mib in the collector.",
    )


def _gzip(body: bytes, limit: int) -> bytes:
    """Undo gzip, which may consist of several members (RFC 1952, 2.2)."""
    plain, rest = _inflate(body, _GZIP, limit)
    if not rest:
        return plain
    # The library reads on without copying the rest for each member, of which there may be many.
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
        plain = members.read(limit + 1)
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def _deflate(body: bytes, limit: int) -> bytes:
    """Undo `deflate`: RFC 9110 says zlib, but some senders leave its header out."""
    header = int.from_bytes(body[:2], "big")
    has_header = body[:1] and body[0] & 0x0F == zlib.DEFLATED and header % 31 == 0
    return _inflate(body, _ZLIB if has_header else _RAW, limit)[0]


def _inflate(body: bytes, window: int, limit: int) -> tuple[bytes, bytes]:
    decoder = zlib.decompressobj(window)
    plain = decoder.decompress(body, limit + 1)
    if len(plain) > limit:
        raise too_large(limit)
    if not decoder.eof:
        raise MalformedRequestError("The compressed body breaks off.", remedy="Send it whole.")
    return plain, decoder.unused_data


def _zstd(body: bytes, limit: int) -> bytes:
    if zstandard.frame_content_size(body) > limit:
        raise too_large(limit)
    decoder = zstandard.ZstdDecompressor()
    try:
        return decoder.decompress(body, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError:
        # The same error is raised for a frame that breaks off and for one that says no size and
        # does not fit: only reading on tells which.
        if len(decoder.stream_reader(body).read(limit + 1)) > limit:
            raise too_large(limit) from None
        raise


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
