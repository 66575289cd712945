"""JMESPath on a page: read it, apply it, and translate it to Polars."""

from __future__ import annotations

from typing import Literal

from engine.core.jsontext import paired
from engine.core.select.expression import Jmes, SelectError, Selection, compile
from engine.core.select.fields import (
    TEXT,
    Column,
    Conflict,
    Fields,
    Refusal,
    Shape,
    leaf_text,
    list_guard,
    merge,
    schema,
)
from engine.core.select.raw import MISSING, Missing, raw_reader, split

__all__ = [
    "MISSING",
    "TEXT",
    "Column",
    "Conflict",
    "Fields",
    "Jmes",
    "Missing",
    "Refusal",
    "SelectError",
    "Selection",
    "Shape",
    "compile",
    "leaf_text",
    "list_guard",
    "merge",
    "paired",
    "raw_reader",
    "schema",
    "split",
    "translate",
]


def translate(text: str, *, of: Literal["scalar", "list"]) -> Column | Refusal:
    """The expression as a Polars expression over the fields of a record, or why it has to be applied row by row.

    A scalar is one text, a list is a list of texts. Raises Mistake when the text is no JMESPath.
    """
    from engine.core.select import columns  # loads polars, which lint does without

    return columns.translate(text, of=of)
