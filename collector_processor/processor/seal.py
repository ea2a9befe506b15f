"""Turn a gathered trace into a judged revision: decode, plant, evaluate, judge, conceal. Pure.

A later revision is judged on the union of all revisions. What was stored before keeps its digests,
its evaluations and its place; only what is new is looked at again, because only what is new still
has its original bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError

from collector_processor.model import Member, SealedTrace, Undecodable
from collector_processor.processor.arrivals import read_evaluations, read_records
from collector_processor.processor.codes import Code
from collector_processor.processor.completeness import judge
from collector_processor.processor.conceal import (
    conceal_envelope,
    conceal_label,
    conceal_span,
    conceal_text,
)
from collector_processor.processor.decode import Span, decode_revision, decode_span
from collector_processor.processor.evaluation import flag
from collector_processor.processor.raw import build_request
from collector_processor.processor.tally import place
from collector_processor.processor.tree import plant
from traceai import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from collector_processor.processor.assembler import Gathered, Piece
    from collector_processor.processor.evaluation import Flags, Runner
    from collector_processor.processor.raw import Envelope
    from collector_processor.processor.tally import Rules
    from collector_processor.processor.tree import Tree

_NO_SPAN = bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """A sealed revision, and what of it could not be read."""

    trace: SealedTrace
    undecodable: tuple[Undecodable, ...]


class _New(NamedTuple):
    """A decoded span with its bytes."""

    span: Span
    body: bytes
    envelope: Envelope


def seal(
    gathered: Gathered,
    history: Sequence[SealedTrace],
    rules: Rules,
    runner: Runner,
    now_ns: int,
) -> Sealing:
    """Judge a gathered trace.

    Args:
        gathered: the trace; every piece has its bytes.
        history: its stored revisions, oldest first.
        rules: what completeness is judged by.
        runner: the evaluators.
        now_ns: when this is.
    """
    new, undecodable = _decode(gathered)
    spans = [span for revision in history for span in decode_revision(revision)]
    spans += [item.span for item in new]
    found = flag([item.span for item in new])
    flags = {item.span.digest: kinds for item, kinds in zip(new, found, strict=True)}
    tree = plant(spans, _late(history, new))
    arrivals = read_records(piece.body for piece in gathered.records if piece.body is not None)
    known = [found for revision in history for found in revision.evaluations]
    made = (
        *runner.evaluate(tree, flags, known),
        *read_evaluations(tree.nodes, arrivals, frozenset(flags)),
    )
    verdict = judge(
        tree,
        (*known, *made),
        rules,
        intents=(*arrivals.intents, *_carried(history, Code.OPEN_INTENT)),
        damaged=_damaged(history, undecodable, spans),
    )
    return Sealing(
        trace=_revision(
            gathered,
            history,
            tree,
            now_ns,
            verdict=verdict,
            evaluations=made,
            **_outline(spans),
            **_content(gathered, new, flags, undecodable),
        ),
        undecodable=tuple(found.kept for found in undecodable),
    )


def _revision(
    gathered: Gathered, history: Sequence[SealedTrace], tree: Tree, now_ns: int, **found: Any
) -> SealedTrace:
    at = tree.root or (tree.nodes[0] if tree.nodes else None)
    service, route = place(at)
    received = (gathered.first_received_ns, *(stored.first_received_ns for stored in history))
    return SealedTrace(
        trace_id=gathered.trace_id.hex(),
        revision=gathered.prior.revision + 1,
        reason=gathered.reason,
        rooted=gathered.rooted,
        duplicates=gathered.duplicates,
        service=service,
        route=route,
        name=None if at is None else conceal_text(at.span.name),
        first_received_ns=min(received),
        last_received_ns=gathered.last_received_ns,
        sealed_ns=now_ns,
        **found,
    )


def _outline(spans: Sequence[Span]) -> dict[str, int | None]:
    return {
        "spans": len(spans),
        "start_ns": min((span.start_ns for span in spans), default=None),
        "end_ns": max((span.end_ns for span in spans), default=None),
    }


def _content(
    gathered: Gathered,
    new: Sequence[_New],
    flags: Mapping[bytes, Flags],
    undecodable: Sequence[_Damaged],
) -> dict[str, Any]:
    """Return what a revision adds, without secrets, and what duplicates of it are known by."""
    stored = sorted(new, key=lambda item: item.envelope)
    spans = (
        (conceal_envelope(item.envelope), conceal_span(item.body, flags[item.span.digest].kinds))
        for item in stored
    )
    return {
        "request": build_request(spans),
        "emitters": tuple({_emitter(item.span.resource.attributes) for item in stored}),
        "members": (
            *(Member(bytes.fromhex(item.span.span_id), item.span.digest) for item in stored),
            *(Member(_NO_SPAN, found.digest) for found in undecodable),
            *(Member(_NO_SPAN, piece.digest) for piece in gathered.records),
        ),
    }


def _emitter(resource: Mapping[str, Any]) -> tuple[str, str]:
    service, instance = (
        resource.get(key) for key in (semconv.SERVICE_NAME, semconv.SERVICE_INSTANCE_ID)
    )
    return conceal_label(str(service or "")), conceal_label(str(instance or ""))


class _Damaged(NamedTuple):
    """A span that arrived and cannot be decoded."""

    span_id: str
    digest: bytes
    kept: Undecodable


def _decode(gathered: Gathered) -> tuple[list[_New], list[_Damaged]]:
    new: list[_New] = []
    damaged: list[_Damaged] = []
    for piece in gathered.spans:
        if piece.body is None:
            damaged.append(_keep(gathered, piece, b"", "the journal is damaged where it was"))
            continue
        try:
            span = decode_span(
                piece.body,
                piece.envelope,
                remote=piece.remote,
                digest=piece.digest,
                received_ns=piece.received_ns,
            )
        except DecodeError as error:
            damaged.append(_keep(gathered, piece, piece.body, str(error)))
        else:
            new.append(_New(span, piece.body, piece.envelope))
    return new, damaged


def _keep(gathered: Gathered, piece: Piece, body: bytes, reason: str) -> _Damaged:
    return _Damaged(
        piece.span_id.hex(),
        piece.digest,
        Undecodable(
            position=piece.position,
            ordinal=piece.ordinal,
            received_ns=piece.received_ns,
            signal=piece.signal,
            trace_id=gathered.trace_id.hex(),
            reason=reason,
            body=body,
        ),
    )


def _late(history: Sequence[SealedTrace], new: Iterable[_New]) -> frozenset[bytes]:
    """Return the digests of all that arrived after the first seal."""
    if not history:
        return frozenset()
    stored = (member.digest for revision in history[1:] for member in revision.members)
    return frozenset((*stored, *(item.span.digest for item in new)))


def _carried(history: Sequence[SealedTrace], code: Code) -> list[str]:
    """Return the span ids of the newest findings of a code."""
    newest = history[-1].verdict.findings if history else ()
    return [f.span_id for f in newest if f.code == code and f.span_id is not None]


def _damaged(
    history: Sequence[SealedTrace], found: Sequence[_Damaged], spans: Sequence[Span]
) -> list[str]:
    """Return the spans that cannot be read, now or in an earlier revision."""
    readable = {span.span_id for span in spans}
    earlier = (s for s in _carried(history, Code.DROPPED_DATA) if s not in readable)
    return [*(damaged.span_id for damaged in found), *earlier]
