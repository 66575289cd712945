"""What a cell can hold of a value, and what is written where it cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from engine.parts.outputs._text import json_text, rfc3339

Cell = str | int | float | bool | None
Look = Literal["text", "integer", "float", "boolean", "datetime", "date"]
MOST_CHARACTERS = 32_767
MOST_EXACT = 2**53
"""Cells hold numbers as doubles: beyond this, neighbouring integers become one."""
DAY = 86_400_000_000
FIRST_DAY, LAST_DAY = -25_508, 2_932_897
"""1 March 1900, before which Excel counts a day that never was, and 1 January 10000, in days since 1970."""
EPOCH = 25_569
"""1970 as Excel counts days."""


class Exact(float):
    """A number that XlsxWriter writes with all its digits: on its own it writes 16, and some doubles need 17."""

    def __format__(self, spec: str) -> str:
        return repr(float(self))


@dataclass(frozen=True)
class Column:
    """A column as cells hold it."""

    name: str
    look: Look
    value: pl.Expr
    """What a cell holds as it is."""
    instead: pl.Expr
    """The text that is written where a cell cannot hold the value; null elsewhere."""


def columns(schema: Mapping[str, pl.DataType]) -> list[Column]:
    """Every column of a table as cells hold it."""
    return [_column(name, kind) for name, kind in schema.items()]


def _column(name: str, kind: pl.DataType) -> Column:
    own = pl.col(name)
    if kind == pl.Boolean:
        return Column(name, "boolean", own, pl.lit(None, pl.String))
    if kind.is_integer():
        return _where(name, "integer", own, own.is_between(-MOST_EXACT, MOST_EXACT), own.cast(pl.String))
    if kind.is_float():
        return _where(name, "float", own, own.is_finite(), own.cast(pl.String))
    if isinstance(kind, pl.Datetime):
        moment = own.dt.epoch("us")
        fits = moment.is_between(FIRST_DAY * DAY, LAST_DAY * DAY, closed="left")
        return _where(name, "datetime", moment / DAY + EPOCH, fits, rfc3339(name, kind))
    if kind == pl.Date:
        day = own.cast(pl.Int32)
        fits = day.is_between(FIRST_DAY, LAST_DAY, closed="left")
        return _where(name, "date", day + EPOCH, fits, own.dt.to_string("%Y-%m-%d"))
    if isinstance(kind, pl.Duration):
        return Column(name, "text", own.dt.to_string("iso"), pl.lit(None, pl.String))
    text = json_text(name) if kind.is_nested() else own.cast(pl.String)
    return Column(name, "text", text, pl.lit(None, pl.String))


def _where(name: str, look: Look, value: pl.Expr, fits: pl.Expr, text: pl.Expr) -> Column:
    return Column(name, look, pl.when(fits).then(value), pl.when(~fits).then(text))


def cells(rows: pl.DataFrame, wanted: Sequence[Column], instead: dict[str, int]) -> Iterator[tuple[Cell, ...]]:
    """The rows as cells; counts in `instead` how many cells of each column hold a text in the value's place."""
    values = rows.select(column.value.alias(f"{number}") for number, column in enumerate(wanted))
    texts = rows.select(column.instead.alias(f"{number}") for number, column in enumerate(wanted))
    found: list[list[Cell]] = []
    for column, value, text in zip(wanted, values, texts, strict=True):
        cell = value.to_list()
        if text.len() == value.len() and (many := text.len() - text.null_count()):
            instead[column.name] = instead.get(column.name, 0) + many
            cell = [own if other is None else other for own, other in zip(cell, text, strict=True)]
        found.append(cell)
    yield from zip(*found, strict=True)


def fitting(text: str) -> str:
    """The text, or as much of it as a cell holds, with its length behind it. Excel counts UTF-16 units."""
    if 2 * len(text) <= MOST_CHARACTERS or len(text.encode("utf-16-le")) <= 2 * MOST_CHARACTERS:
        return text
    tail = f" … [cut, {len(text):,} characters in all]"
    room = 2 * (MOST_CHARACTERS - len(tail))
    return text.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + tail
