"""What can go wrong in the collector. Each error says what happened, why, and what to do next.

CollectorError
 ├── ConfigError                    a wrong key or value: the collector does not start
 ├── ListenError                    an address cannot be listened on
 │    └── PortInUseError            because another process already does
 ├── AlreadyRunningError            another collector holds the same journal or store
 ├── StoreError                     the evidence store cannot be opened, read or written
 ├── JournalError                   the journal cannot be opened, read or written
 │    └── JournalFullError          its bound is reached: the sender should try again later
 └── RequestError                   a request cannot be taken: answered to its sender
      ├── MalformedRequestError     it is not what OTLP says it should be
      ├── UnsupportedEncodingError  its Content-Encoding is none that we read
      ├── UnsupportedMediaTypeError its Content-Type is none that we read
      ├── RequestTooLargeError      it is over the limit: never to be sent again
      └── UnavailableError          we cannot take it now: to be sent again

An error is translated to an HTTP status, a gRPC code or an exit code at the edge only.
"""

from __future__ import annotations


class CollectorError(Exception):
    """An error of ours: what happened, why, and what to do next.

    Args:
        message: what is wrong, naming the value.
        remedy: what the reader can do about it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".rstrip())
        self.remedy = remedy


class ConfigError(CollectorError):
    """The configuration is wrong: nothing was started."""


class ListenError(CollectorError):
    """An address cannot be listened on: nothing was started."""


class PortInUseError(ListenError):
    """Another process listens on the address."""


class AlreadyRunningError(CollectorError):
    """Another collector holds the same journal or store."""


class StoreError(CollectorError):
    """The evidence store cannot be opened, read or written."""


class JournalError(CollectorError):
    """The journal cannot be opened, read or written. What it could not write may be sent again."""


class JournalFullError(JournalError):
    """The journal has reached its bound. The sender should try again later."""


class RequestError(CollectorError):
    """A request cannot be taken; the message is for its sender."""


class MalformedRequestError(RequestError):
    """The request is not what OTLP says it should be: sending it again is of no use."""


class UnsupportedEncodingError(RequestError):
    """The Content-Encoding is none that we read."""


class UnsupportedMediaTypeError(RequestError):
    """The Content-Type is none that we read."""


class RequestTooLargeError(RequestError):
    """The request is over the limit, as sent or decompressed: sending it again is of no use."""


class UnavailableError(RequestError):
    """The request cannot be taken now.

    Attributes:
        retry_after_s: when the sender should try again; short, because an OpenTelemetry SDK gives
            up when the time it has left (10 s in all) is less.
    """

    def __init__(self, message: str, *, remedy: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s
