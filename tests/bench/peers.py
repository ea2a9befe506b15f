"""Who is measured: each peer, what it needs, and which cases it can run.

Clients are pinned to one version for all, so that the bare call is the same call everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

CLIENTS = (
    "openai==3.57.0",
    "langchain==1.5.2",
    "langchain-core==1.8.3",
    "langchain-openai==1.7.4",
    "langgraph==1.2.24",
    "opentelemetry-api==1.45.2",
    "opentelemetry-sdk==1.45.2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One column of the library's table.

    Attributes:
        name: of the column, and of the adapter that switches it on.
        venv: the environment it runs in; bare, floor and the content policies share one each.
        requires: what that environment needs beside the clients.
        shows: the distribution whose version is printed besides the clients'; or empty.
    """

    name: str
    venv: str
    requires: tuple[str, ...] = ()
    shows: str = ""


PEERS = (
    Peer(name="bare", venv="bare"),
    Peer(name="floor", venv="bare"),
    Peer(name="traceai full", venv="traceai", requires=(".",), shows="traceai-evidence"),
    Peer(name="traceai redacted", venv="traceai", requires=(".",), shows="traceai-evidence"),
    Peer(
        name="genai",
        venv="genai",
        requires=(
            "opentelemetry-instrumentation-genai-openai==1.3b0",
            "opentelemetry-instrumentation-genai-langchain==1.3b0",
        ),
        shows="opentelemetry-instrumentation-genai-openai",
    ),
    Peer(
        name="openinference",
        venv="openinference",
        requires=(
            "openinference-instrumentation-openai==0.1.66",
            "openinference-instrumentation-langchain==0.1.80",
        ),
        shows="openinference-instrumentation-openai",
    ),
)

PHOENIX = "arize-phoenix==20.26.1"
MLFLOW = "mlflow==3.17.2"
