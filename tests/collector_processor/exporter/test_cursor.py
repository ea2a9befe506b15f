from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_processor.errors import JournalError
from collector_processor.exporter.cursor import Cursor, load, save

if TYPE_CHECKING:
    from pathlib import Path

POSITIONS = st.integers(0, (1 << 63) - 1)


def test_without_a_file_there_is_none_yet(tmp_path: Path) -> None:
    assert load(tmp_path / "otlp-0.cursor") is None


@given(POSITIONS, POSITIONS)
def test_what_was_saved_last_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, position: int, evaluation: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "otlp-0.cursor"
    save(path, Cursor(position=position, evaluation=evaluation))
    assert load(path) == Cursor(position=position, evaluation=evaluation)


def test_saving_leaves_one_file(tmp_path: Path) -> None:
    for position in range(3):
        save(tmp_path / "otlp-0.cursor", Cursor(position=position))
    assert [path.name for path in tmp_path.iterdir()] == ["otlp-0.cursor"]


def test_a_crash_while_it_is_saved_leaves_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "otlp-0.cursor"
    save(path, Cursor(position=7, evaluation=3))
    path.with_suffix(".new").write_bytes(b'{"posit')
    assert load(path) == Cursor(position=7, evaluation=3)
    save(path, Cursor(position=8, evaluation=3))
    assert load(path) == Cursor(position=8, evaluation=3)


@pytest.mark.parametrize(
    "damaged", [b"", b'{"posit', b"\xff\x00", b"[]", b'{"position": "7"}', b'{"position": -1.5}']
)
def test_a_damaged_file_is_named_and_never_taken_for_the_beginning(
    tmp_path: Path, damaged: bytes
) -> None:
    path = tmp_path / "otlp-0.cursor"
    path.write_bytes(damaged)
    with pytest.raises(JournalError) as refused:
        load(path)
    assert str(refused.value).startswith(f"The forwarding cursor {path} is damaged: ")
    assert str(refused.value).endswith(
        "Delete it to send everything still in the journal once more."
    )
