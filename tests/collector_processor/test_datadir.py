from pathlib import Path

import pytest

from collector_processor.datadir import DataDir, store_path
from collector_processor.errors import StoreError


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    DataDir.at(tmp_path / "data").make()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="--data-dir"):
        DataDir.at(tmp_path / "file" / "data").make()


def test_a_store_of_another_kind_is_refused() -> None:
    with pytest.raises(StoreError, match="sqlite:///PATH"):
        store_path("postgresql://localhost/evidence")


def test_configured_places_win_over_the_data_directory(tmp_path: Path) -> None:
    place = DataDir.at(tmp_path, journal="/a/journal", store_url="sqlite:////b/evidence.db")
    assert (place.journal, place.store) == (Path("/a/journal"), Path("/b/evidence.db"))
