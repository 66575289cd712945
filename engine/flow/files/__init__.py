"""What a page reads from disk: the files of its endpoints, and the lookups and contracts beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from engine.core.errors import CollectionError, ConfigError, Mistake
from engine.core.kinds import Lookup
from engine.flow.files import records
from engine.flow.files.records import NoFile as NoFile
from engine.flow.files.records import Piece
from engine.flow.files.records import as_pieces as as_pieces
from engine.spec.filesource import FileSource

LOOKUPS = (".csv", ".parquet", ".xlsx")


class Files:
    """The files beside a page; a lookup is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Lookup, pl.DataFrame] = {}

    def read(self, pattern: str, source: FileSource) -> Iterator[Piece | CollectionError]:
        """The records of the files of an endpoint, as pages would bring them."""
        return records.read(self._folder, pattern, source)

    def lookup(self, wanted: Lookup) -> pl.DataFrame:
        """The rows of a csv, parquet or xlsx file; csv gives texts. Raises ConfigError."""
        if wanted not in self._read:
            path = self._path(wanted.file)
            try:
                self._read[wanted] = self._rows(path, wanted)
            except Mistake as mistake:
                raise ConfigError(f"{wanted.file}: {mistake}", mistake.fix) from mistake
            except (pl.exceptions.PolarsError, OSError) as error:
                raise ConfigError(f"{wanted.file} cannot be read: {str(error).splitlines()[0]}") from error
        return self._read[wanted]

    def _rows(self, path: Path, wanted: Lookup) -> pl.DataFrame:
        match path.suffix.lower():
            case ".csv":
                return pl.read_csv(path, infer_schema=False)
            case ".parquet":
                return pl.read_parquet(path)
            case ".xlsx":
                return records.lookup(path, wanted.sheet, wanted.area)
        raise Mistake("file", "its ending names no kind of file", f"a lookup is one of {', '.join(LOOKUPS)}")

    def bytes(self, name: str) -> bytes:
        """A file's content. Raises ConfigError."""
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise ConfigError(f"{name} cannot be read: {error.strerror}") from error

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if not path.is_file():
            raise ConfigError(f"there is no file {name} beside the page", f"it was looked for at {path}")
        return path
