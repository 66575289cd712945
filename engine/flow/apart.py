"""Rows that are set apart of a table: each with what it broke, where it came from and a name, written as they come."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.core.clock import rfc3339
from engine.core.errors import Json
from engine.flow.across import among
from engine.flow.columns import key_texts
from engine.flow.frames import AT
from engine.flow.merge import RUN, Merger
from engine.flow.publish import PartWriter, Shelf
from engine.flow.slices import Span, span_of
from engine.flow.units import RunInfo

BROKEN: dict[str, pl.DataType] = {
    AT: pl.UInt64(),
    "id": pl.String(),
    "rule": pl.String(),
    "level": pl.String(),
    "column": pl.String(),
    "value": pl.String(),
    "says": pl.String(),
    "spec": pl.String(),
    "key": pl.String(),
    "record": pl.String(),
    "about": pl.UInt64(),
}
"""What a broken rule of a row is told with; `about` is the `about` of the row."""
PLACE: dict[str, pl.DataType] = {
    "endpoint": pl.String(),
    "collected_in": pl.String(),
    "unit": pl.String(),
    "unit_page": pl.Int64(),
    "page": pl.Int64(),
    "row": pl.Int64(),
    "request": pl.String(),
}
"""Where a row came from; all null for those of a query.

When its page came is not written down here: a run that is killed and goes on makes the same files.
"""
SHOWN = [name for name in BROKEN if name not in (AT, "about")]
FIRST = "first"
"""Whether this is the first reason of its row: so many rows are set apart."""
SCHEMA: dict[str, pl.DataType] = {
    **{name: BROKEN[name] for name in SHOWN},
    "table": pl.String(),
    "table_spec": pl.String(),
    **PLACE,
    "run": pl.String(),
    "at": pl.String(),
    FIRST: pl.Boolean(),
    "about": BROKEN["about"],
}
HIDDEN = (FIRST, "about")
"""Columns of the files that nobody is shown."""


def abouts(naming: bytes, table: str, keys: pl.Series, records: pl.Series | None = None) -> pl.Series:
    """Which row each is, as a number that stays the same from run to run: of its key, without one of its record.

    Who does not know the key `naming` cannot guess from it what is masked in the row.
    """
    texts = keys if records is None else pl.select(pl.coalesce(keys, records)).to_series()
    begin = hashlib.blake2b(table.encode() + b"\n", digest_size=8, key=naming)
    digests = pl.Series("about", [_digest(begin, text) for text in texts.to_list()], dtype=pl.Binary)
    return digests.bin.reinterpret(dtype=pl.UInt64, endianness="big")


def _digest(begin: hashlib.blake2b, text: str | None) -> bytes | None:
    if text is None:
        return None
    known = begin.copy()
    known.update(text.encode())
    return known.digest()


def named(rule: str, column: str | None, says: str, about: int) -> str:
    """The name of a broken rule of a row, by which a person can speak of it; the same from run to run."""
    return hashlib.sha256(f"{rule}\n{column or ''}\n{says}\n{about}".encode()).hexdigest()[:12]


def names(rule: str, column: str | None, says: pl.Series, about: pl.Series) -> pl.Series:
    """The names of one broken rule of many rows."""
    each = pl.select(pl.format("{}\n{}\n{}\n{}", pl.lit(rule), pl.lit(column or ""), says, about)).to_series()
    digests = pl.Series([hashlib.sha256(text.encode()).digest() for text in each.to_list()], dtype=pl.Binary)
    return digests.bin.encode("hex").str.head(12)


@dataclass
class Apart:
    """The rows of a table that are set apart while it is made."""

    shelf: Shelf
    run: RunInfo
    table: str
    table_spec: str
    """The place of the table on the page."""
    scratch: Path
    """Where rejects wait until it is known which rows came again."""
    before: Sequence[Mapping[str, Json]] = ()
    """The files of those that the version before had set apart, where this one goes on from it."""
    spans: Sequence[Span] = ()
    paths: Mapping[str, str] | None = None
    """Column -> path, for the cells of files."""
    naming: bytes = b""
    """What rows that are set apart are named with."""
    rows: int = 0
    _writer: PartWriter = field(init=False)
    _waiting: PartWriter = field(init=False)
    _pages: tuple[int, int, pl.DataFrame] | None = None

    def __post_init__(self) -> None:
        self._writer = self.shelf.quarantine(self.table, self.run.id, self.run.mark)
        self._waiting = self.shelf.parts("rejects", "part", {}, self.scratch)

    def reject(self, broken: pl.DataFrame) -> None:
        """Take records that do not fit, which are no rows."""
        if broken.height:
            self._waiting.add(broken)

    def add(self, broken: pl.DataFrame) -> None:
        """Write reasons of rows; all those of one row come together."""
        if not broken.height:
            return
        rows = broken.sort(AT, "spec", "says", maintain_order=True)
        rows = rows.with_columns((pl.col(AT) != pl.col(AT).shift()).fill_null(True).alias(FIRST))
        rows = self._placed(rows).with_columns(
            table=pl.lit(self.table),
            table_spec=pl.lit(self.table_spec),
            run=pl.lit(self.run.id),
            at=pl.lit(rfc3339(self.run.started_at)),
        )
        self._write(rows)

    def _write(self, rows: pl.DataFrame) -> None:
        absent = [pl.lit(None, kind).alias(name) for name, kind in SCHEMA.items() if name not in rows.columns]
        self.rows += int(rows[FIRST].sum())
        self._writer.add(rows.with_columns(absent).select(*SCHEMA))

    def awaited(self) -> pl.Series:
        """Which rows are set apart so far, in order: of those, it matters whether they came again."""
        found = [frame["about"].unique() for frame in self._earlier()]
        return pl.concat(found).unique().sort() if found else pl.Series("about", dtype=pl.UInt64)

    def rejected(self) -> pl.DataFrame:
        """The rejects: `about` and number of arrival."""
        found = [frame.select("about", AT) for frame in self._rejects()]
        return pl.concat(found) if found else pl.DataFrame(schema={"about": pl.UInt64(), AT: pl.UInt64()})

    def finish(self, again: Again | None = None) -> dict[str, Json]:
        """Write what waits, without what came again later; gives what `current.json` says of it."""
        latest = again.latest if again else None
        for file in self.before:
            rows = self.shelf.rows([file], self.shelf.set_apart).collect()
            self._write(rows if latest is None else rows.join(latest, on="about", how="anti", maintain_order="left"))
        for rows in self._rejects():
            self.add(rows if again is None or latest is None else again.outlasting(rows, latest))
        files = self._writer.finish()
        return {"rows": self.rows, "files": [{"path": file.path, "rows": file.rows} for file in files if file.rows]}

    def _earlier(self) -> Iterator[pl.DataFrame]:
        for file in self.before:
            yield self.shelf.rows([file], self.shelf.set_apart).select("about").collect()
        yield from self._rejects()

    def _rejects(self) -> Iterator[pl.DataFrame]:
        for file in self._waiting.finish():
            yield self.shelf.rows([file.as_json()], self.scratch).collect()

    def _placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with where they came from: endpoint, run, page, request, and of a file its row or cell."""
        if not self.spans:
            return rows
        pages = self._between(int(rows[AT][0]), int(rows[AT][-1]))
        found = rows.join_asof(pages, left_on=AT, right_on="start")
        found = found.with_columns(row=(pl.col(AT) - pl.col("start")).cast(pl.Int64))
        if self.paths is not None and any(span.first for span in self.spans):
            each = zip(rows[AT], rows["column"], strict=True)
            places = [span_of(self.spans, at).place(at, self.paths.get(column or "", "")) for at, column in each]
            found = found.with_columns(request=pl.Series(places, dtype=pl.String))
        return found

    def _between(self, low: int, high: int) -> pl.DataFrame:
        """The pages on which rows with these numbers arrived."""
        first, last = (_index(self.spans, at) for at in (low, high))
        if self._pages is None or self._pages[:2] != (first, last):
            self._pages = (first, last, _table(self.spans[first : last + 1]))
        return self._pages[2]


