"""Keep one trace from stopping the rest: the boundary around judging and recording each.

This is the third place that may catch broadly, beside the library's `guard` and the runner of
evaluators. What reaches it was acknowledged, is read again after every restart and was written by
somebody else: an error that one trace provokes, and that passed here, would stop the recording of
all traces for good. So a failure becomes a value: the trace is recorded as one that cannot be read,
its bytes are kept, the reason is logged, and the journal's mark moves on. An error of the store or
the journal is nobody's trace: it passes, and is tried again. (.github/decisions/004)
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from collector_processor.errors import CollectorError
from collector_processor.model import (
    Finding,
    Member,
    Population,
    SealedTrace,
    Subjects,
    TraceVerdict,
    Undecodable,
    Verdict,
)
from collector_processor.processor.codes import TABLE, Code
from collector_processor.processor.seal import Sealing, seal
from collector_processor.processor.unpack import WHOLE_FRAME, Unpacked, keep, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from collector_processor.model import StoredFrame
    from collector_processor.processor.assembler import Gathered, Piece
    from collector_processor.processor.evaluation import Runner
    from collector_processor.processor.tally import Rules

_log = logging.getLogger("traceai.collector")
_NO_SPAN = bytes(8)


def unpack_frame(stored: StoredFrame) -> Unpacked:
    """Read the headers of a frame; one that provokes a failure is kept whole."""
    try:
        return unpack(stored)
    except Exception as error:  # noqa: BLE001 - see above
        _tell(f"the frame at journal position {stored.position}", error)
        kept = keep(stored, WHOLE_FRAME, stored.frame.body, _why(error))
        return Unpacked(pieces=(), ignored=0, undecodable=(kept,))


def seal_trace(
    gathered: Gathered, history: Sequence[SealedTrace], rules: Rules, runner: Runner, now_ns: int
) -> Sealing:
    """Judge a gathered trace, as `seal` does; one that provokes a failure is kept unread."""
    try:
        return seal(gathered, history, rules, runner, now_ns)
    except Exception as error:  # noqa: BLE001 - see above
        _tell(f"trace {gathered.trace_id.hex()}", error)
        return _unread(gathered, history, now_ns, _why(error))


def record_traces(
    record: Callable[[Sequence[SealedTrace]], None],
    rehearse: Callable[[SealedTrace], None],
    traces: Sequence[SealedTrace],
) -> Sequence[SealedTrace]:
    """Record a batch and return it; of a trace that no store takes, the spans alone are recorded.

    Args:
        record: records all of a batch or nothing.
        rehearse: does what recording a single trace would, and takes it back.
        traces: the batch.

    Raises:
        CollectorError: the store cannot be written: the same batch is to be recorded again.
    """
    try:
        record(traces)
    except CollectorError:
        raise
    except Exception:  # noqa: BLE001 - see above
        traces = tuple(_storable(trace, rehearse) for trace in traces)
        record(traces)
    return traces


def _storable(trace: SealedTrace, rehearse: Callable[[SealedTrace], None]) -> SealedTrace:
    try:
        rehearse(trace)
    except CollectorError:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        _tell(f"trace {trace.trace_id}", error)
        return _without_texts(trace)
    return trace


def _without_texts(trace: SealedTrace) -> SealedTrace:
    """Return a trace without all that emitters and evaluators wrote but its spans, as bytes."""
    counts: Counter[Population] = Counter()
    for subjects in trace.verdict.subjects:
        counts.update(subjects.counts)
    findings = (replace(found, service=None, route=None) for found in trace.verdict.findings)
    return replace(
        trace,
        service=None,
        route=None,
        name=None,
        emitters=(),
        evaluations=(),
        verdict=_incomplete(
            (*findings, _dropped(None, None, None)),
            (Subjects(service=None, route=None, counts={Population.TRACES: 1, **counts}),),
        ),
    )


def _unread(
    gathered: Gathered, history: Sequence[SealedTrace], now_ns: int, reason: str
) -> Sealing:
    """Return a revision that keeps what was new in it as bytes, and what was found before."""
    last = history[-1] if history else None
    service, route = (None, None) if last is None else (last.service, last.route)
    counted = Subjects(service=service, route=route, counts={Population.TRACES: 1})
    pieces = (*gathered.spans, *gathered.records)
    received = (gathered.first_received_ns, *(stored.first_received_ns for stored in history))
    trace = SealedTrace(
        trace_id=gathered.trace_id.hex(),
        revision=gathered.prior.revision + 1,
        reason=gathered.reason,
        verdict=_incomplete(
            (
                *(last.verdict.findings if last else ()),
                *(_dropped(piece.span_id.hex(), service, route) for piece in pieces),
            ),
            last.verdict.subjects if last else (counted,),
        ),
        evaluations=(),
        request=b"",
        members=tuple(Member(_NO_SPAN, piece.digest) for piece in pieces),
        rooted=gathered.rooted,
        spans=last.spans if last else 0,
        duplicates=gathered.duplicates,
        emitters=(),
        service=service,
        route=route,
        name=last.name if last else None,
        start_ns=last.start_ns if last else None,
        end_ns=last.end_ns if last else None,
        first_received_ns=min(received),
        last_received_ns=gathered.last_received_ns,
        sealed_ns=now_ns,
    )
    kept = tuple(_kept(gathered.trace_id, piece, reason) for piece in pieces)
    return Sealing(trace=trace, undecodable=kept)


def _kept(trace_id: bytes, piece: Piece, reason: str) -> Undecodable:
    return Undecodable(
        position=piece.position,
        ordinal=piece.ordinal,
        received_ns=piece.received_ns,
        signal=piece.signal,
        trace_id=trace_id.hex(),
        reason=reason,
        body=piece.body or b"",
    )


def _incomplete(findings: Iterable[Finding], subjects: Sequence[Subjects]) -> TraceVerdict:
    return TraceVerdict(
        verdict=Verdict.INCOMPLETE, findings=tuple(findings), subjects=tuple(subjects)
    )


def _dropped(span_id: str | None, service: str | None, route: str | None) -> Finding:
    return Finding(
        code=Code.DROPPED_DATA.value,
        population=TABLE[Code.DROPPED_DATA].population,
        span_id=span_id,
        required=True,
        service=service,
        route=route,
    )


def _why(error: Exception) -> str:
    """Name a failure by its type: its text may hold what was said."""
    return f"judging it raised {type(error).__name__}"


def _tell(what: str, error: Exception) -> None:
    _log.error("%s cannot be judged, its bytes are kept: %s", what, _why(error))
    _log.debug("where it happened", exc_info=error)
