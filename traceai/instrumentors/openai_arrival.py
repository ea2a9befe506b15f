"""Keep an answer as it arrives, in chunks or in bytes, and say what it was when it is over."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from traceai.errors import guard
from traceai.instrumentors import openai_http as http
from traceai.instrumentors.openai_chunks import server_sent_events
from traceai.stream import Accumulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from traceai.stream import Fold

# A body that the application reads as bytes is kept up to here, to be understood at its end.
BODY_LIMIT: Final = 8 * 1024 * 1024


class Arrival:
    """What has come of one answer: the chunks of a stream object, or the body in pieces.

    Args:
        fold: merges the chunks.
        clock: monotonic seconds.
        response: the HTTP response that brings it, of any client library.

    Attributes:
        unread: whether the body was still to be read when its response was seen.
        add: keeps a chunk.
    """

    __slots__ = (
        "_accumulator",
        "_clock",
        "_first_s",
        "_pieces",
        "_response",
        "_size",
        "add",
        "unread",
    )

    def __init__(self, fold: Fold, clock: Callable[[], float], response: Any) -> None:
        self.unread = not response.is_closed
        self._accumulator = Accumulator(fold, clock)
        self.add = self._accumulator.add
        self._clock = clock
        # Weak: the body holds whoever watches it, and a cycle would delay the end of a dropped one.
        self._response: Callable[[], Any] = weakref.ref(response)
        self._pieces: list[bytes] = []
        self._size = 0
        self._first_s: float | None = None

    @property
    def first_s(self) -> float | None:
        """When the first of it came, on the clock; None while nothing has."""
        return self._accumulator.first_s if self._first_s is None else self._first_s

    @property
    def whole(self) -> bool:
        """Whether the chunks that came are all that was asked for."""
        return self._accumulator.whole

    def add_bytes(self, piece: bytes) -> None:
        """Keep a piece of the body, up to `BODY_LIMIT`."""
        with guard:
            if self._first_s is None:
                self._first_s = self._clock()
            self._size += len(piece)
            if self._size <= BODY_LIMIT:
                self._pieces.append(piece)
            else:
                self._pieces.clear()

    def answer(self, *, chunks: bool) -> Any:
        """Return what has come so far, as one answer; None when nothing can be said of it.

        Args:
            chunks: whether a stream object has delivered it, and not the body itself.
        """
        if chunks:
            return self._accumulator.answer()
        response = self._response()
        if response is None:
            return None
        headers, body = response.headers, self._body(response)
        if "event-stream" not in headers.get("content-type", ""):
            return http.parsed(body)
        for event in server_sent_events(body):
            self.add(event)
        return self._accumulator.answer()

    def _body(self, response: Any) -> bytes:
        if not self.unread:
            content: bytes = response.content
            return content
        # The client library decodes the pieces as it would have: compressed, or not.
        kept = type(response)(200, headers=response.headers, content=b"".join(self._pieces))
        body: bytes = kept.content
        return body
