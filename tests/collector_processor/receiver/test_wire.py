from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.errors import MalformedRequestError
from collector_processor.receiver.wire import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    messages,
    tag,
    varint,
)

values = st.one_of(
    st.tuples(st.just(VARINT), st.integers(0, 2**64 - 1).map(varint)),
    st.tuples(st.just(FIXED64), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(FIXED32), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(LENGTH), st.binary(max_size=300)),
)
fields = st.lists(st.tuples(st.integers(1, 2**29 - 1), values), max_size=20)


def lay_out(number: int, wire_type: int, value: bytes) -> bytes:
    length = varint(len(value)) if wire_type == LENGTH else b""
    return tag(number, wire_type) + length + value


@given(fields)
def test_fields_are_found_in_order_and_cover_every_byte(
    items: list[tuple[int, tuple[int, bytes]]],
) -> None:
    laid = [lay_out(number, *value) for number, value in items]
    buffer = b"".join(laid)
    found = list(messages(buffer, 0, len(buffer)))
    assert [buffer[begin:end] for _, begin, _, end in found] == laid
    assert [(number, buffer[at:end]) for number, _, at, end in found if number] == [
        (number, value) for number, (wire_type, value) in items if wire_type == LENGTH
    ]


@given(fields.filter(bool), st.data())
def test_a_message_that_breaks_off_within_a_field_is_malformed(
    items: list[tuple[int, tuple[int, bytes]]], data: st.DataObject
) -> None:
    laid = [lay_out(number, *value) for number, value in items]
    buffer = b"".join(laid)[: -data.draw(st.integers(1, len(laid[-1]) - 1))]
    with pytest.raises(MalformedRequestError):
        list(messages(buffer, 0, len(buffer)))


def test_an_unknown_group_is_passed_over() -> None:
    group = tag(9, 3) + lay_out(1, LENGTH, b"in") + tag(8, 3) + tag(8, 4) + tag(9, 4)
    buffer = group + lay_out(2, LENGTH, b"out")
    assert list(messages(buffer, 0, len(buffer))) == [
        (0, 0, 1, len(group)),
        (2, len(group), len(group) + 2, len(buffer)),
    ]


def test_the_end_of_a_group_without_its_start_is_malformed() -> None:
    with pytest.raises(MalformedRequestError, match="wire type 4"):
        list(messages(tag(9, 4), 0, 1))
