"""An expression over one row, as one Polars expression with its type."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from sqlglot import exp

from engine.core.errors import Mistake
from engine.core.sql import syntax
from engine.core.sql.scope import TROUBLE, Scope, Source, sample, settle, write
from engine.core.sql.typed import walk


def compile(
    text: str, columns: Mapping[str, pl.DataType], constants: Mapping[str, object]
) -> tuple[pl.Expr, pl.DataType]:
    """The expression and its type. Raises Mistake."""
    row = Source({name: _instance(kind) for name, kind in columns.items()})
    root = exp.Paren(this=syntax.read_expression(text))
    tree = walk(root, Scope({"": row}, constants))
    made = _with_lifted(tree, row)
    try:
        found = sample(row.columns).select(made.alias("it")).schema["it"]
    except TROUBLE:
        raise Mistake("sql", "the types of this expression do not fit together") from None
    kind = settle(found, "this expression")
    return (made if kind == found else made.cast(kind)), kind


def _instance(kind: pl.DataType | type[pl.DataType]) -> pl.DataType:
    return kind() if isinstance(kind, type) else kind


def _with_lifted(tree: exp.Expr, row: Source) -> pl.Expr:
    """The expression, with the columns that it needs beside the row computed on the way."""
    lifted = dict(row.lifted)
    bare = tree.unnest()
    if len(lifted) == 1 and isinstance(bare, exp.Column) and bare.name in lifted:
        return lifted[bare.name]
    outer = pl.sql_expr(write(tree))
    if not lifted:
        return outer
    used = {name for one in (outer, *lifted.values()) for name in one.meta.root_names()} - lifted.keys()
    kind = _run(sample(row.columns).drop(lifted), lifted, outer).dtype
    whole = pl.struct(sorted(used)) if used else pl.struct(pl.lit(None).alias("nothing"))
    return whole.map_batches(
        lambda rows: _run(rows.struct.unnest(), lifted, outer), return_dtype=kind, is_elementwise=True
    )


def _run(rows: pl.DataFrame, lifted: Mapping[str, pl.Expr], outer: pl.Expr) -> pl.Series:
    for name, one in lifted.items():
        rows = rows.with_columns(one.alias(name))
    return rows.select(outer.alias("it")).to_series()
