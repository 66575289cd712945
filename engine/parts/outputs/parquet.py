"""A table as a Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from engine.core.kinds import About
from engine.parts.outputs._one import OneTable

if TYPE_CHECKING:
    import polars as pl

ROWS_A_GROUP = 50_000


class Parquet(OneTable):
    """One table as a Parquet file, compressed with zstd.

    Every column keeps its type, lists stay lists. A column of type `json` is a text that holds JSON.

    Example:
        reports:
          findings_parquet:
            parquet: findings
    """

    suffix: ClassVar[str] = ".parquet"

    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write the table in row groups of a fixed size, so that the same rows give the same bytes."""
        mark = {"simulated": "true"} if about.simulated else None
        tables[self.table].sink_parquet(place, row_group_size=ROWS_A_GROUP, metadata=mark)
