"""What is finished becomes visible: parts in temporary names, then one rename of `current.json`."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.core import commit, jsontext
from engine.core.errors import CollectionError, Json, StorageError
from engine.flow import parquet
from engine.flow.lease import ALONE, Fence
from engine.flow.seal import PLAIN, Seal
from engine.flow.writing import read_json, replace_json, writing

PART_ROWS = 50_000
CURRENT = "current.json"
VERSIONS = "versions"
ENTRY = frozenset({"run", "mode", "files", "base", "rows", "schema", "complete", "definition", "taken"})
"""What `current.json` says of a table, at the least."""
HOW = frozenset({"made", "notes"})
"""What a version says beyond what is current: how the run that made it went."""


@dataclass(frozen=True)
class Receipt:
    """One file that was written."""

    path: str
    """Relative to the tool's folder of processed data."""
    rows: int
    bytes: int
    sha256: str

    def as_json(self) -> dict[str, Json]:
        """The receipt as `current.json` holds it."""
        return {"path": self.path, "rows": self.rows, "bytes": self.bytes, "sha256": self.sha256}


@dataclass
class PartWriter:
    """Writes rows as Parquet files of so many rows each, whatever the batches they come in."""

    home: Path
    folder: str
    """Below `home`: `<table>/<run>`."""
    stem: str = "part"
    mark: Mapping[str, str] = field(default_factory=dict)
    """What each file says of itself, such as that its rows are simulated."""
    fence: Fence = ALONE
    seal: Seal = PLAIN
    most_rows: int = PART_ROWS
    """So many rows wait for others, where what is behind them may be a file that is kept as it is."""
    receipts: list[Receipt] = field(default_factory=list)
    schema: pl.Schema | None = None
    _waiting: list[pl.DataFrame] = field(default_factory=list)

    def add(self, rows: pl.DataFrame) -> None:
        """Take rows; every fifty thousand become a file."""
        self.schema = self.schema or rows.schema
        self._waiting.append(rows)
        while sum(frame.height for frame in self._waiting) >= self.most_rows:
            whole = pl.concat(self._waiting)
            self._write(whole.head(PART_ROWS))
            self._waiting = [whole.slice(PART_ROWS)]

    def keep(self, file: Receipt, schema: pl.Schema) -> None:
        """Take over a file of rows that was there before."""
        self._flush()
        self.schema = self.schema or schema
        self.receipts.append(file)

    def finish(self) -> list[Receipt]:
        """Write what is left; a table without rows is one file without rows."""
        self._flush(last=True)
        return self.receipts

    def _flush(self, *, last: bool = False) -> None:
        if self._waiting:
            rest = pl.concat(self._waiting)
            if rest.height or (last and not self.receipts):
                self._write(rest)
            self._waiting = []

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return sum(receipt.rows for receipt in self.receipts)

    def _write(self, rows: pl.DataFrame) -> None:
        name = f"{self.folder}/{self.stem}-{len(self.receipts):05d}.parquet"
        place = self.home / name
        with writing(place, self.fence) as temporary:
            how = {"compression": "zstd", "statistics": True, "metadata": dict(self.mark) or None}
            parquet.write(rows, temporary, self.seal, place=place, **how)
        self.receipts.append(Receipt(name, rows.height, place.stat().st_size, sha256(place)))


