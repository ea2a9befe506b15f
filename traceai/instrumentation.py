"""Set the library up in this process, change it, and take it away: `instrument()` and its handle.

There is one set-up a process. A second `instrument()` changes it in place: patches, providers and
what is waiting stay. Nothing happens before the first.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import Resource

from traceai import resource, semconv, startup
from traceai.config import Batching, Config
from traceai.errors import guard
from traceai.exporter import Exporter
from traceai.instrumentors.libraries import KNOWN, Libraries
from traceai.lifecycle import Lifecycle
from traceai.otlp import connect, require
from traceai.provider import Providers, application_provider, sampling
from traceai.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.trace import TracerProvider

    from traceai.sender import Deliver
    from traceai.tally import FlushResult

END_S: Final = 2.0


def instrument(
    *,
    service: str | None = None,
    release: str | None = None,
    environment: str | None = None,
    endpoint: str | None = None,
    headers: Mapping[str, str] | str | None = None,
    protocol: str | None = None,
    content: str | None = None,
    durability: str | None = None,
    tracer_provider: TracerProvider | None = None,
    isolated: bool | None = None,
    spool_dir: str | os.PathLike[str] | None = None,
    libraries: Sequence[str] | None = None,
) -> Instrumentation:
    """Record the calls of the OpenAI SDK and LangChain, and send them over OTLP.

    Calling it again changes what is set up; nothing is patched twice. What is not given comes from
    the `OTEL_*` and `TRACEAI_*` variables, then from the defaults.

    Args:
        service: name of the service, as `service.name`.
        release: its version, as `service.version`.
        environment: where it runs, as `deployment.environment.name`.
        endpoint: address of the collector; `/v1/traces` is added for HTTP if it is not there.
        headers: sent with each request, as a mapping or as `key=value,key=value`.
        protocol: http/protobuf (default) or grpc.
        content: what may leave of what was said: none, digest, redacted (default) or full.
        durability: observe, durable or strict; until there is a spool, everything is observe.
        tracer_provider: an SDK provider to use instead of the global one.
        isolated: use a provider of our own alone, and leave the application's spans alone.
        spool_dir: where the spool is to be.
        libraries: names of what to patch; None for all that are installed.

    Raises:
        ConfigurationError: a value is wrong. Nothing was patched, or changed.
    """
    config = Config.read(
        service=service,
        release=release,
        environment=environment,
        endpoint=endpoint,
        headers=headers,
        protocol=protocol,
        content=content,
        durability=durability,
        tracer_provider=tracer_provider,
        isolated=isolated,
        spool_dir=spool_dir,
        libraries=libraries,
    )
    return Instrumentation(config, _process.set_up(config))


def uninstrument() -> None:
    """Take every patch away, send what waits, and do nothing from now on."""
    _process.silence()


def flush(timeout: float = 5.0) -> FlushResult:
    """Wait until every span that has ended is sent or dropped, at most `timeout` seconds."""
    return _process.exporter.flush(timeout)


def recorder() -> Recorder:
    """Return what records the calls of this process; `instrument()` must have been called."""
    return _process.recorder()


def start() -> Instrumentation:
    """Set up from the environment alone, for `traceai run`: the program may say more yet."""
    config = Config.read()
    return Instrumentation(config, _process.set_up(config, final=False))


def add(library: str, *, tracer_provider: TracerProvider | None = None) -> Instrumentation:
    """Instrument one library more, for `opentelemetry-instrument`: the program may say more yet."""
    config = _process.with_library(library, tracer_provider)
    return Instrumentation(config, _process.set_up(config, final=False))


def take_away(library: str) -> None:
    """Take one library's patches away; with the last, everything."""
    rest = _process.wanted - {library}
    if rest:
        _process.want(rest)
    else:
        _process.silence()


class Instrumentation:
    """What `instrument()` has set up: says what it is, flushes, and takes it away.

    Attributes:
        config: what that call has put in force; a later call puts its own in force.
        summary: its start-up line.
    """

    __slots__ = ("config", "summary")

    def __init__(self, config: Config, summary: str) -> None:
        self.config = config
        self.summary = summary

    def __repr__(self) -> str:
        return f"<{self.summary}>"

    def flush(self, timeout: float = 5.0) -> FlushResult:
        """Wait until every span that has ended is sent or dropped, at most `timeout` seconds."""
        return flush(timeout)

    def uninstrument(self) -> None:
        """Take every patch away, send what waits, and do nothing from now on."""
        uninstrument()


