"""Follow one call of the OpenAI SDK from its request to the last byte of its answer.

The span of the call is current only while the SDK's `request` runs, so that HTTP spans nest below
it; a loop over a stream runs in the caller's own context. Whatever happens first ends the flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel

from traceai import semconv
from traceai.call import Attempt, Inference
from traceai.context import detach
from traceai.errors import guard
from traceai.instrumentors import openai_http as http
from traceai.instrumentors.openai_arrival import Arrival
from traceai.instrumentors.openai_calls import enrich, provider_of, shape_of
from traceai.recorder import claim, outcome_of, suppressed
from traceai.semconv import Operation, Outcome
from traceai.stream import ObservedBody, observe_iterator

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context

    from traceai.instrumentors.openai_calls import Record, Shape
    from traceai.recorder import Recorder, Recording

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
        add_bytes: keeps a piece of the body.
    """

    __slots__ = (
        "__weakref__",
        "_arrival",
        "_body",
        "_call",
        "_captures",
        "_claimed",
        "_clock",
        "_delivering",
        "_failures",
        "_open",
        "_recording",
        "_started_s",
        "_token",
        "add",
        "add_bytes",
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
        self.add_bytes: Callable[[bytes], None] = _ignore
        self._call = call
        self._recording = recording
        self._claimed = claimed
        # A framework that has a span for the call has also written its content there.
        self._captures = recording.captures and not claimed
        self._clock = clock
        self._started_s = clock()
        self._body: dict[str, Any] = {}
        self._arrival: Arrival | None = None
        self._delivering = False
        self._failures: list[Attempt] = []
        self._token: Token[Context] | None = None
        # `list.pop` is atomic: of two threads that end the same call, one gets the token.
        self._open = [True]

    def asked(self, body: dict[str, Any]) -> None:
        """Read the request. Only lists and dicts that are complete already are looked at."""
        with guard:
            self.shape.asked(self._call, body)
        with guard:
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
        fold = self.shape.fold(self._body, content=self._captures)
        self._body = {}
        self._arrival = arrival = Arrival(fold, self._clock, response)
        self.add, self.add_bytes = arrival.add, arrival.add_bytes
        if arrival.unread:
            response.stream = ObservedBody(response.stream, self)
            self._delivering = True

    def returned(self, result: Any) -> None:
        """End the call with what the request returned, unless its answer is still to be read."""
        with guard:
            if self.listening and not self.iterated and "_iterator" in http.fields_of(result):
                self._follow(result)
        if not self._delivering:
            self._end(Outcome.COMPLETED, result=result)

    def _follow(self, stream: Any) -> None:
        """Watch a stream object whose body nobody watches: a hook may have read it already."""
        if self._arrival is None:
            self.responded(stream.response, 0)
        observe_iterator(stream, self)
        self._delivering = True

    def exhausted(self) -> None:
        """End the call: its answer was delivered to the end."""
        self.reading = False
        self._end(Outcome.COMPLETED)

    def failed(self, error: BaseException) -> None:
        """End the call by what was raised."""
        self.reading = False
        if isinstance(error, GeneratorExit):
            self.closed()
        else:
            self._end(outcome_of(error), error)

    def closed(self) -> None:
        """End the call: nothing more will be read of its answer."""
        if not self.reading:
            self._end(Outcome.ABANDONED)

    def __del__(self) -> None:
        """End the call of an answer that nobody holds any more."""
        with guard:
            self._end(Outcome.ABANDONED)

    def _end(
        self, outcome: Outcome, error: BaseException | None = None, *, result: Any = None
    ) -> None:
        """End the call, once; whatever cannot be read of it, its span ends and nothing is raised.

        Args:
            outcome: how it ended.
            error: what was raised.
            result: what the request returned; None where the answer came in pieces.
        """
        try:
            self._open.pop()
        except IndexError:
            return
        try:
            if self.listening:
                self._fill(error, result)
            with guard:
                if outcome is Outcome.ABANDONED and self.iterated and self._whole():
                    outcome = Outcome.COMPLETED
        finally:
            self._settle(outcome, error)

    def _fill(self, error: BaseException | None, result: Any) -> None:
        """Fill in what became of the call: a part that cannot be read costs no other."""
        call, answer = self._call, None
        with guard:
            if error is not None and not call.attempts:
                self._fell(error)
        with guard:
            answer = self._answer(result)
        with guard:
            if answer is not None:
                self.shape.answered(call, answer)
        with guard:
            if answer is not None and self._captures:
                self.shape.replied(call, answer)
        with guard:
            if isinstance(call, Inference) and call.stream and self._arrival is not None:
                first_s = self._arrival.first_s
                call.time_to_first_chunk_s = None if first_s is None else first_s - self._started_s

    def _fell(self, error: BaseException) -> None:
        """Take note of an attempt that failed and will not be repeated."""
        failed = http.attempt(len(self._failures) + 1, error)
        self._call.attempts = [*self._failures, failed]
        if failed.status_code is not None:
            self._call.extra[semconv.HTTP_RESPONSE_STATUS_CODE] = failed.status_code
        self._call.provider_request_id = getattr(error, "request_id", None)

    def _answer(self, result: Any) -> Any:
        """Return the answer as far as it came; None when nothing can be said of it."""
        if self._arrival is None:
            response = http.raw_response_of(result)
            return result if response is None else http.parsed(response.content)
        if result is None or http.raw_response_of(result) is not None:
            return self._arrival.answer(chunks=self.iterated)
        return result

    def _whole(self) -> bool:
        return self._arrival is not None and self._arrival.whole

    def _settle(self, outcome: Outcome, error: BaseException | None) -> None:
        """End the span, or hand what was seen to whoever will."""
        call, outer = self._call, self._recording.call
        if not self._claimed:
            self._recording.end(outcome, error)
        elif isinstance(call, Inference) and isinstance(outer, Inference):
            with guard:
                enrich(outer, call)


def _ignore(_: Any) -> None:
    """Keep nothing."""


def _claims(call: Record) -> bool:
    """Say whether a framework's model run may be this call: an embedding inside it is another."""
    return isinstance(call, Inference) and call.operation is not Operation.FETCH_RESPONSE
