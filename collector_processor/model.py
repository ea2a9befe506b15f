"""The values that travel between the collector's stages. No I/O, no logic beyond invariants."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping


class Signal(StrEnum):
    """What kind of OTLP request a frame holds."""

    TRACES = "traces"
    LOGS = "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One accepted OTLP request, as it is journaled.

    Attributes:
        signal: the service that it was sent to.
        received_ns: when it arrived, Unix time in nanoseconds, by the collector's clock.
        body: a protobuf `ExportTraceServiceRequest` or `ExportLogsServiceRequest`: the bytes that
            arrived, decompressed (a JSON request is converted once, at the edge), without the
            spans that were rejected.
    """

    signal: Signal
    received_ns: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrame:
    """A frame and its place in the journal.

    Attributes:
        position: where the frame begins; grows from frame to frame, never reused.
        next_position: where the frame after it begins: what a reader asks for next.
    """

    position: int
    next_position: int
    frame: Frame


class Journal(Protocol):
    """Durable, ordered frames: local segments now, a Kafka topic by the same interface later."""

    def append(self, frame: Frame) -> Awaitable[int]:
        """Return the frame's position once it is durable; raise `JournalFullError` at the bound."""
        ...

    def read(self, position: int) -> Iterator[StoredFrame]:
        """Yield the durable frames from `position` on, until there are no more at present."""
        ...

    def wait(self, position: int, timeout_s: float) -> bool:
        """Block until a frame at or after `position` is durable; False when time has run out."""
        ...

    def release(self, position: int) -> None:
        """Let go of the frames before `position`: nobody will read them again."""
        ...


class Verdict(StrEnum):
    """What is said of one trace. Two-way never: `unknown` when nothing in it can be judged."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


class Known(StrEnum):
    """How a field came to be known."""

    STATED = "stated"
    DERIVED = "derived"
    INFERRED = "inferred"
    ABSENT = "absent"


class Field(NamedTuple):
    """A canonical field of a span.

    A tuple rather than a dataclass: ten of these are made for every span.

    Attributes:
        value: what was seen, of the canonical type; None when absent.
        known: stated by the span, derived from an ancestor or the resource, or inferred by us.
        source: the key it was read from, as the emitter wrote it.
    """

    value: Any
    known: Known
    source: str


ABSENT = Field(None, Known.ABSENT, "")


class Population(StrEnum):
    """What findings are counted out of: the subjects that a rule applies to."""

    TRACES = "traces"
    MODEL_CALLS = "model_calls"
    GENERATIONS = "generations"
    COMPLETED_CALLS = "completed_calls"
    COMPLETED_GENERATIONS = "completed_generations"
    RETRIED_CALLS = "retried_calls"
    FALLBACK_CALLS = "fallback_calls"
    TOOL_CALLS = "tool_calls"
    REQUESTED_TOOL_CALLS = "requested_tool_calls"
    COMPLETED_TOOL_CALLS = "completed_tool_calls"
    EFFECT_TOOL_CALLS = "effect_tool_calls"
    GUARDRAILS = "guardrails"
    ENFORCED_GUARDRAILS = "enforced_guardrails"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a trace should have and has not.

    Attributes:
        code: of DESIGN section 6.
        span_id: the span it is about, hexadecimal; None when it is about the trace.
        required: whether the profile requires it; if not, it is only observed.
        service: `service.name` of the span's resource; None when it says none.
        route: the logical route in force; None when there is none.
        population: what it is counted out of.
    """

    code: str
    population: Population
    span_id: str | None
    required: bool
    service: str | None
    route: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """How many subjects of each population a trace has, for one service and route."""

    service: str | None
    route: str | None
    counts: Mapping[Population, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceVerdict:
    """The completeness of one trace: the verdict, its reasons, and out of how many they are."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    subjects: tuple[Subjects, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The required codes found, sorted."""
        return tuple(sorted({found.code for found in self.findings if found.required}))

    @property
    def observed(self) -> tuple[str, ...]:
        """The other codes found, sorted."""
        return tuple(sorted({found.code for found in self.findings if not found.required}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A result of one evaluator; spans of one route with the very same result share one.

    Attributes:
        span_ids: the spans it holds for, hexadecimal.
        version: None when the emitter of an arrived result did not say.
        target: what was judged: input, output, arguments, result, query, documents or call.
        passed: True, False, or None when it could not be judged.
        label: pass, fail, error, not_applicable, not_evaluated, or an emitter's word.
        arrived: it came over OTLP as `gen_ai.evaluation.result`; else the collector's own.
    """

    span_ids: tuple[str, ...]
    name: str
    version: str | None
    target: str
    passed: bool | None
    score: float | None = None
    label: str | None = None
    reason: str | None = None
    evidence: Any = None
    arrived: bool = False
    service: str | None = None
    route: str | None = None


class SealReason(StrEnum):
    """Why a trace was sealed when it was; `crowded`: early, to keep memory within its bound."""

    SETTLED = "settled"
    QUIET = "quiet"
    DEADLINE = "deadline"
    CROWDED = "crowded"


class Member(NamedTuple):
    """A span or log record that a revision holds: what duplicates are known by.

    Attributes:
        span_id: 8 bytes; zero for a log record.
        digest: SHA-256 of the content as it arrived, the order of attributes ignored.
    """

    span_id: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What the store already holds of a trace: enough to tell late from duplicate.

    Attributes:
        rooted: whether a span without parent is among them.
        span_ids: of every stored span.
        digests: of every stored span and log record.
    """

    revision: int
    rooted: bool
    span_ids: frozenset[bytes]
    digests: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTrace:
    """One revision of a trace, judged and ready to be recorded.

    Attributes:
        revision: from 1; each adds to the ones before and replaces none.
        request: the spans that it adds: an `ExportTraceServiceRequest`, with secrets replaced.
        members, evaluations: what this revision adds; spans first, in the order of `request`.
        spans: how many distinct spans the trace has, all revisions together.
        duplicates: how many re-sent spans were dropped before the seal.
        emitters: service and `service.instance.id`, if stated, of the spans added.
        start_ns: the first start that a span of the trace states; None without spans.
    """

    trace_id: str
    revision: int
    reason: SealReason
    verdict: TraceVerdict
    evaluations: tuple[Evaluation, ...]
    request: bytes
    members: tuple[Member, ...]
    rooted: bool
    spans: int
    duplicates: int
    emitters: tuple[tuple[str, str], ...]
    service: str | None
    route: str | None
    name: str | None
    start_ns: int | None
    end_ns: int | None
    first_received_ns: int
    last_received_ns: int
    sealed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """Bytes that were acknowledged and cannot be read: kept, counted and named."""

    position: int
    ordinal: int
    received_ns: int
    signal: Signal
    trace_id: str | None
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """A result of the collector's own for one span, as the exporter reads it.

    Attributes:
        number: grows from result to result; spans that share one result share its number.
    """

    number: int
    trace_id: str
    span_id: str
    service: str | None
    route: str | None
    sealed_ns: int
    evaluation: Evaluation
