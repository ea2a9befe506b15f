"""What a collector runs with: the file, what flags override, and the policies it names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from collector_processor.config import Config, Endpoint, load
from collector_processor.datadir import DataDir
from collector_processor.errors import ConfigError
from collector_processor.listen import check_endpoint
from traceai.errors import PolicyError, TraceAIError
from traceai.policy.inventory import Inventory
from traceai.policy.model import Policy

if TYPE_CHECKING:
    from types import ModuleType

DATA_DIR = Path("traceai-data")
# What a file of Python that is not right raises when it is imported.
_IMPORT_ERRORS = (
    ImportError,
    SyntaxError,
    NameError,
    AttributeError,
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    OSError,
    TraceAIError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a collector needs to start.

    Attributes:
        place: where its files are.
        policies: the policies that calls are judged by.
        inventory: the approved providers, when a file was named.
    """

    config: Config
    place: DataDir
    policies: tuple[Policy, ...]
    inventory: Inventory | None


def settle(
    file: Path | None = None,
    *,
    data_dir: Path | None = None,
    http: str | None = None,
    grpc: str | None = None,
    ui: str | None = None,
) -> Settings:
    """Read the configuration, let flags override it, and load what it refers to.

    Raises:
        ConfigError: a key, a value, an endpoint, a policy or the inventory is wrong.
        StoreError: the store's URL is of a kind that this version cannot open.
    """
    config = load(file) if file is not None else Config()
    otlp = config.receivers.otlp
    otlp = msgspec.structs.replace(
        otlp,
        http=Endpoint(endpoint=http) if http else otlp.http,
        grpc=Endpoint(endpoint=grpc) if grpc else otlp.grpc,
    )
    config = msgspec.structs.replace(
        config,
        receivers=msgspec.structs.replace(config.receivers, otlp=otlp),
        ui=msgspec.structs.replace(config.ui, endpoint=ui or config.ui.endpoint),
    )
    _check_endpoints(config)
    folder = file.parent if file is not None else Path()
    place = (
        DataDir.at(data_dir)
        if data_dir is not None
        else DataDir.at(DATA_DIR, journal=config.journal.path, store_url=config.store.url)
    )
    return Settings(
        config=config,
        place=place,
        policies=tuple(_policy(reference, folder) for reference in config.policies),
        inventory=_inventory(folder / config.inventory) if config.inventory else None,
    )


def _check_endpoints(config: Config) -> None:
    otlp = config.receivers.otlp
    check_endpoint(otlp.http.endpoint, "http")
    check_endpoint(otlp.grpc.endpoint, "grpc")
    if config.ui.endpoint:
        check_endpoint(config.ui.endpoint, "ui")


def _inventory(path: Path) -> Inventory:
    try:
        return Inventory.load(path)
    except (PolicyError, OSError) as error:
        raise ConfigError(f"inventory: {error}") from error


def _policy(reference: str, folder: Path) -> Policy:
    """Import `module:NAME`; a file of that name beside the configuration is looked at first."""
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigError(
            f"policies: {reference!r} is no module:NAME.",
            remedy="Name a traceai.Policy in Python, as in policy:POLICY.",
        )
    policy: Any = getattr(_module(module_name, folder, reference), name, None)
    if not isinstance(policy, Policy):
        raise ConfigError(
            f"policies: {reference!r} is not a traceai.Policy.",
            remedy=f"Define {name} = traceai.Policy(…) in {module_name}.",
        )
    return policy


def _module(name: str, folder: Path, reference: str) -> ModuleType:
    beside = folder / f"{name}.py"
    try:
        if not beside.exists():
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(f"traceai_policies.{name}", beside)
        assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - a file was given
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except _IMPORT_ERRORS as error:
        raise ConfigError(
            f"policies: {reference!r} cannot be imported: {type(error).__name__}: {error}.",
            remedy=f"Put {name}.py beside the configuration file, or on the Python path.",
        ) from error
    return module
