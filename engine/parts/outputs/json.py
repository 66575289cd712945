"""A table as one JSON array."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from engine.core.kinds import About
from engine.parts.outputs._one import OneTable

if TYPE_CHECKING:
    import polars as pl


class Json(OneTable):
    """One table as a JSON array of objects: UTF-8, one object a line, written as the rows come.

    Times are RFC 3339 in UTC, lists and objects stay what they are, a missing value is null, and so are the numbers
    that JSON cannot hold (NaN, infinity).

    Example:
        reports:
          findings_json:
            json: findings
    """

    suffix: ClassVar[str] = ".json"

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write the array without ever holding it."""
        from engine.parts.outputs._text import json_lines

        lines = json_lines(tables[self.table], about.types.get(self.table, {}))
        with place.open("w", encoding="utf-8", newline="\n") as file:
            between = "[\n"
            for batch in lines.collect_batches(maintain_order=True):
                if batch.height:
                    file.write(between + ",\n".join(batch["line"]))
                    between = ",\n"
            file.write("[]\n" if between == "[\n" else "\n]\n")
