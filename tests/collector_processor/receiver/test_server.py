from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from collector_processor.errors import ConfigError, PortInUseError
from collector_processor.journal.segments import SegmentJournal
from collector_processor.listen import parse_endpoint
from collector_processor.receiver.intake import Intake
from collector_processor.receiver.server import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FREE = "127.0.0.1:0"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SegmentJournal]:
    opened = SegmentJournal(tmp_path)
    yield opened
    opened.close()


def intake_of(journal: SegmentJournal) -> Intake:
    return Intake(journal, clock_ns=time.time_ns, max_request_bytes=1 << 20)


@pytest.mark.parametrize("key", ["http", "grpc"])
async def test_a_port_in_use_is_named_with_what_to_do(journal: SegmentJournal, key: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        endpoints = {"http": FREE, "grpc": FREE, key: taken}
        with pytest.raises(PortInUseError, match=rf"{taken} is in use.*--{key} HOST:PORT"):
            await start(intake_of(journal), **endpoints)


async def test_two_collectors_never_share_a_port(journal: SegmentJournal) -> None:
    first = await start(intake_of(journal), http=FREE, grpc=FREE)
    for endpoints in ({"http": first.http, "grpc": None}, {"http": None, "grpc": first.grpc}):
        with pytest.raises(PortInUseError):
            await start(intake_of(journal), **endpoints)
    await first.stop(0)


@pytest.mark.parametrize("endpoint", ["192.0.2.1:4318", "0.0.0.0:4318", "[::]:4318"])
async def test_only_loopback_is_listened_on(journal: SegmentJournal, endpoint: str) -> None:
    with pytest.raises(ConfigError, match="can be reached from other machines"):
        await start(intake_of(journal), http=endpoint, grpc=None)


async def test_a_stopped_server_frees_its_ports_and_signals_stay_as_they_were(
    journal: SegmentJournal,
) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    first = await start(intake_of(journal), http=FREE, grpc=FREE)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    await first.stop(1)
    second = await start(intake_of(journal), http=first.http, grpc=first.grpc)
    assert (second.http, second.grpc) == (first.http, first.grpc)
    await second.stop(1)


async def test_one_server_may_be_left_out(journal: SegmentJournal) -> None:
    receivers = await start(intake_of(journal), http=None, grpc=None)
    assert (receivers.http, receivers.grpc) == (None, None)
    await receivers.stop(0)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("127.0.0.1:4318", ("127.0.0.1", 4318)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:4317", ("::1", 4317)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(endpoint: str, expected: tuple[str, int]) -> None:
    assert parse_endpoint(endpoint, "http") == expected


@pytest.mark.parametrize(
    "endpoint", ["4318", ":4318", "localhost", "localhost:", "h:http", "h:70000"]
)
def test_anything_else_is_a_wrong_configuration_that_names_its_key(endpoint: str) -> None:
    with pytest.raises(ConfigError, match=r"receivers\.otlp\.http\.endpoint: '.*' is no host:port"):
        parse_endpoint(endpoint, "http")
