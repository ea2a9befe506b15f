"""A store that the real pipeline wrote, at times and with ids that are the same in every run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

import traceai
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Frame, Signal
from collector_processor.pipeline import Pipeline
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.evaluation import ContentCheck, Evaluators, Runner
from collector_processor.processor.tally import Rules
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer
from tests.collector_processor.conftest import Otlp
from traceai.evaluators.detect import PII_KINDS, SECRET_KINDS
from traceai.evaluators.is_compliant import IsCompliant
from traceai.evaluators.pii import PII
from traceai.evaluators.secrets import Secrets

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

KEY = "sk-proj-a8Kd92LsmQ0zXvB7nR4tYw1EuH6jPc3G"
STORE = "evidence.db"


def _short(*, output: str) -> bool:
    return len(output) < 200


CHECKS = Evaluators(
    content=(
        ContentCheck(check=PII(), kinds=PII_KINDS),
        ContentCheck(check=Secrets(), kinds=SECRET_KINDS),
    ),
    policies={
        ("p", "1"): IsCompliant(
            traceai.Policy(
                id="p", version="1", checks=(traceai.evaluator("short", version="1")(_short),)
            )
        )
    },
)


class Recorded:
    """A store, and the real stages that write to it, with a clock that the test turns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_ns = Otlp.NOW_NS
        self.journal = SegmentJournal(path / "journal")
        self.writer = Writer(path / STORE)
        self.reader = Reader(path / STORE)
        self._judges = Reader(path / STORE)
        self._pipeline = Pipeline(
            journal=self.journal,
            writer=self.writer,
            reader=self._judges,
            assembler=Assembler(settle_s=0.5, quiet_s=2, deadline_s=600),
            rules=Rules(),
            runner=Runner(CHECKS),
            clock=lambda: self.now_ns,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for part in (self.reader, self._judges, self.writer, self.journal):
            part.close()

    def receive(self, *spans: Any, resource: dict[str, Any] | None = None) -> None:
        """Acknowledge one request of these spans."""
        self.acknowledge(Otlp.request(*spans, resource=resource))

    def acknowledge(self, body: bytes) -> None:
        """Acknowledge the bytes of one request."""
        frame = Frame(signal=Signal.TRACES, received_ns=self.now_ns, body=body)
        self.journal.submit(frame).result()

    def wait(self, seconds: float = 10) -> None:
        """Let time pass, and everything be recorded that is due then."""
        self.now_ns += int(seconds * Otlp.SECOND)
        while self._pipeline.turn():
            pass


def call(name: str = "chat gpt-4o", *, remove: tuple[str, ...] = (), **fields: Any) -> Any:
    """Return a model call that lacks nothing but what is removed."""
    changed = fields.pop("attributes", {})
    kept = {k: v for k, v in {**Otlp.CALL, **changed}.items() if k not in remove}
    return Otlp.span(name, attributes=kept, **fields)


def said(text: str) -> dict[str, str]:
    """Return the attribute of an answer."""
    parts = [{"type": "text", "content": text}]
    return {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts}])}


def record_everything(store: Recorded) -> None:
    """Record one trace of each kind that a report can show."""
    store.receive(call(trace="whole", attributes=said("Good day.")))
    store.wait()
    store.receive(call("no user", trace="no-user", remove=("user.id",)))
    store.receive(
        call("no route", trace="no-route", remove=("traceai.route", "traceai.content.state")),
        resource={**Otlp.RESOURCE, "service.name": "mail", "service.instance.id": "i-2"},
    )
    store.wait()
    store.receive(Otlp.span("GET /health", trace="web"))
    record_run(store)
    store.acknowledge(b"\xff\xff no protobuf")
    store.wait()
    store.receive(Otlp.span("waits for its root", parent="nobody", trace="open"))
    store.wait(1)


def record_run(store: Recorded) -> None:
    """Record a run of an agent in which several things went wrong; a parent comes late."""
    run = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk"}
    identity = {"user.id": "u-1", "traceai.route": "support"}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund"}
    own = ("user.id", "traceai.route")
    store.receive(
        Otlp.span("invoke_agent desk", trace="run", attributes={**run, **identity}),
        call(
            "plan",
            trace="run",
            parent="invoke_agent desk",
            start_s=0.25,
            remove=own,
            attributes=said("Refund it."),
        ),
        Otlp.span(
            "execute_tool refund",
            trace="run",
            parent="invoke_agent desk",
            start_s=0.5,
            attributes={**tool, "gen_ai.tool.call.id": "call-1", "traceai.tool.effect": "write"},
        ),
        call(
            "answer",
            trace="run",
            parent="summary",
            start_s=1,
            remove=("gen_ai.usage.output_tokens",),
            attributes={"user.id": "u-2", **said(f"Your key is {KEY} [/] :boom:")},
        ),
        call(
            "broken off",
            trace="run",
            parent="invoke_agent desk",
            start_s=1.25,
            attributes={"traceai.outcome": "abandoned"},
        ),
        Otlp.span("lost its parent", trace="run", parent="nobody", start_s=1.5),
    )
    store.wait()
    store.receive(Otlp.span("summary", trace="run", parent="invoke_agent desk", start_s=0.9))
    store.wait()