class _Process:
    """The set-up of this process; making one does no work yet."""

    def __init__(self) -> None:
        self.exporter = Exporter(self._connect, Batching())
        self._lifecycle = Lifecycle(
            finish=partial(self.exporter.close, END_S),
            hold=self.exporter.hold,
            resume=self.exporter.resume,
            start_over=self._start_over,
        )
        self._config = Config()
        self._instance_id = ""
        self._process_key = b""
        self._revision: str | None = None
        self._base = Resource.get_empty()
        self._providers: Providers | None = None
        self._recorder: Recorder | None = None
        self._libraries: Libraries | None = None
        self._said = ""

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the libraries in force."""
        return self._libraries.wanted if self._libraries else frozenset()

    def with_library(self, library: str, provider: TracerProvider | None) -> Config:
        """Return the set-up in force, or else that of the environment, with one library more."""
        if not self.wanted:
            return Config.read(libraries=[library], tracer_provider=provider)
        return replace(
            self._config,
            libraries=tuple(sorted({library, *self.wanted})),
            tracer_provider=provider or self._config.tracer_provider,
        )

    def recorder(self) -> Recorder:
        """Return what records calls."""
        assert self._recorder is not None  # noqa: S101 - set_up has made it
        return self._recorder

    def want(self, names: Iterable[str]) -> None:
        """Keep the patches of these libraries alone."""
        if self._libraries:
            self._libraries.want(names)

    def set_up(self, config: Config, *, final: bool = True) -> str:
        """Put `config` in force, in place of what was; return the start-up line.

        It is not `final` where the program, which has not run yet, may say more.
        """
        if config.disabled:
            self.silence()
            return self._say("traceai: off (OTEL_SDK_DISABLED)")
        require(config.target)
        self._config = config
        self._begin()
        recorder = self._record(config)
        self.exporter.reconnect(self._connect, config.batching)
        self._libraries = self._libraries or Libraries(recorder)
        self._libraries.want(config.libraries)
        self._lifecycle.watch()
        return self._say(self._summary(config, final=final))

    def silence(self) -> None:
        """Take everything away that can be, and let what waits go out."""
        self.want(())
        self._lifecycle.unwatch()
        if self._providers:
            self._providers.silence()
        self.exporter.close(END_S)

    def _begin(self) -> None:
        """Find out, once, what does not change while the process lives."""
        if self._providers is None:
            self._instance_id = _instance_id()
            self._process_key = os.urandom(32)
            self._base = resource.nameless(Resource.create())
            self._providers = Providers(self._describe(self._base, {}))

    def _record(self, config: Config) -> Recorder:
        """Change tracer and content policy in place: patches hold on to the recorder."""
        assert self._providers is not None  # noqa: S101 - _begin has made it
        tracer = self._providers.tracer(
            (semconv.SCOPE, resource.scope_version(), semconv.SCHEMA_URL),
            None if config.target.exporter == "none" else self.exporter,
            chosen=config.tracer_provider,
            isolated=config.isolated,
        )
        policy = config.content_policy(self._process_key)
        if self._recorder is None:
            self._recorder = Recorder(tracer, policy)
        self._recorder.tracer, self._recorder.content = tracer, policy
        return self._recorder

    def _connect(self) -> Deliver:
        # Not before the first span: `traceai run` puts the program in place after the set-up.
        self._revision = resource.revision(resource.program(sys.modules.get("__main__")))
        return connect(self._config.target, self._dress)

    def _dress(self, worn: Resource) -> Resource:
        """Complete the resource of a span that leaves."""
        own = self._providers.own.resource if self._providers else None
        base = self._base if worn is own else worn
        return self._describe(base, {semconv.SERVICE_INSTANCE_ID: self._instance_id})

    def _describe(self, base: Resource, more: Mapping[str, str]) -> Resource:
        known = {**more, **resource.known(self._config, revision=self._revision)}
        return resource.complete(base, resource.stated(self._config), known)

    def _start_over(self) -> None:
        """Make a forked child a process of its own: a new instance, with nothing waiting."""
        self.exporter.start_over()
        self._instance_id = _instance_id()

    def _summary(self, config: Config, *, final: bool) -> str:
        provider = config.tracer_provider or application_provider()
        worn = getattr(provider, "resource", None)
        return startup.summary(
            config,
            found=[each for name in config.libraries for each in KNOWN[name].found()],
            missing=resource.missing(
                self._dress(worn if isinstance(worn, Resource) else self._base)
            ),
            final=final,
            sampler=None if config.isolated else sampling(provider),
            reachable=startup.reachable(config.target.endpoint)
            if config.target.exporter == "otlp"
            else None,
        )

    def _say(self, summary: str) -> str:
        """Print the start-up line, unless it is what was said before."""
        if summary != self._said:
            self._said = summary
            with guard:
                startup.say(summary, sys.stderr)
        return summary


def _instance_id() -> str:
    return resource.uuid7(time.time_ns() // 1_000_000, os.urandom(10))


_process: Final = _Process()
