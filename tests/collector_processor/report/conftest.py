from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.collector_processor.report.scenes import Recorded, record_everything

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector_processor.store.reader import Reader


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """Return a store that nothing was recorded in yet."""
    with Recorded(tmp_path) as store:
        yield store


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Return the reader of a store with one trace of each kind."""
    with Recorded(tmp_path_factory.mktemp("store")) as store:
        record_everything(store)
        yield store.reader
