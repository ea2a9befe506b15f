"""Run a collector: open its parts in order, serve until told to stop, close them in reverse."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
import time
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

from collector_processor import asgi
from collector_processor.errors import CollectorError, ConfigError
from collector_processor.exporter import client
from collector_processor.exporter.otlp import Forwarder
from collector_processor.health import Health
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Signal
from collector_processor.pipeline import Pipeline
from collector_processor.processor.assembler import Assembler
from collector_processor.processor.codes import PROFILES
from collector_processor.processor.evaluation import ContentCheck, Evaluators, Runner
from collector_processor.processor.tally import Rules
from collector_processor.receiver import server
from collector_processor.receiver.intake import Intake
from collector_processor.store.reader import Reader
from collector_processor.store.writer import Writer
from traceai.evaluators.detect import PII_KINDS, SECRET_KINDS
from traceai.evaluators.is_compliant import IsCompliant
from traceai.evaluators.pii import PII
from traceai.evaluators.provider_approval import ProviderApproval
from traceai.evaluators.secrets import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector_processor.config import OTLPExporter
    from collector_processor.settings import Settings

_log = logging.getLogger("traceai.collector")

_MEBIBYTE = 1 << 20
_GRACE_S = 3.0
# A batch in hand is recorded before the journal closes under it.
_BATCH_S = 15.0
_WATCH_S = 0.2


def run(settings: Settings, *, announce: Callable[[dict[str, str]], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the addresses when all of it is ready.

    Raises:
        CollectorError: a part cannot be opened, or the pipeline died; nothing acknowledged is lost.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    runner = Runner(evaluators(settings))
    settings.place.make()
    with ExitStack() as parts:
        writer = parts.enter_context(Writer(settings.place.store))
        reader = parts.enter_context(Reader(settings.place.store))
        journal = SegmentJournal(
            settings.place.journal,
            max_bytes=settings.config.journal.max_mib * _MEBIBYTE,
            start=reader.mark(),
        )
        parts.callback(journal.close)
        forwarders = _forwarders(settings, journal, parts)
        pipeline = Pipeline(
            journal=journal,
            writer=writer,
            reader=reader,
            assembler=_assembler(settings),
            rules=rules(settings),
            runner=runner,
            forwarded=_forwarded(forwarders),
        )
        parts.callback(pipeline.stop, _BATCH_S)
        pipeline.start()
        for forwarder in forwarders:
            forwarder.start()
            parts.callback(forwarder.stop, _GRACE_S)
        with asyncio.Runner(loop_factory=_loop()) as events:
            events.run(_serve(settings, journal, pipeline, forwarders, announce))


def rules(settings: Settings) -> Rules:
    """Return what completeness is judged by."""
    processors = settings.config.processors
    return Rules(
        profile=PROFILES[processors.completeness.profile],
        required_evaluations=processors.required,
    )


def evaluators(settings: Settings) -> Evaluators:
    """Return what is run on every trace.

    Raises:
        ConfigError: an evaluator lacks what it judges by.
    """
    named = settings.config.processors.evaluators
    if "provider_approval" in named and settings.inventory is None:
        raise ConfigError(
            "processors.evaluators names provider_approval, but there is no inventory.",
            remedy="Set inventory: FILE to the approved providers.",
        )
    content = {
        "pii": ContentCheck(check=PII(), kinds=PII_KINDS),
        "secrets": ContentCheck(check=Secrets(), kinds=SECRET_KINDS),
    }
    return Evaluators(
        content=tuple(content[name] for name in named if name in content),
        approval=ProviderApproval(settings.inventory)
        if settings.inventory is not None and "provider_approval" in named
        else None,
        policies={(policy.id, policy.version): IsCompliant(policy) for policy in settings.policies}
        if "is_compliant" in named
        else {},
    )


def _assembler(settings: Settings) -> Assembler:
    times = settings.config.processors.assemble
    return Assembler(settle_s=times.settle_s, quiet_s=times.quiet_s, deadline_s=times.deadline_s)


def _forwarders(
    settings: Settings, journal: SegmentJournal, parts: ExitStack
) -> tuple[Forwarder, ...]:
    """Make one forwarder a backend, each with a reader of its own: SQLite's are for one thread."""
    return tuple(
        Forwarder(
            name=_name(exporter),
            folder=settings.place.path,
            client=client.connect(exporter),
            journal=journal,
            results=parts.enter_context(Reader(settings.place.store)),
        )
        for exporter in settings.config.exporters.otlp
    )


def _name(exporter: OTLPExporter) -> str:
    """Name a backend by where it is, so that its cursor is never another's."""
    where = f"{exporter.protocol} {exporter.endpoint}"
    return f"otlp-{hashlib.sha256(where.encode()).hexdigest()[:12]}"


def _forwarded(forwarders: tuple[Forwarder, ...]) -> Callable[[], int] | None:
    if not forwarders:
        return None
    return lambda: min(forwarder.position for forwarder in forwarders)


async def _serve(
    settings: Settings,
    journal: SegmentJournal,
    pipeline: Pipeline,
    forwarders: tuple[Forwarder, ...],
    announce: Callable[[dict[str, str]], None],
) -> None:
    otlp = settings.config.receivers.otlp
    intake = Intake(
        journal, clock_ns=time.time_ns, max_request_bytes=otlp.max_request_mib * _MEBIBYTE
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as servers:
        receivers = await server.start(intake, http=otlp.http.endpoint, grpc=otlp.grpc.endpoint)
        servers.push_async_callback(receivers.stop, _GRACE_S)
        addresses = {"http": str(receivers.http), "grpc": str(receivers.grpc)}
        if ui := settings.config.ui.endpoint:
            health = await asgi.serve(Health(journal, pipeline, forwarders, intake), ui, "ui")
            servers.push_async_callback(health.stop, _GRACE_S)
            addresses["ui"] = health.address
        announce({**addresses, "data": str(settings.place.path)})
        while not stop.is_set() and pipeline.running and all(f.running for f in forwarders):
            await _wait(stop)
    _log.info(
        "stopped: %d spans and %d log records were accepted, %d revisions of traces recorded",
        intake.counts.accepted[Signal.TRACES],
        intake.counts.accepted[Signal.LOGS],
        pipeline.counts.sealed,
    )
    if not stop.is_set():
        raise CollectorError(
            "A part died: requests are not taken any more, and nothing acknowledged is lost.",
            remedy="Start the collector again, and report the error above.",
        )


async def _wait(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), _WATCH_S)
    except TimeoutError:
        return


def _loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