def sha256(path: Path) -> str:
    """The digest of a file as it lies there, sealed or not."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class Shelf:
    """The published tables of one tool: `<root>/processed_data/<tool>`."""

    root: Path
    tool: str
    fence: Fence = ALONE
    seal: Seal = PLAIN

    @property
    def home(self) -> Path:
        """The folder of the tool's processed data."""
        return self.root / "processed_data" / self.tool

    @property
    def set_apart(self) -> Path:
        """The folder of the tool's rows that are set apart."""
        return self.root / "quarantine" / self.tool

    def current(self) -> dict[str, Json]:
        """What is published now; empty before the first publication. Raises StorageError when it is damaged."""
        return self._said(self.home / CURRENT)

    def version(self, run: str) -> dict[str, Json]:
        """What a run made, in the form of what is current, and how (`made`, `notes`); empty where it made nothing."""
        return self._said(self.home / VERSIONS / f"{run}.json")

    def versions(self) -> list[str]:
        """The runs that made tables, oldest first."""
        return sorted(path.stem for path in (self.home / VERSIONS).glob("*.json") if not path.name.startswith("."))

    def _said(self, place: Path) -> dict[str, Json]:
        mend = f"move it away and make the tables again: engine process {self.tool}"
        try:
            if not place.exists():
                return {}
            found = read_json(place, self.seal)
        except (OSError, ValueError) as error:
            raise StorageError(f"{place} cannot be read: {error}", mend) from error
        tables = found.get("tables") if isinstance(found, dict) else None
        if not isinstance(tables, dict) or not all(ENTRY <= set(entry) for entry in tables.values()):
            raise StorageError(f"{place} is not as the engine wrote it", mend)
        said: dict[str, Json] = found
        return said

    def table(self, name: str, current: Mapping[str, Json] | None = None) -> pl.LazyFrame | None:
        """The rows of a published table; None when there is no such table. Raises StorageError when it is damaged."""
        entry = (self.current() if current is None else current).get("tables", {}).get(name)
        return self.rows(entry["files"]) if entry else None

    def records(self, name: str) -> Iterator[dict[str, Json]]:
        """The rows of a published table as JSON, file by file. Raises CollectionError where there is none yet."""
        entry = self.current().get("tables", {}).get(name)
        if entry is None:
            text = f'the table "{name}" is not published yet, so there are no rows to repeat for'
            raise CollectionError(text, f"make it, then collect once more: engine run {self.tool}")
        nested = [column for column, kind in entry["schema"].items() if kind["type"] == "json"]
        for place in self.paths(entry["files"]):
            for row in parquet.read(place, self.seal).iter_rows(named=True):
                found: dict[str, Json] = jsontext.plain(row)
                yield found | {column: jsontext.read(row[column]) for column in nested if row[column] is not None}

    def rows(self, files: Sequence[Mapping[str, Json]], home: Path | None = None) -> pl.LazyFrame:
        """The rows of published files, each looked at before it is read. Raises StorageError."""
        return parquet.scan(self.paths(files, home), self.seal)

    def paths(self, files: Sequence[Mapping[str, Json]], home: Path | None = None) -> list[Path]:
        """Where published files are. Raises StorageError when one is gone or not as it was written."""
        found = [(home or self.home) / file["path"] for file in files]
        for path, file in zip(found, files, strict=True):
            if not path.is_file() or file.get("bytes") not in (None, path.stat().st_size):
                state = "damaged" if path.exists() else "gone"
                raise StorageError(f"{path} is {state}", f"make the table again: engine process {self.tool}")
        return found

    def is_whole(self, files: Sequence[Mapping[str, Json]]) -> bool:
        """Whether published files are there, each byte as it was written."""
        paths = [(self.home / file["path"], file) for file in files]
        return all(path.is_file() and sha256(path) == file["sha256"] for path, file in paths)

    def blaming(self) -> AbstractContextManager[None]:
        """Where rows cannot be read, says which published file is damaged. Raises StorageError."""

        def paths() -> Iterator[Path]:
            for entry in self.current().get("tables", {}).values():
                yield from (self.home / file["path"] for file in (*entry["files"], *entry["base"]))
                apart = (entry.get("quarantine") or {}).get("files", [])
                yield from (self.set_apart / file["path"] for file in apart)

        return parquet.blaming(paths, self.seal, f"make the table again: engine process {self.tool}")

    def keep(self, version: Mapping[str, Json]) -> None:
        """Write down what a run made; from then on it is never made again, only published."""
        replace_json(self.home / VERSIONS / f"{version['run']}.json", version, self.fence, self.seal)

    def publish(self, version: Mapping[str, Json]) -> None:
        """Replace what is current by one rename."""
        current = {name: value for name, value in version.items() if name not in HOW}
        replace_json(self.home / CURRENT, current, self.fence, self.seal)

    def tidy(self, version: Mapping[str, Json]) -> None:
        """Take away what a run left that was stopped while it made its tables, where its version does not name it.

        That version was written down and never changes: who sleeps in here takes nothing that anybody names or makes.
        """
        entries = version["tables"].values()
        published = {file["path"] for entry in entries for file in (*entry["files"], *entry["base"])}
        apart = {file["path"] for entry in entries for file in (entry.get("quarantine") or {}).get("files", [])}
        for home, named in ((self.home, published), (self.set_apart, apart)):
            for folder in home.glob(f"*/{version['run']}"):
                for left in folder.iterdir():
                    if left.relative_to(home).as_posix() not in named:
                        self.fence.check()
                        commit.point("left behind", left.name)
                        left.unlink(missing_ok=True)
                with suppress(OSError):  # something is named there
                    folder.rmdir()

    def quarantine(self, table: str, run: str, mark: Mapping[str, str]) -> PartWriter:
        """A writer for the rows of a table that broke a rule."""
        return PartWriter(self.set_apart, f"{table}/{run}", mark=mark, fence=self.fence, seal=self.seal)

    def parts(self, folder: str, stem: str, mark: Mapping[str, str], home: Path | None = None) -> PartWriter:
        """A writer for the files of a table."""
        return PartWriter(home or self.home, folder, stem, mark, self.fence, self.seal)

    def scratch_home(self, run: str) -> Path:
        """Where this holder puts what is gone at the end."""
        return self.home / f".scratch-{run}.{self.fence.number}"

    @contextmanager
    def scratch(self, run: str) -> Iterator[Callable[[str], Path]]:
        """Folders for sorted runs, gone at the end: those of this holder, who may sleep while another makes its own."""
        commit.point("scratch begins", run)
        for left in self.home.glob(".scratch-*"):
            number = left.name.rpartition(".")[2]
            if not number.isdigit() or int(number) < self.fence.number:  # of a run that was killed
                shutil.rmtree(left, ignore_errors=True)
        home = self.scratch_home(run)
        try:
            yield lambda name: home / name
        finally:
            commit.point("scratch ends", run)
            shutil.rmtree(home, ignore_errors=True)
