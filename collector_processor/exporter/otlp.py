"""The forwarder: one thread a backend, a cursor over the journal, retry without end."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from collector_processor.errors import CollectorError, JournalError
from collector_processor.exporter import cursor as cursors
from collector_processor.exporter.client import Delivery
from collector_processor.exporter.cursor import Cursor
from collector_processor.exporter.results import encode_results
from collector_processor.model import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from collector_processor.exporter.client import Client
    from collector_processor.model import Journal, StoredEvaluation

_log = logging.getLogger("traceai.collector")

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
_IDLE_S = 0.5
_RESULTS_A_REQUEST = 500
_FRAMES_A_SAVE = 64


class Results(Protocol):
    """Where evaluation results are read from."""

    def evaluations_after(self, number: int, limit: int) -> Sequence[StoredEvaluation]:
        """Return at most `limit` results numbered above `number`, in order."""
        ...

    def newest_evaluation(self) -> int:
        """Return the number of the newest result, 0 when there is none."""
        ...


@dataclass(slots=True)
class Forwarded:
    """What one backend got, counted since start.

    Attributes:
        refused: requests that the backend will never take, kept in the dead-letter file.
        rejected: spans and records that it rejected in a request it took.
        last_reason: why something was last refused, or had to wait.
    """

    frames: int = 0
    results: int = 0
    retries: int = 0
    refused: int = 0
    rejected: int = 0
    last_reason: str = field(default="")


class Forwarder:
    """Send every frame, and every evaluation result, to one backend, in order, at least once.

    Args:
        name: of the backend, for its cursor and dead-letter files.
        folder: where these files are.
        client: how the backend is reached.
        journal: what was received.
        results: what was found.
    """

    def __init__(
        self, *, name: str, folder: Path, client: Client, journal: Journal, results: Results
    ) -> None:
        self.counts = Forwarded()
        self._client = client
        self._journal = journal
        self._results = results
        self._path = folder / f"{name}.cursor"
        self._dead = folder / f"{name}.dead"
        self._cursor = cursors.load(self._path) or self._begin()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"forward-{name}", daemon=True)

    def _begin(self) -> Cursor:
        """Start a backend that is new: with all that the journal still has, and no old results."""
        cursor = Cursor(evaluation=self._results.newest_evaluation())
        try:
            cursors.save(self._path, cursor)
        except OSError as error:
            raise JournalError(
                f"The forwarding cursor {self._path} cannot be kept: {error.strerror}.",
                remedy="Let the collector write there, or free some disk.",
            ) from error
        return cursor

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    @property
    def position(self) -> int:
        """What the backend has been served up to: the journal may let go of all before it."""
        return self._cursor.position

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop after the request in flight; what is not sent waits in the journal."""
        self._stop.set()
        self._thread.join(timeout_s)
        self._client.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                sent = self._frames() + self._evaluations()
            except (OSError, CollectorError) as error:
                # A full disk keeps the cursor where it was: what was sent since is sent again.
                if str(error) != self.counts.last_reason:
                    _log.error("forwarding waits, nothing is lost: %s", error)
                self.counts.last_reason = str(error)
                self._stop.wait(_FIRST_WAIT_S)
                continue
            if not sent:
                self._journal.wait(self._cursor.position, _IDLE_S)
                self._stop.wait(_IDLE_S / 10)

    def _frames(self) -> int:
        sent = 0
        for stored in self._journal.read(self._cursor.position):
            if self._stop.is_set() or not self._deliver(stored.frame.signal, stored.frame.body):
                break
            self._cursor = replace(self._cursor, position=stored.next_position)
            self.counts.frames += 1
            sent += 1
            if sent >= _FRAMES_A_SAVE:
                break
        if sent:
            cursors.save(self._path, self._cursor)
        return sent

    def _evaluations(self) -> int:
        found = self._results.evaluations_after(self._cursor.evaluation, _RESULTS_A_REQUEST)
        if not found or not self._deliver(Signal.LOGS, encode_results(found)):
            return 0
        self._cursor = replace(self._cursor, evaluation=found[-1].number)
        self.counts.results += len(found)
        cursors.save(self._path, self._cursor)
        return len(found)

    def _deliver(self, signal: Signal, body: bytes) -> bool:
        """Send until the backend has taken or refused it; False when told to stop first."""
        wait_s = _FIRST_WAIT_S
        while not self._stop.is_set():
            answer = self._client.send(signal, body)
            if answer.delivery is not Delivery.RETRY:
                self._settle(answer.delivery, answer.reason, answer.rejected, body)
                return True
            self.counts.retries += 1
            if wait_s == _FIRST_WAIT_S:
                _log.warning("forwarding waits, the journal keeps everything: %s", answer.reason)
            self.counts.last_reason = answer.reason
            self._stop.wait(min(answer.retry_after_s or wait_s, _LONGEST_WAIT_S))
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        return False

    def _settle(self, delivery: Delivery, reason: str, rejected: int, body: bytes) -> None:
        self.counts.rejected += rejected
        if rejected:
            _log.warning("the backend rejected %d of a request: %s", rejected, reason)
        if delivery is Delivery.REFUSED:
            self.counts.refused += 1
            self.counts.last_reason = reason
            _log.error("refused for good, kept in %s: %s", self._dead, reason)
            with self._dead.open("ab") as file:
                file.write(len(body).to_bytes(8, "big") + body)
