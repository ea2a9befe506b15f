from __future__ import annotations

import socket

import pytest

from collector_processor.errors import ConfigError, ListenError, PortInUseError
from collector_processor.listen import check_endpoint, listen, name_of, parse_endpoint


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("127.0.0.1:4318", ("127.0.0.1", 4318)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(endpoint: str, expected: tuple[str, int]) -> None:
    assert parse_endpoint(endpoint, "http") == expected


@pytest.mark.parametrize(
    "endpoint", ["", "4318", "localhost", ":4318", "localhost:", "a:b", "a:-1", "a:65536", "a:٣x"]
)
@pytest.mark.parametrize(
    ("flag", "key"),
    [
        ("http", "receivers.otlp.http.endpoint"),
        ("grpc", "receivers.otlp.grpc.endpoint"),
        ("ui", "ui.endpoint"),
    ],
)
def test_what_is_no_endpoint_is_refused_by_its_key(endpoint: str, flag: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_endpoint(endpoint, flag)
    assert str(refused.value) == (
        f"{key}: {endpoint!r} is no host:port. Write for example 127.0.0.1:4318."
    )


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:4318", "127.9.9.9:0", "[::1]:4318", "localhost:1", "no such host:1"]
)
def test_what_is_not_known_to_be_wrong_passes_the_check(endpoint: str) -> None:
    check_endpoint(endpoint, "http")


@pytest.mark.parametrize("endpoint", ["0.0.0.0:0", "[::]:0", "192.0.2.1:4318", "4318"])
def test_what_is_known_to_be_wrong_does_not_pass_the_check(endpoint: str) -> None:
    with pytest.raises(ConfigError):
        check_endpoint(endpoint, "http")


@pytest.mark.parametrize(
    ("endpoint", "family", "host"),
    [
        ("127.0.0.1:0", socket.AF_INET, "127.0.0.1"),
        ("127.0.0.2:0", socket.AF_INET, "127.0.0.2"),
        pytest.param(
            "[::1]:0",
            socket.AF_INET6,
            "[::1]",
            marks=pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here"),
        ),
    ],
)
def test_port_0_takes_a_free_one_and_says_which(
    endpoint: str, family: socket.AddressFamily, host: str
) -> None:
    with listen(endpoint, "http") as listener:
        address = name_of(listener)
        assert listener.family == family
        assert address == f"{host}:{listener.getsockname()[1]}"
        with socket.create_connection(listener.getsockname()[:2], timeout=5):
            connection, _ = listener.accept()
            connection.close()


@pytest.mark.parametrize("endpoint", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "8.8.8.8:4318"])
def test_an_address_that_others_can_reach_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        listen(endpoint, "grpc")
    assert str(refused.value) == (
        f"receivers.otlp.grpc.endpoint: {endpoint} can be reached from other machines, and nobody "
        "is asked who they are. Listen on 127.0.0.1 and put a proxy with authentication in front."
    )


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with listen("127.0.0.1:0", "http") as first:
        address = name_of(first)
        with pytest.raises(PortInUseError) as refused:
            listen(address, "http")
    assert str(refused.value) == (
        f"{address} is in use: another collector, or another program, listens there. Stop it, or "
        "choose another port with --http HOST:PORT or receivers.otlp.http.endpoint."
    )


def test_a_port_that_was_let_go_can_be_taken_at_once() -> None:
    with listen("127.0.0.1:0", "http") as first:
        address = name_of(first)
        with socket.create_connection(first.getsockname(), timeout=5):
            connection, _ = first.accept()
            connection.close()
    listen(address, "http").close()


@pytest.mark.parametrize("host", ["no such host", "a" * 70, "a..b"])
def test_a_host_without_an_address_is_named(host: str) -> None:
    with pytest.raises(ListenError) as refused:
        listen(f"{host}:4318", "ui")
    assert str(refused.value).startswith(f"Cannot listen on {host}:4318: ")
    assert str(refused.value).endswith("Set ui.endpoint (or --ui) to an address of this machine.")
