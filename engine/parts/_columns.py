"""What rules and steps say about columns: which there are, what type they have, what a text of the page means there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from engine.core.clock import read_instant
from engine.core.errors import Json, Mistake, nearest
from engine.core.sql.words import called
from engine.core.values import ColumnName
from engine.core.wire import as_text

if TYPE_CHECKING:
    import polars as pl
    from polars.datatypes import DataTypeClass


Columns = Annotated[
    list[ColumnName],
    BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=str | list[str]),
]
"""One column, or a list of them."""
TEXTS = ("string", "json", "list")
"""The column types whose values are texts, or lists of them."""


def one_or_more(columns: list[ColumnName]) -> list[ColumnName]:
    """The columns; raises Mistake when there are none or one is named twice."""
    if not columns:
        raise Mistake("value", "name at least one column")
    if twice := next((one for one in columns if columns.count(one) > 1), None):
        raise Mistake("value", f'the column "{twice}" is named twice')
    return columns


def known(names: Iterable[str], columns: Collection[str], where: str = "here") -> None:
    """Raise Mistake for the first name that is no column."""
    for name in names:
        if name not in columns:
            there = ", ".join(columns) or "none"
            raise Mistake(
                "unknown-column",
                f'there is no column "{name}" {where}{nearest(name, list(columns))}',
                f"the columns {where} are: {there}",
            )


def wrong_type(column: str, dtype: pl.DataType, wanted: str) -> Mistake:
    """The mistake of a column whose type does not suit: `name is of type string; a range is for numbers`."""
    return Mistake("column-type", f"{column} is of type {called(dtype)}; {wanted}")


def meaning(value: Json, dtype: pl.DataType, column: str) -> Any:
    """A value of the page as a value of this type; raises Mistake."""
    import polars as pl

    text = as_text(value)
    try:
        if dtype.is_integer():
            return int(text)
        if dtype.is_float():
            return float(text)
        if dtype == pl.Boolean:
            return {"true": True, "false": False}[text]
        if dtype == pl.Date:
            return date.fromisoformat(text)
        if isinstance(dtype, pl.Datetime):
            return read_instant(text) if dtype.time_zone else read_instant(text).replace(tzinfo=None)
        if dtype == pl.String:
            return text
    except (ValueError, KeyError):
        pass
    raise Mistake("value", f'"{text}" is not a value of {column}, which is of type {called(dtype)}')


def runs(wanted: pl.Expr, columns: Mapping[str, pl.DataType], otherwise: str) -> pl.DataType:
    """The type that an expression gives; raises Mistake where types do not fit.

    Polars checks types only when it runs, so it runs on no rows.
    """
    import polars as pl

    try:
        return pl.LazyFrame(schema=columns).select(wanted.alias("value")).collect().schema["value"]
    except pl.exceptions.PolarsError as error:
        raise Mistake("sql-type", f"{otherwise}: {str(error).splitlines()[0]}") from None


def fails_where(column: str, dtype: pl.DataType, test: Callable[[pl.Expr, pl.DataType], pl.Expr]) -> pl.Expr:
    """Where the test holds for the value, or for any element of a list; null never fails."""
    import polars as pl

    found = each_value(column, dtype, test)
    return (found.list.any() if isinstance(dtype, pl.List) else found).fill_null(False)


def each_value(column: str, dtype: pl.DataType, change: Callable[[pl.Expr, pl.DataType], pl.Expr]) -> pl.Expr:
    """The column with its value changed, or each element of its list."""
    import polars as pl

    if isinstance(dtype, pl.List):
        return pl.col(column).list.eval(change(pl.element(), as_type(dtype.inner))).alias(column)
    return change(pl.col(column), dtype).alias(column)


def as_type(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    """The inner type of a list or object, which Polars may give as a class."""
    return dtype() if isinstance(dtype, type) else dtype
