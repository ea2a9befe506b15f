from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.errors import (
    MalformedRequestError,
    RequestTooLargeError,
    UnsupportedEncodingError,
)
from collector_processor.receiver.compression import decompress

LIMIT = 1000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def unsized_zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(body)


def two_members(body: bytes) -> bytes:
    return gzip.compress(body[:7]) + gzip.compress(body[7:])


PACKERS = [
    ("gzip", gzip.compress),
    ("GZip ", gzip.compress),
    ("x-gzip", two_members),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstandard.compress),
    ("zstd", unsized_zstd),
    ("", bytes),
    ("identity", bytes),
    ("none", bytes),
]
COMPRESSED = [(encoding, pack) for encoding, pack in PACKERS if pack is not bytes]


@given(st.binary(max_size=LIMIT), st.sampled_from(PACKERS))
def test_what_was_compressed_comes_back(body: bytes, packer: tuple[str, object]) -> None:
    encoding, pack = packer
    assert callable(pack)
    assert decompress(pack(body), encoding, LIMIT) == body


@pytest.mark.parametrize(("encoding", "pack"), COMPRESSED)
def test_one_byte_over_the_limit_is_too_large(encoding: str, pack: object) -> None:
    assert callable(pack)
    assert len(decompress(pack(bytes(LIMIT)), encoding, LIMIT)) == LIMIT
    with pytest.raises(RequestTooLargeError, match="larger than 1000 bytes"):
        decompress(pack(bytes(LIMIT + 1)), encoding, LIMIT)


@pytest.mark.parametrize(("encoding", "pack"), COMPRESSED)
def test_a_body_that_breaks_off_is_malformed_at_every_byte(encoding: str, pack: object) -> None:
    assert callable(pack)
    packed = pack(b"the quick brown fox")
    whole = {len(gzip.compress(b"the qui"))} if encoding == "x-gzip" else set()
    for end in set(range(1, len(packed))) - whole:
        with pytest.raises(MalformedRequestError):
            decompress(packed[:end], encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_body_in_another_encoding_is_malformed(encoding: str) -> None:
    with pytest.raises(MalformedRequestError, match=f"not {encoding}|breaks off"):
        decompress(b"\xfe plain text", encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip, gzip"])
def test_an_unknown_encoding_is_refused_with_the_known_ones(encoding: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match="deflate, gzip, x-gzip, zstd, or none"):
        decompress(b"", encoding, LIMIT)
