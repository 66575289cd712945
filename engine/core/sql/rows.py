"""An expression over one row, as one Polars expression with its type."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from sqlglot import exp

from engine.core.errors import Mistake
from engine.core.sql import syntax
from engine.core.sql.scope import TROUBLE, Scope, Source, sample, settle, write
from engine.core.sql.typed import walk
from engine.core.sql.words import named


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


def computed(
    texts: Mapping[str, tuple[str, pl.DataType | None]],
    columns: Mapping[str, pl.DataType],
    constants: Mapping[str, object],
) -> dict[str, tuple[pl.Expr, pl.DataType]]:
    """Expressions with their types, each over the columns and those before it. Raises Mistake."""
    known, found = dict(columns), {}
    for name, (text, declared) in texts.items():
        made, kind = compile(text, known, constants)
        wanted = declared or (pl.List(pl.String()) if isinstance(kind, pl.List) else kind)
        lists = isinstance(kind, pl.List) and isinstance(wanted, pl.List)
        if kind != wanted and not lists and not (kind.is_integer() and wanted.is_float()):
            message = f"{name} is declared {named(wanted)}, its SQL gives {named(kind)}"
            raise Mistake("column-type", message, "declare what it gives, or change the SQL")
        found[name] = (made if kind == wanted else made.cast(wanted)), wanted
        known[name] = wanted
    return found


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
