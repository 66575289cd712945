"""Tables that are queries over other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from engine.core import sql


def analyze(
    text: str, tables: Mapping[str, pl.LazyFrame], constants: sql.Constants, key: Sequence[str]
) -> pl.DataFrame:
    """The rows of a query: in its own order, else by key, else by all columns. Raises Mistake.

    It is worked out in memory and not streamed: streaming adds up floats in the order in which threads end.
    """
    rows = sql.query(text, tables=tables, constants=constants).collect(engine="in-memory")
    return rows.sort(list(key)) if key else rows
