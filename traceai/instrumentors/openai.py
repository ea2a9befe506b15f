"""Record the calls that the OpenAI SDK makes: 1.40 up to, not including, 4.

Every JSON call of the SDK, whatever helper it came through, passes `OpenAI.request` with its final
body; there it is recognised by its path. The class of a stream is replaced there, so streams, raw
responses, structured output and helpers are all followed in one way.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from traceai.errors import guard
from traceai.instrumentors.openai_calls import shape_of
from traceai.instrumentors.openai_flight import begin, current
from traceai.instrumentors.patch import Patch
from traceai.instrumentors.versions import OPENAI
from traceai.stream import observing

if TYPE_CHECKING:
    from collections.abc import Callable

    from traceai.instrumentors.openai_flight import Flight
    from traceai.instrumentors.patch import Applied, Wrapper
    from traceai.recorder import Recorder

_RESPONSE_FACTS: Final = "HTTP status, request id and the end of raw responses"


def instrument_openai(
    recorder: Recorder, *, clock: Callable[[], float] = time.perf_counter
) -> Applied:
    """Record every model call of the OpenAI SDK with `recorder`, until `remove()` of the result.

    Doing it twice patches once, and the first recorder stays. Clients made before work the same
    after both ways. An unsupported version is not touched, and the result says so.

    Args:
        recorder: opens and ends the spans.
        clock: monotonic seconds, for the time to the first chunk.
    """
    return OPENAI.install(patches(recorder, clock))


def patches(recorder: Recorder, clock: Callable[[], float]) -> tuple[Patch, ...]:
    """Return where the SDK is wrapped, public names first."""
    client = "openai._base_client"
    return (
        Patch(module="openai", name="OpenAI.request", wrapper=_request(recorder, clock)),
        Patch(module="openai", name="AsyncOpenAI.request", wrapper=_request_async(recorder, clock)),
        Patch(
            module=client,
            name="SyncAPIClient._process_response",
            wrapper=_process_response,
            loses=_RESPONSE_FACTS,
        ),
        Patch(
            module=client,
            name="AsyncAPIClient._process_response",
            wrapper=_process_response,
            loses=_RESPONSE_FACTS,
        ),
        Patch(
            module=client,
            name="BaseClient._calculate_retry_timeout",
            wrapper=_retry,
            loses="the reasons of retries",
        ),
    )


def _request(recorder: Recorder, clock: Callable[[], float]) -> Wrapper:
    def request(
        wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        flight = _flight(recorder, clock, instance, args, kwargs)
        if flight is None:
            return wrapped(*args, **kwargs)
        with flight:
            result = wrapped(*args, **_observed(flight, kwargs))
        with guard:
            flight.returned(result)
        return result

    return request


def _request_async(recorder: Recorder, clock: Callable[[], float]) -> Wrapper:
    async def request(
        wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        flight = _flight(recorder, clock, instance, args, kwargs)
        if flight is None:
            return await wrapped(*args, **kwargs)
        with flight:
            result = await wrapped(*args, **_observed(flight, kwargs))
        with guard:
            flight.returned(result)
        return result

    return request


def _flight(
    recorder: Recorder,
    clock: Callable[[], float],
    client: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Flight | None:
    with guard:
        options = args[1] if len(args) > 1 else kwargs["options"]
        return begin(recorder, client, options, clock)
    return None


def _observed(flight: Flight, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request with the class of its stream replaced."""
    stream_cls = kwargs.get("stream_cls")
    if stream_cls is None or not flight.listening or not kwargs.get("stream"):
        return kwargs
    with guard:
        return {**kwargs, "stream_cls": observing(stream_cls)}
    return kwargs


def _process_response(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with guard:
        flight = current()
        options = kwargs["options"]
        # A hook of the client's may make another request meanwhile: that one is not ours.
        if flight is not None and shape_of(options.method, options.url) is flight.shape:
            flight.responded(kwargs["response"], kwargs.get("retries_taken", 0))
    return wrapped(*args, **kwargs)


def _retry(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with guard:
        flight = current()
        if flight is not None:
            # The SDK asks how long to wait while it handles what made the attempt fail.
            flight.retrying(sys.exception())
    return wrapped(*args, **kwargs)
