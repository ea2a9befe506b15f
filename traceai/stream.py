"""Watch an answer that is delivered in pieces, without touching what the application gets.

Sync and async streams share one accumulator and one way of ending. Three things are watched:
 - the iterator of a stream object (`observe`, `observe_async`): each chunk is kept, the end told;
 - the class of a stream object (`observing`): objects made by it are of the original class;
 - the body of the HTTP response (`ObservedBody`): when it is closed by whatever path, or read by
   the application itself, as bytes.
All of it is duck-typed: neither httpx nor httpx2 is imported.
"""

from __future__ import annotations

import asyncio
import functools
import types
from typing import TYPE_CHECKING, Any, Final, Protocol

import wrapt

from traceai.errors import guard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# How many chunks wait to be merged. Memory is bounded by it and by the text that was said.
PENDING: Final = 256


class Fold(Protocol):
    """Merges the chunks of one stream, in order."""

    @property
    def whole(self) -> bool:
        """Whether everything that was asked for has come."""

    def add(self, chunk: Any) -> None:
        """Merge one chunk."""

    def answer(self) -> Any:
        """Return what has come so far, in the shape of an answer that is not streamed."""


class Accumulator:
    """Keep chunks as they pass, and merge them when nobody waits, or when there are many.

    Args:
        fold: merges them.
        clock: monotonic seconds.

    Attributes:
        first_s: when the first chunk came, on `clock`; None while none has.
    """

    __slots__ = ("_clock", "_fold", "_pending", "first_s")

    def __init__(self, fold: Fold, clock: Callable[[], float]) -> None:
        self._fold = fold
        self._clock = clock
        self._pending: list[Any] = []
        self.first_s: float | None = None

    def add(self, chunk: Any) -> None:
        """Keep a chunk. This is all that happens while the application waits for it."""
        pending = self._pending
        pending.append(chunk)
        if self.first_s is None:
            self.first_s = self._clock()
        elif len(pending) >= PENDING:
            self._merge()

    @property
    def whole(self) -> bool:
        """Whether everything that was asked for has come."""
        self._merge()
        return self._fold.whole

    def answer(self) -> Any:
        """Return what has come so far, as one answer."""
        self._merge()
        return self._fold.answer()

    def _merge(self) -> None:
        pending, self._pending = self._pending, []
        for chunk in pending:
            with guard:
                self._fold.add(chunk)


class Watch(Protocol):
    """Whoever wants to know about a stream; what it is told never makes it raise.

    Attributes:
        reading: whether the application waits for the next chunk now; the iterator then tells the
            end itself, so a body that is closed meanwhile says nothing.
        iterated: whether an observed iterator delivers the answer; bytes need not be kept then.
    """

    reading: bool
    iterated: bool

    def add(self, chunk: Any) -> None:
        """Take note of a chunk."""

    def add_bytes(self, piece: bytes) -> None:
        """Take note of a piece of the body, read by the application itself."""

    def exhausted(self) -> None:
        """Take note that the end was reached."""

    def failed(self, error: BaseException) -> None:
        """Take note of what interrupted the stream: an error, a cancellation, a lost interest."""

    def closed(self) -> None:
        """Take note that nothing more will be read."""


def observe(chunks: Iterator[Any], watch: Watch) -> Iterator[Any]:
    """Yield what `chunks` yields, telling `watch` about each and about the end."""
    try:
        watch.reading = True
        for chunk in chunks:
            watch.add(chunk)
            watch.reading = False
            yield chunk
            watch.reading = True
    except BaseException as error:
        watch.failed(error)
        raise
    else:
        watch.exhausted()


async def observe_async(chunks: AsyncIterator[Any], watch: Watch) -> AsyncIterator[Any]:
    """Yield what `chunks` yields, telling `watch` about each and about the end.

    `chunks` is not closed here: the event loop closes a generator that was dropped, both of them,
    and to close one twice at the same time is an error.
    """
    try:
        watch.reading = True
        async for chunk in chunks:
            watch.add(chunk)
            watch.reading = False
            yield chunk
            watch.reading = True
    except BaseException as error:
        watch.failed(error)
        raise
    else:
        watch.exhausted()


class ObservedBody(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore] # untyped in wrapt 1
    """Stand in for the byte stream of an HTTP response, and tell `watch` what becomes of it."""

    def __init__(self, body: Any, watch: Watch) -> None:
        super().__init__(body)
        self._self_watch = watch

    def __iter__(self) -> Iterator[bytes]:
        """Return an iterator over the body, which keeps it unless a stream object delivers it."""
        return iter(self.__wrapped__) if self._self_watch.iterated else self._kept()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return an iterator over the body, which keeps it unless a stream object delivers it."""
        bare: AsyncIterator[bytes] = self.__wrapped__.__aiter__()
        return bare if self._self_watch.iterated else self._kept_async(bare)

    def _kept(self) -> Iterator[bytes]:
        watch = self._self_watch
        try:
            for piece in self.__wrapped__:
                watch.add_bytes(piece)
                yield piece
        except Exception as error:
            watch.failed(error)
            raise
        watch.exhausted()

    async def _kept_async(self, bare: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        watch = self._self_watch
        try:
            async for piece in bare:
                watch.add_bytes(piece)
                yield piece
        except (Exception, asyncio.CancelledError) as error:
            watch.failed(error)
            raise
        watch.exhausted()

    def close(self) -> None:
        """Close the body."""
        try:
            self.__wrapped__.close()
        finally:
            self._self_watch.closed()

    async def aclose(self) -> None:
        """Close the body."""
        try:
            await self.__wrapped__.aclose()
        finally:
            self._self_watch.closed()


@functools.lru_cache(maxsize=128)
def observing(stream_cls: Any) -> Any:
    """Return a class whose objects are those of `stream_cls`, observed.

    `stream_cls` may be a class or an alias such as `Stream[ChatCompletionChunk]`. What is made is
    of the very class that the application would have got; only its iterator is ours. It is
    observed if the body of its response is.
    """
    original = getattr(stream_cls, "__origin__", None) or stream_cls

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - becomes a method
        original.__init__(self, *args, **kwargs)
        with guard:
            self.__class__ = original
            if original is not stream_cls:
                self.__orig_class__ = stream_cls
            watch = getattr(self.response.stream, "_self_watch", None)
            if watch is not None:
                observe_iterator(self, watch)

    return types.new_class(
        original.__name__, (stream_cls,), exec_body=lambda body: body.update(__init__=__init__)
    )


def observe_iterator(stream: Any, watch: Watch) -> None:
    """Observe the iterator of a stream object."""
    watch.iterated = True
    proxy = observe_async if hasattr(stream._iterator, "__anext__") else observe  # noqa: SLF001 - the SDK offers no other place
    stream._iterator = proxy(stream._iterator, watch)  # noqa: SLF001 - as above
