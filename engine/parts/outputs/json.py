"""A table as one JSON array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from engine.core.kinds import About, Output
from engine.core.values import TableName
from engine.parts.outputs._text import json_lines


class Json(Output):
    """One table as a JSON array of objects: UTF-8, one object a line, written as the rows come.

    Times are RFC 3339 in UTC, lists and objects stay what they are, a missing value is null, and so are the numbers
    that JSON cannot hold (NaN, infinity).

    Example:
        reports:
          findings_json:
            json: findings
    """

    suffix: ClassVar[str] = ".json"
    short: ClassVar[str | None] = "table"
    table: TableName = Field(description="The table that is written.")

    def tables(self) -> Sequence[str]:
        """The one table."""
        return (self.table,)

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write the array without ever holding it."""
        lines = json_lines(tables[self.table], about.types.get(self.table, {}))
        with place.open("w", encoding="utf-8", newline="\n") as file:
            between = "[\n"
            for batch in lines.collect_batches(maintain_order=True):
                if batch.height:
                    file.write(between + ",\n".join(batch["line"]))
                    between = ",\n"
            file.write("[]\n" if between == "[\n" else "\n]\n")
