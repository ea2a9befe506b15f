"""Listen on an address of this machine, or say why that cannot be and what to do.

Without authentication, which is not built yet, only loopback addresses are listened on: whoever
reaches the port can write evidence.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import suppress
from typing import Final

from collector_processor.errors import ConfigError, ListenError, PortInUseError

_BACKLOG: Final = 2048
_HIGHEST_PORT: Final = 65535
_KEYS: Final = {
    "http": "receivers.otlp.http.endpoint",
    "grpc": "receivers.otlp.grpc.endpoint",
    "ui": "ui.endpoint",
}


def parse_endpoint(endpoint: str, flag: str) -> tuple[str, int]:
    """Split `host:port`; an IPv6 address stands in brackets.

    Raises:
        ConfigError: it is something else.
    """
    host, colon, port = endpoint.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > _HIGHEST_PORT:
        raise ConfigError(
            f"{_KEYS[flag]}: {endpoint!r} is no host:port.",
            remedy="Write for example 127.0.0.1:4318.",
        )
    return host.strip("[]"), int(port)


def check_endpoint(endpoint: str, flag: str) -> None:
    """Check what can be told of an endpoint before anything is started: names are not looked up.

    Raises:
        ConfigError: it is no `host:port`, or an address that others can reach.
    """
    host, _ = parse_endpoint(endpoint, flag)
    with suppress(ValueError):
        _refuse_public(endpoint, str(ipaddress.ip_address(host)), flag)


def listen(endpoint: str, flag: str) -> socket.socket:
    """Return a socket that listens on `host:port`; port 0 takes a free one.

    Args:
        endpoint: where to listen.
        flag: of the command line, which stands for a key of the configuration: http, grpc or ui.

    Raises:
        ConfigError: the endpoint is no `host:port`, or an address that others can reach.
        PortInUseError: another process listens there.
        ListenError: the address cannot be listened on for another reason.
    """
    host, port = parse_endpoint(endpoint, flag)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        _refuse_public(endpoint, str(address[0]), flag)
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise in_use(endpoint, flag) from error
        why = error.strerror if isinstance(error, OSError) else f"{host!r} is no host name"
        raise ListenError(
            f"Cannot listen on {endpoint}: {why}.",
            remedy=f"Set {_KEYS[flag]} (or --{flag}) to an address of this machine.",
        ) from error
    listener.settimeout(0)
    return listener


def in_use(endpoint: str, flag: str) -> PortInUseError:
    """Return the error for an address that another process listens on."""
    return PortInUseError(
        f"{endpoint} is in use: another collector, or another program, listens there.",
        remedy=f"Stop it, or choose another port with --{flag} HOST:PORT or {_KEYS[flag]}.",
    )


def name_of(listener: socket.socket) -> str:
    """Return what a socket is bound to, as `host:port`."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{host}:{port}"


def _refuse_public(endpoint: str, address: str, flag: str) -> None:
    if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        raise ConfigError(
            f"{_KEYS[flag]}: {endpoint} can be reached from other machines, and nobody is asked "
            "who they are.",
            remedy="Listen on 127.0.0.1 and put a proxy with authentication in front.",
        )
