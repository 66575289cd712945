"""The types that columns of a page may have, as Polars has them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

UTC_TIME = pl.Datetime("us", "UTC")
TYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "datetime": UTC_TIME,
    "date": pl.Date(),
    "list": pl.List(pl.String()),
    "json": pl.String(),
}
"""Column type -> the type in tables; json is kept as its text, a list holds texts."""
