"""A table as JSON Lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from engine.core.kinds import About
from engine.parts.outputs._one import OneTable

if TYPE_CHECKING:
    import polars as pl


class Jsonl(OneTable):
    """One table as JSON Lines: UTF-8, one object a line.

    Times are RFC 3339 in UTC, lists and objects stay what they are, a missing value is null, and so are the numbers
    that JSON cannot hold (NaN, infinity).

    Example:
        reports:
          findings_jsonl:
            jsonl: findings
    """

    suffix: ClassVar[str] = ".jsonl"

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write one line after the other."""
        from engine.parts.outputs._text import json_lines

        lines = json_lines(tables[self.table], about.types.get(self.table, {}))
        # A csv of one column that is never quoted is a file of lines; sink_ndjson knows no column of ready JSON.
        lines.sink_csv(place, include_header=False, quote_style="never", check_extension=False)
