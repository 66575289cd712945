"""Columns as text that every reader understands: JSON for nested values, RFC 3339 for times."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import polars as pl


def rfc3339(column: str, kind: pl.Datetime) -> pl.Expr:
    """A time as `2026-01-02T03:04:05.123Z`; one without a zone is taken as UTC."""
    time = pl.col(column).dt
    utc = time.convert_time_zone("UTC") if kind.time_zone else time.replace_time_zone("UTC")
    return utc.dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ").alias(column)


def json_text(column: str) -> pl.Expr:
    """Any value as JSON text; null stays null."""
    packed = pl.struct(pl.col(column).alias("v")).struct.json_encode()
    value = packed.str.strip_prefix('{"v":').str.strip_suffix("}")
    return pl.when(pl.col(column).is_not_null()).then(value).alias(column)


def json_lines(rows: pl.LazyFrame, types: Mapping[str, str]) -> pl.LazyFrame:
    """One text column, `line`: each row as a JSON object in one line.

    Columns of type `json` hold JSON text and are put in as they are: decoding them would need one shape for all rows.
    """
    schema = rows.collect_schema()
    times = [rfc3339(name, kind) for name, kind in schema.items() if isinstance(kind, pl.Datetime)]
    raw = {name for name, kind in schema.items() if kind == pl.String and types.get(name) == "json"}
    pieces: list[pl.Expr] = []
    for is_raw, names in groupby(schema, key=raw.__contains__):
        if is_raw:
            pieces += [_member(name) for name in names]
        else:
            pieces.append(pl.struct(list(names)).struct.json_encode().str.strip_prefix("{").str.strip_suffix("}"))
    line = pl.concat_str(pl.lit("{"), pl.concat_str(pieces, separator=","), pl.lit("}"))
    return rows.with_columns(times).select(line.alias("line"))


def _member(column: str) -> pl.Expr:
    """`"name":{…}` of a column that holds JSON text; the breaks between its tokens would break the line."""
    key = pl.struct(pl.lit(0).alias(column)).struct.json_encode().str.strip_prefix("{").str.strip_suffix("0}")
    value = pl.col(column).str.replace_all(r"[\r\n]+", " ").fill_null("null")
    return pl.concat_str(key, value)
