"""SQL on a page: an expression over one row, or one SELECT over the page's tables, checked and made into Polars.

sqlglot and Polars are imported when a text is first looked into, so that reading a page stays quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.core.errors import Mistake
from engine.core.sql.functions import FUNCTIONS
from engine.core.values import Spelled

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "FUNCTIONS",
    "Constants",
    "Query",
    "Sql",
    "TableRef",
    "columns_of",
    "computed",
    "expression",
    "query",
    "query_type",
    "tables_of",
]

Constants = Mapping[str, object]
"""`run.started_at`, `param.base_url` … -> text, number, boolean, datetime (UTC), list of these, or None."""


class Sql(Spelled):
    """A SQL expression over the columns of one row: `score < 75 AND NOT passed`."""

    says = "a SQL expression over the columns of one row"

    @classmethod
    def check(cls, text: str) -> None:
        """Refuse an empty text; `expression` checks the rest, where the columns are known."""
        if not text.strip():
            raise Mistake("sql", f"this is empty, where {cls.says} is expected")


class Query(Sql):
    """One SELECT over the page's tables."""

    says = "one SELECT over the page's tables"


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table that a query reads; `"42crunch".apis` is called `42crunch.apis`, `offset` is its place in the text."""

    name: str
    offset: int


@lru_cache(1000)
def columns_of(text: str) -> frozenset[str]:
    """The columns an expression reads, without `run.…` and `param.…`. Raises Mistake."""
    from engine.core.sql import syntax

    return syntax.columns(syntax.read_expression(text))


@lru_cache(1000)
def tables_of(text: str) -> tuple[TableRef, ...]:
    """The tables a query reads, in the order of the text; its own WITH names are not among them. Raises Mistake."""
    from engine.core.sql import syntax

    return tuple(TableRef(name, offset) for name, offset in syntax.tables(syntax.read_query(text)))


def expression(text: str, columns: Mapping[str, pl.DataType], constants: Constants) -> tuple[pl.Expr, pl.DataType]:
    """The expression for Polars, with its type; its integers are Int64, its datetimes UTC. Raises Mistake.

    It cannot fail on data.
    """
    from engine.core.sql import rows

    return rows.compile(text, columns, constants)


def computed(
    texts: Mapping[str, tuple[str, pl.DataType | None]], columns: Mapping[str, pl.DataType], constants: Constants
) -> dict[str, tuple[pl.Expr, pl.DataType]]:
    """Expressions with their types, each over the columns and those before it; one that is declared becomes its type.

    Raises Mistake, whose message begins with the name, where an expression gives another type than is declared.
    """
    from engine.core.sql import rows

    return rows.computed(texts, columns, constants)


def query(text: str, *, tables: Mapping[str, pl.LazyFrame], constants: Constants) -> pl.DataFrame:
    """The rows of a query, in its own order; what that leaves open is ordered by all columns. Raises Mistake."""
    from engine.core.sql import queries

    return queries.run(text, tables, constants)


def query_type(
    text: str, schemas: Mapping[str, Mapping[str, pl.DataType]], constants: Constants
) -> dict[str, pl.DataType]:
    """The columns of a query with their types, found by running it on a sample row. Raises Mistake."""
    from engine.core.sql import queries

    return queries.types(text, schemas, constants)
