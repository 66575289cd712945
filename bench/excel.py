"""Excel out and in: 100,000 rows of 15 columns through the part `excel`, and back as a lookup.

`python bench/excel.py [rows …]` prints a Markdown table; each is a process of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from measure import HERE, run, say, scratch, table

ROWS = (100_000,)
COLUMNS = 15
STARTED_AT = datetime(2026, 6, 1, tzinfo=UTC)


def make(place: Path, rows: int) -> None:
    """A table of texts, addresses, numbers, times and truths."""
    import polars as pl

    at = pl.int_range(rows)
    texts = {f"text{n}": pl.format("value {} of a text in row {}", at % (n + 7), at) for n in range(6)}
    links = {f"url{n}": pl.format("https://shop.example.com/api/{}/{}", at % 211, at) for n in range(2)}
    numbers = {"id": at, "count": at % 1000, "score": at % 100 / 10, "share": at / 7}
    others = {
        "open": at % 3 == 0,
        "created": pl.lit(STARTED_AT) + pl.duration(seconds=at),
        "seen": (pl.lit(STARTED_AT) + pl.duration(days=at % 28)).dt.date(),
    }
    found = pl.select(**numbers, **texts, **links, **others)
    assert found.width == COLUMNS
    found.write_parquet(place)


def write(source: Path, place: Path) -> None:
    """Write the workbook."""
    import polars as pl

    from engine.core.kinds import About
    from engine.parts.outputs.excel import Excel

    about = About("bench", "Bench", "run", STARTED_AT, simulated=False)
    Excel.model_validate({"sheets": {"Rows": "rows"}}).write({"rows": pl.scan_parquet(source)}, place, about)


def read(place: Path, rows: int) -> None:
    """Read it as a lookup does."""
    from engine.core.kinds import Lookup
    from engine.flow.files import Files

    found = Files(place.parent).lookup(Lookup(place.name, "Rows"))
    assert found.shape == (rows, COLUMNS), found.shape


def main(counts: Iterable[int]) -> None:
    """Print the table."""
    found: list[list[str]] = []
    for rows in counts:
        with scratch() as folder:
            source, place = folder / "rows.parquet", folder / "rows.xlsx"
            run([sys.executable, HERE / "excel.py", "make", source, str(rows)], folder)
            for name, words in (("out", ["write", source, place]), ("in", ["read", place, str(rows)])):
                cost = run([sys.executable, HERE / "excel.py", *words], folder)
                size = place.stat().st_size / 1e6
                shown = (f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak_mb:,.0f}", f"{size:.1f}")
                found.append([f"{name}, {rows:,} × {COLUMNS}", *shown])
    say(table(["Excel", "wall s", "CPU s", "peak MB", "file MB"], found))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", place, rows]:
            make(Path(place), int(rows))
        case ["write", source, place]:
            write(Path(source), Path(place))
        case ["read", place, rows]:
            read(Path(place), int(rows))
        case counts:
            main([int(one.replace("_", "")) for one in counts] or ROWS)
