"""Lints of what reports draw: columns that their table does not have, and numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from engine.core.errors import Mistake
from engine.core.sql.words import called
from engine.core.values import ColumnName, TableName
from engine.spec.lint.look import Found, Look, leaves, missing
from engine.spec.read import Loc

NUMBERS = {"y", "value", "scale", "bars"}
"""The settings that name a column of numbers."""
COUNTED = {"integer", "float", "boolean"}


def wrong_charts(look: Look, outputs: Mapping[str, Mapping[str, Any] | None]) -> Iterator[Found]:
    """A chart or another setting of a report names a column that is not there, or one without the numbers it draws.

    The columns of each table are given with their types: the words of the page, empty where it says none, or Polars'.
    """
    for name, output in look.pipeline.reports.items():
        sheets: Mapping[str, TableName] = getattr(output, "sheets", {})
        for path, model in _models(output, ("reports", name, type(output).word)):
            table = getattr(model, "table", None) or sheets.get(getattr(model, "sheet", ""))
            columns = outputs.get(table) if isinstance(table, TableName) else None
            if columns is None:
                continue
            named = [(place, text) for place, text in leaves(model, path) if isinstance(text, ColumnName)]
            yield from missing(named, columns, f"in {table}")
            for place, column in named:
                kind = columns.get(column, "")
                word = kind if isinstance(kind, str) else called(kind)
                if {*place[len(path) :]} & NUMBERS and word not in ("", "null", *COUNTED):
                    fix = "give its column type: integer or float, or name another"
                    yield Found(place, Mistake("column-type", f"{column} is of type {word}: it holds no numbers", fix))


def _models(value: Any, path: Loc) -> Iterator[tuple[Loc, BaseModel]]:
    if isinstance(value, BaseModel):
        yield path, value
        for name, info in type(value).model_fields.items():
            yield from _models(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from _models(one, (*path, number))
