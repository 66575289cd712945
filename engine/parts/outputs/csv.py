"""A table as a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from engine.core.kinds import About
from engine.parts.outputs._one import OneTable

if TYPE_CHECKING:
    import polars as pl

STARTS_A_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
PLAIN_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"


class Csv(OneTable):
    """One table as a CSV file: UTF-8, a header, RFC 4180 quotes, lines that end with a line feed.

    Times are RFC 3339 in UTC (`2026-01-02T03:04:05Z`), lists and objects are JSON text; a missing value is an empty
    field, an empty text a quoted one. Text that a spreadsheet would run as a formula, because it starts with
    = + - @, a tab or a line break, gets an apostrophe in front, as OWASP advises against CSV injection. Numbers are
    no formulas: `-1` stays as it is, also in a column of text. Programs that need the text itself read jsonl or
    parquet.

    Example:
        reports:
          findings_csv:
            csv: { table: findings, separator: ";" }
    """

    suffix: ClassVar[str] = ".csv"
    separator: Literal[",", ";", "|", "\t"] = Field(",", description="What stands between two fields.")

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write one row after the other."""
        import polars as pl

        rows = tables[self.table]
        schema = rows.collect_schema()
        fields = rows.select(_field(name, kind) for name, kind in schema.items())
        header = pl.LazyFrame({"name": list(schema)}).select(_harmless(pl.col("name"))).collect()["name"]
        fields.rename(dict(zip(schema, header, strict=True))).sink_csv(
            place, separator=self.separator, check_extension=False
        )


def _field(name: str, kind: pl.DataType) -> pl.Expr:
    """A column as it is written."""
    import polars as pl

    from engine.parts.outputs._text import json_text, rfc3339

    if isinstance(kind, pl.Datetime):
        return rfc3339(name, kind)
    if isinstance(kind, pl.Duration):
        return pl.col(name).dt.to_string("iso")
    if kind.is_nested():
        return json_text(name)
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        return _harmless(pl.col(name).cast(pl.String))
    return pl.col(name)


def _harmless(text: pl.Expr) -> pl.Expr:
    """The text, with an apostrophe in front where a spreadsheet would run it."""
    import polars as pl

    formula = text.str.contains(STARTS_A_FORMULA) & ~text.str.contains(PLAIN_NUMBER)
    return pl.when(formula).then(pl.lit("'") + text).otherwise(text).name.keep()
