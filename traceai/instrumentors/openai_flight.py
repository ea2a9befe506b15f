"""Follow one call of the OpenAI SDK from its request to the last byte of its answer.

The span of the call is current only while the SDK's `request` runs, so that HTTP spans nest below
it; a loop over a stream runs in the caller's own context. Whatever happens first ends the flight.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel

from traceai import semconv
from traceai.call import Attempt, Inference
from traceai.context import detach
from traceai.errors import guard
from traceai.instrumentors import openai_http as http
from traceai.instrumentors.openai_calls import enrich, provider_of, shape_of
from traceai.instrumentors.openai_chunks import server_sent_events
from traceai.recorder import claim, outcome_of, suppressed
from traceai.semconv import Operation, Outcome
from traceai.stream import Accumulator, ObservedBody, observe_iterator

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context

    from traceai.instrumentors.openai_calls import Record, Shape
    from traceai.recorder import Recorder, Recording

# A body that the application reads as bytes is kept up to here, to be understood at its end.
BODY_LIMIT: Final = 8 * 1024 * 1024

_FLIGHT = otel.create_key("traceai-openai-flight")


def begin(
    recorder: Recorder, client: Any, options: Any, clock: Callable[[], float]
) -> Flight | None:
    """Open a flight for the request; None where there is nothing to record."""
    shape = shape_of(options.method, options.url)
    if shape is None or suppressed():
        return None
    body = http.body_of(options)
    call = shape.record(body, options.url)
    call.server_address, call.server_port = http.server_of(client, options.url)
    call.provider = provider_of(http.class_names(client.__class__), call.server_address)
    owner = claim() if _claims(call) else None
    recording = owner or recorder.start(call)
    flight = Flight(shape, call, recording, clock, claimed=owner is not None)
    if flight.listening:
        flight.asked(body)
    return flight


def current() -> Flight | None:
    """Return the flight whose request runs here and now."""
    flight = otel.get_value(_FLIGHT)
    return flight if isinstance(flight, Flight) and flight.requesting else None


class Flight:
    """A call in flight: `with flight:` around the SDK's request, then `returned(result)`.

    Attributes:
        shape: the protocol it speaks.
        listening: whether the span records; nothing is looked at or kept otherwise.
        requesting: whether the SDK's request runs now.
        reading: whether the application waits for a chunk now.
        iterated: whether an observed stream object delivers the answer.
        add: keeps a chunk.
    """

    __slots__ = (
        "__weakref__",
        "_accumulator",
        "_body",
        "_call",
        "_captures",
        "_claimed",
        "_clock",
        "_delivering",
        "_failures",
        "_first_s",
        "_open",
        "_pieces",
        "_recording",
        "_response",
        "_size",
        "_started_s",
        "_token",
        "add",
        "iterated",
        "listening",
        "reading",
        "requesting",
        "shape",
    )

    def __init__(
        self,
        shape: Shape,
        call: Record,
        recording: Recording,
        clock: Callable[[], float],
        *,
        claimed: bool,
    ) -> None:
        self.shape = shape
        self.listening = recording.span.is_recording()
        self.requesting = self.reading = self.iterated = False
        self.add: Callable[[Any], None] = _ignore
        self._call = call
        self._recording = recording
        self._claimed = claimed
        # A framework that has a span for the call has also written its content there.
        self._captures = recording.captures and not claimed
        self._clock = clock
        self._started_s = clock()
        self._first_s: float | None = None
        self._body: dict[str, Any] = {}
        self._accumulator: Accumulator | None = None
        self._delivering = False
        self._failures: list[Attempt] = []
        self._response: Callable[[], Any] = _nothing
        self._pieces: list[bytes] = []
        self._size = 0
        self._token: Token[Context] | None = None
        # `list.pop` is atomic: of two threads that end the same call, one gets the token.
        self._open = [True]

    def asked(self, body: dict[str, Any]) -> None:
        """Read the request. Only lists and dicts that are complete already are looked at."""
        with guard:
            self.shape.asked(self._call, body)
            if self._captures:
                self.shape.said(self._call, body)
        self._body = body

    def __enter__(self) -> None:
        """Make the call's span the current one."""
        around = otel.get_current() if self._claimed else self._recording.context
        self.requesting = True
        self._token = otel.attach(otel.set_value(_FLIGHT, self, around))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the context; end the call if the request has failed."""
        self.requesting = False
        if self._token is not None:
            detach(self._token)
        if error is not None:
            self.failed(error)

    def retrying(self, failure: BaseException | None) -> None:
        """Take note of an attempt that failed and will be repeated."""
        self._failures.append(http.attempt(len(self._failures) + 1, failure))

    def responded(self, response: Any, retries: int) -> None:
        """Take note of the HTTP response, and watch its body if it has not been read yet."""
        if not self.listening:
            return
        for number in range(len(self._failures) + 1, retries + 1):
            self._failures.append(Attempt(number=number))
        call, status = self._call, response.status_code
        call.attempts = [*self._failures, Attempt(number=retries + 1, status_code=status)]
        call.extra[semconv.HTTP_RESPONSE_STATUS_CODE] = status
        call.provider_request_id = http.request_id(response.headers)
        # Weak: the body holds the flight, and a cycle would delay the end of a dropped stream.
        self._response = weakref.ref(response)
        if not response.is_closed:
            fold = self.shape.fold(self._body, content=self._captures)
            self._accumulator = Accumulator(fold, self._clock)
            self.add = self._accumulator.add
            response.stream = ObservedBody(response.stream, self)
            self._delivering = True
        self._body = {}

    def returned(self, result: Any) -> None:
        """End the call with what the request returned, unless its answer is still to be read."""
        if self.listening and not self._delivering and "_iterator" in http.fields_of(result):
            self.responded(result.response, 0)
            observe_iterator(result)
        if not self._delivering:
            self._end(Outcome.COMPLETED, answer=http.answer_of(result) if self.listening else None)

    def add_bytes(self, piece: bytes) -> None:
        """Keep a piece of the body, up to `BODY_LIMIT`."""
        if self._first_s is None:
            self._first_s = self._clock()
        self._size += len(piece)
        if self._size <= BODY_LIMIT:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def exhausted(self) -> None:
        """End the call: its answer was delivered to the end."""
        self.reading = False
        self._end(Outcome.COMPLETED, answer=self._delivered())

    def failed(self, error: BaseException) -> None:
        """End the call by what was raised."""
        self.reading = False
        if isinstance(error, GeneratorExit):
            self.closed()
            return
        if not self._call.attempts:
            failures = [*self._failures, http.attempt(len(self._failures) + 1, error)]
            self._call.attempts = failures
            if (status := failures[-1].status_code) is not None:
                self._call.extra[semconv.HTTP_RESPONSE_STATUS_CODE] = status
            self._call.provider_request_id = getattr(error, "request_id", None)
        self._end(outcome_of(error), error, answer=self._delivered())

    def closed(self) -> None:
        """End the call: nothing more will be read of its answer."""
        if self.reading or not self._open:
            return
        whole = self.iterated and self._accumulator is not None and self._accumulator.whole
        outcome = Outcome.COMPLETED if whole else Outcome.ABANDONED
        self._end(outcome, answer=self._delivered())

    def __del__(self) -> None:
        """End the call of an answer that nobody holds any more."""
        self.reading = False
        self.closed()

    def _delivered(self) -> Any:
        """Return what was delivered so far, as one answer; None when nothing can be said."""
        if not self._open or not self.listening:
            return None
        if self.iterated and self._accumulator is not None:
            return self._accumulator.answer()
        with guard:
            return self._body_answer(self._response())
        return None

    def _body_answer(self, response: Any) -> Any:
        if response is None:
            return None
        if self._accumulator is None:
            return http.parsed(response.content)
        # The client library decodes the pieces as it would have: compressed, or not.
        body = type(response)(200, headers=response.headers, content=b"".join(self._pieces)).content
        if "event-stream" not in response.headers.get("content-type", ""):
            return http.parsed(body)
        for event in server_sent_events(body):
            self._accumulator.add(event)
        return self._accumulator.answer()

    def _end(
        self, outcome: Outcome, error: BaseException | None = None, *, answer: Any = None
    ) -> None:
        try:
            self._open.pop()
        except IndexError:
            return
        call = self._call
        with guard:
            if answer is not None:
                self.shape.answered(call, answer)
                if self._captures:
                    self.shape.replied(call, answer)
            if isinstance(call, Inference) and call.stream:
                call.time_to_first_chunk_s = self._waited_s()
            if outcome is Outcome.COMPLETED and call.error_type:
                outcome = Outcome.ERROR
        if not self._claimed:
            self._recording.end(outcome, error)
        elif isinstance(call, Inference) and isinstance(self._recording.call, Inference):
            with guard:
                enrich(self._recording.call, call)

    def _waited_s(self) -> float | None:
        first = self._first_s
        if first is None and self._accumulator is not None:
            first = self._accumulator.first_s
        return None if first is None else first - self._started_s


def _ignore(_: Any) -> None:
    """Keep nothing."""


def _nothing() -> None:
    """Stand in for a weak reference to nothing."""


def _claims(call: Record) -> bool:
    """Say whether a framework's model run may be this call: an embedding inside it is another."""
    return isinstance(call, Inference) and call.operation is not Operation.FETCH_RESPONSE
