"""Whether Polars may have read a value as a list of one, as it does where a list of texts is declared."""

from __future__ import annotations

import polars as pl

from engine.core import select


def declared(fields: select.Fields) -> select.Fields:
    """The fields that are lists of texts, or hold some."""
    return {name: shape for name, shape in fields.items() if _is_declared(shape)}


def _is_declared(shape: select.Shape) -> bool:
    if isinstance(shape, list):
        return isinstance(shape[0], str) or _is_declared(shape[0])
    return not isinstance(shape, str) and any(map(_is_declared, shape.values()))


def have_one(lists: select.Fields, read: pl.DataFrame) -> bool:
    """Whether one of these lists has a single element: only then it may have been no list."""
    return any(_has_one(shape, read[name]) for name, shape in lists.items())


def _has_one(shape: select.Shape, values: pl.Series) -> bool:
    if isinstance(shape, list):
        return (
            bool((values.list.len() == 1).any()) if isinstance(shape[0], str) else _has_one(shape[0], values.explode())
        )
    return not isinstance(shape, str) and any(
        _has_one(one, values.struct.field(name)) for name, one in declared(shape).items()
    )
