"""The collector's folder: where each part of it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collector_processor.errors import StoreError

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDir:
    """A folder with the journal, the store, and the cursors of the forwarders.

    Attributes:
        path: the folder.
        journal: the journal's folder.
        store: the SQLite file.
    """

    path: Path
    journal: Path
    store: Path

    @classmethod
    def at(cls, path: Path, *, journal: str | None = None, store_url: str | None = None) -> DataDir:
        """Return the layout below `path`, with what the configuration puts elsewhere.

        Raises:
            StoreError: the store's URL is not one that this version can open.
        """
        return cls(
            path=path,
            journal=Path(journal) if journal else path / "journal",
            store=store_path(store_url) if store_url else path / "evidence.db",
        )

    def make(self) -> None:
        """Make the folder, for its owner only.

        Raises:
            StoreError: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"Cannot make the data directory {self.path}: {error.strerror}.",
                remedy="Name a folder you may write to with --data-dir.",
            ) from error


def store_path(url: str) -> Path:
    """Return the file of a `sqlite:///PATH` URL.

    Raises:
        StoreError: it is another kind of URL.
    """
    if not url.startswith(_SQLITE):
        raise StoreError(
            f"The store {url!r} is of a kind that this version cannot open.",
            remedy="Use sqlite:///PATH (four slashes for an absolute path).",
        )
    return Path(url.removeprefix(_SQLITE))
