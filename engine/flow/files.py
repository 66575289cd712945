"""What a page reads from disk: the lookup tables beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from engine.core.errors import ConfigError, nearest
from engine.core.kinds import Lookup


class Files:
    """The files beside a page, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Lookup, pl.DataFrame] = {}

    def lookup(self, wanted: Lookup) -> pl.DataFrame:
        """The rows of a csv, parquet or xlsx file; csv gives texts. Raises ConfigError."""
        if wanted not in self._read:
            path = self._path(wanted.file)
            reader = READERS.get(path.suffix.lower())
            if reader is None:
                raise ConfigError(
                    f"{wanted.file} is no file of a known kind", f"a lookup is one of {', '.join(READERS)}"
                )
            try:
                self._read[wanted] = reader(path, wanted.sheet)
            except (pl.exceptions.PolarsError, OSError) as error:
                raise ConfigError(f"{wanted.file} cannot be read: {str(error).splitlines()[0]}") from error
        return self._read[wanted]

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


def _csv(path: Path, sheet: str | None) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def _parquet(path: Path, sheet: str | None) -> pl.DataFrame:
    return pl.read_parquet(path)


def _xlsx(path: Path, sheet: str | None) -> pl.DataFrame:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
    except fastexcel.FastExcelError as error:
        raise ConfigError(f"{path.name} is no workbook that can be read: {error}") from error
    name = sheet or book.sheet_names[0]
    if name not in book.sheet_names:
        there = ", ".join(book.sheet_names)
        raise ConfigError(f'{path.name} has no sheet "{name}"{nearest(name, book.sheet_names)}', f"it has {there}")
    return book.load_sheet(name, dtype_coercion="strict").to_polars()


READERS: dict[str, Callable[[Path, str | None], pl.DataFrame]] = {".csv": _csv, ".parquet": _parquet, ".xlsx": _xlsx}
