"""Streams are watched without a change for whoever reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traceai.errors import guard
from traceai.stream import PENDING, Accumulator, ObservedBody, observe, observe_async, observing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

T = TypeVar("T")


class Watching:
    """Write down what a watch is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.reading = False
        self.iterated = False

    def add(self, chunk: Any) -> None:
        self.told.append(chunk)

    def add_bytes(self, piece: bytes) -> None:
        self.told.append(piece)

    def exhausted(self) -> None:
        self.told.append("exhausted")

    def failed(self, error: BaseException) -> None:
        self.told.append(type(error).__name__)

    def closed(self) -> None:
        self.told.append("closed")


class Sum:
    def __init__(self) -> None:
        self.total = 0

    @property
    def whole(self) -> bool:
        return self.total >= 10

    def add(self, chunk: int) -> None:
        self.total += chunk

    def answer(self) -> int:
        return self.total


def broken() -> Iterator[int]:
    yield 1
    raise KeyError


async def counted(upto: int) -> AsyncIterator[int]:
    for number in range(upto):
        yield number


@given(st.lists(st.integers(), max_size=3 * PENDING))
def test_whatever_comes_is_merged_and_little_waits(chunks: list[int]) -> None:
    accumulator = Accumulator(Sum(), iter(range(1, 9999)).__next__)
    for chunk in chunks:
        accumulator.add(chunk)
        assert len(accumulator._pending) <= PENDING
    assert accumulator.answer() == sum(chunks)
    assert accumulator.first_s == (1 if chunks else None)


def test_a_chunk_that_cannot_be_merged_loses_only_itself() -> None:
    guard.reraise = False
    accumulator = Accumulator(Sum(), float)
    for chunk in (1, "two", 3):
        accumulator.add(chunk)
    assert accumulator.answer() == 4
    assert not accumulator.whole


def test_a_watch_is_told_each_chunk_and_the_end() -> None:
    watch = Watching()
    assert list(observe(iter([1, 2]), watch)) == [1, 2]
    assert watch.told == [1, 2, "exhausted"]


def test_a_watch_is_told_an_error_which_is_raised_as_it_was() -> None:
    watch = Watching()
    with pytest.raises(KeyError):
        list(observe(broken(), watch))
    assert watch.told == [1, "KeyError"]


def test_a_watch_is_told_that_nobody_listens_any_more() -> None:
    watch = Watching()
    stream: Any = observe(iter([1, 2]), watch)
    next(stream)
    assert not watch.reading
    stream.close()
    assert watch.told == [1, "GeneratorExit"]


async def test_an_async_stream_is_watched_in_the_same_way() -> None:
    watch = Watching()
    assert [number async for number in observe_async(counted(2), watch)] == [0, 1]
    left: Any = observe_async(counted(2), watch)
    await anext(left)
    await left.aclose()
    assert watch.told == [0, 1, "exhausted", 0, "GeneratorExit"]


class Body:
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


def test_a_body_is_what_it_was_and_tells_what_is_read() -> None:
    watch = Watching()
    body = ObservedBody(Body([b"a", b"b"]), watch)
    assert isinstance(body, Body)
    assert list(body) == [b"a", b"b"]
    body.close()
    assert body.is_closed
    assert watch.told == [b"a", b"b", "exhausted", "closed"]


async def test_an_async_body_is_watched_in_the_same_way() -> None:
    watch = Watching()
    body = ObservedBody(Body([b"a"]), watch)
    assert [piece async for piece in body] == [b"a"]
    await body.aclose()
    assert watch.told == [b"a", "exhausted", "closed"]


def test_a_body_that_a_stream_object_delivers_is_not_kept() -> None:
    watch = Watching()
    watch.iterated = True
    assert list(ObservedBody(Body([b"a"]), watch)) == [b"a"]
    assert watch.told == []


class Response:
    def __init__(self, stream: Any) -> None:
        self.stream = stream


class Stream(Generic[T]):
    def __init__(self, response: Response) -> None:
        self.response = response
        self._iterator = iter([1, 2])

    def __iter__(self) -> Iterator[int]:
        return self._iterator


def test_an_observed_stream_is_of_the_class_that_was_asked_for() -> None:
    watch = Watching()
    cls = observing(Stream[int])
    assert cls is observing(Stream[int])
    assert issubclass(cls, Stream)
    made = cls(Response(ObservedBody(Body([]), watch)))
    stream: Any = made
    assert type(made) is Stream
    assert stream.__orig_class__ == Stream[int]
    assert list(stream) == [1, 2]
    assert (watch.iterated, watch.told) == (True, [1, 2, "exhausted"])


def test_a_stream_whose_body_nobody_watches_is_left_alone() -> None:
    stream = observing(Stream)(Response(Body([])))
    assert list(stream) == [1, 2]