def _index(spans: Sequence[Span], at: int) -> int:
    return bisect_right(spans, at, key=lambda span: span.start) - 1


def _table(spans: Iterable[Span]) -> pl.DataFrame:
    rows = [
        (
            span.start,
            span.endpoint,
            span.run,
            span.unit,
            span.unit_page,
            span.number,
            span.request,
        )
        for span in spans
    ]
    names = [name for name in PLACE if name != "row"]
    return pl.DataFrame(rows, {"start": pl.UInt64(), **{name: PLACE[name] for name in names}}, orient="row")


@dataclass
class Again:
    """Which of the rows that are set apart came again: of those, a later run told something newer."""

    table: str
    naming: bytes
    merger: Merger
    awaited: pl.Series
    """`about` of the rows set apart before the rules were asked, in order."""
    _came: list[pl.DataFrame]
    """`about` and run of those that came."""

    @classmethod
    def of(cls, apart: Apart, merger: Merger) -> Again | None:
        """None where no row takes another's place."""
        if merger.mode != "upsert" or not (apart.before or len(merger.starts) > 1):
            return None
        rejected = merger.numbered(apart.rejected()).select("about", RUN)
        return cls(apart.table, apart.naming, merger, apart.awaited(), [rejected])

    def still(self, frame: pl.DataFrame, broken: pl.DataFrame) -> pl.DataFrame:
        """Of broken rules of some rows of a table, those of rows that did not come again."""
        if self.awaited.len():
            newest = self.merger.newest(frame)
            came = newest.select(abouts(self.naming, self.table, key_texts(newest, self.merger.key)), RUN)
            self._came.append(came.filter(among(self.awaited, came["about"])))
        if broken.height:
            gone = self.merger.outlived(frame)
            broken = self.outlasting(broken.filter(~pl.col(AT).is_in(gone.implode())), _last(self._came[:1]))
        return broken

    @property
    def latest(self) -> pl.DataFrame:
        """`about` and the last run that brought it, of what came."""
        return _last(self._came)

    def outlasting(self, rows: pl.DataFrame, latest: pl.DataFrame) -> pl.DataFrame:
        """The rows that no later run brought again."""
        numbered = self.merger.numbered(rows)
        last = numbered.join(latest.rename({RUN: " last"}), on="about", how="left", maintain_order="left")
        return last.filter(~(pl.col(" last") > pl.col(RUN)).fill_null(False)).drop(RUN, " last")


def _last(came: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(came).group_by("about", maintain_order=True).agg(pl.col(RUN).max())
