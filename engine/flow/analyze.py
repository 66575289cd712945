"""Tables that are queries over other tables."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from engine.core import sql


def analyze(text: str, tables: Mapping[str, pl.LazyFrame], constants: sql.Constants) -> pl.DataFrame:
    """The rows of a query, in its own order, what that leaves open by all columns. Raises Mistake."""
    return sql.query(text, tables=tables, constants=constants)
