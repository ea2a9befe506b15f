"""Take a request of either protocol: check it, journal it, count it. Answering is for the edges."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector_processor.errors import JournalError, RequestError, UnavailableError
from collector_processor.model import Frame, Signal
from collector_processor.receiver.compression import too_large
from collector_processor.receiver.envelope import Accepted, accept_logs, accept_traces

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector_processor.model import Journal

_log = logging.getLogger("traceai.collector")

_ACCEPT = {Signal.TRACES: accept_traces, Signal.LOGS: accept_logs}
_LARGE_BYTES = 1 << 20
# What has to be unpacked may become much larger than it is.
_LARGE_PACKED_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverCounts:
    """What was received since start.

    Attributes:
        accepted: spans or log records made durable.
        rejected: spans left out of a request that was taken.
        refused: requests that were not taken, by the name of the error.
    """

    accepted: Counter[Signal] = field(default_factory=Counter)
    rejected: Counter[Signal] = field(default_factory=Counter)
    refused: Counter[tuple[Signal, str]] = field(default_factory=Counter)


class Intake:
    """Where both protocols hand in their requests. It belongs to one event loop.

    Args:
        journal: what makes a request durable.
        clock_ns: Unix time in nanoseconds.
        max_request_bytes: the limit of one request, as sent and decompressed.
        max_held_bytes: the limit of all requests that are being read, as sent.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        clock_ns: Callable[[], int],
        max_request_bytes: int,
        max_held_bytes: int = 256 << 20,
    ) -> None:
        self.max_request_bytes = max_request_bytes
        self.counts = ReceiverCounts()
        self._journal = journal
        self._clock_ns = clock_ns
        self._max_held = max(max_held_bytes, max_request_bytes)
        self._held = 0
        self._large = asyncio.Semaphore(1)
        self._refusing = False

    async def take(
        self, signal: Signal, body: bytes, decode: Callable[[bytes], bytes] | None = None
    ) -> Accepted:
        """Accept what is valid of a request and return once it is durable.

        Args:
            signal: the service it was sent to.
            body: as it came.
            decode: turns it into protobuf, where it is not.

        Raises:
            RequestError: nothing of it was taken.
        """
        arrived_ns = self._clock_ns()
        if len(body) < (_LARGE_BYTES if decode is None else _LARGE_PACKED_BYTES):
            accepted = self._accept(signal, body, decode)
        else:
            # A large body would keep every other sender waiting; two would double the memory.
            async with self._large:
                accepted = await asyncio.to_thread(self._accept, signal, body, decode)
        if accepted.items:
            frame = Frame(signal=signal, received_ns=arrived_ns, body=accepted.body)
            await self._store(frame)
        self.counts.accepted[signal] += accepted.items
        self.counts.rejected[signal] += accepted.rejected
        return accepted

    @property
    def refusing(self) -> bool:
        """Whether the last request could not be made durable."""
        return self._refusing

    def refuse(self, signal: Signal, error: RequestError) -> None:
        """Count a request that was not taken."""
        self.counts.refused[signal, type(error).__name__] += 1

    def hold(self, size: int) -> None:
        """Make room for bytes that are about to be read.

        Raises:
            UnavailableError: too much is being read already.
        """
        if self._held + size > self._max_held:
            raise UnavailableError(
                "The collector is reading too many requests at once.", remedy="Send again later."
            )
        self._held += size

    def let_go(self, size: int) -> None:
        """Give back the room for bytes that are not needed any more."""
        self._held -= size

    def _accept(
        self, signal: Signal, body: bytes, decode: Callable[[bytes], bytes] | None
    ) -> Accepted:
        plain = body if decode is None else decode(body)
        if len(plain) > self.max_request_bytes:
            raise too_large(self.max_request_bytes)
        return _ACCEPT[signal](plain)

    async def _store(self, frame: Frame) -> None:
        try:
            await self._journal.append(frame)
        except JournalError as error:
            if not self._refusing:
                self._refusing = True
                _log.error("requests are refused until the journal takes them: %s", error)
            raise UnavailableError(
                "The collector cannot store the request now; nothing of it was taken.",
                remedy="Send it again later.",
            ) from error
        if self._refusing:
            self._refusing = False
            _log.warning("requests are taken again")
