"""JMESPath on a page: read it, apply it, and translate it to Polars."""

from __future__ import annotations

from typing import Literal

from engine.core.jsontext import paired
from engine.core.select.expression import Jmes, SelectError, Selection, compile
from engine.core.select.fields import (
    TEXT,
    UNREAD,
    Column,
    Conflict,
    Fields,
    Refusal,
    Shape,
    guard,
    guard_of_one,
    leaf_text,
    merge,
    presumes,
    schema,
)
from engine.core.select.kinds import Seen, presumed, seen_in
from engine.core.select.mistakes import bare
from engine.core.select.raw import MISSING, Missing, raw_reader, split
from engine.core.select.taking import Records, Taken, Taking, taking, together

__all__ = [
    "MISSING",
    "TEXT",
    "UNREAD",
    "Column",
    "Conflict",
    "Fields",
    "Jmes",
    "Missing",
    "Records",
    "Refusal",
    "Seen",
    "SelectError",
    "Selection",
    "Shape",
    "Taken",
    "Taking",
    "bare",
    "compile",
    "guard",
    "guard_of_one",
    "leaf_text",
    "merge",
    "paired",
    "presumed",
    "presumes",
    "raw_reader",
    "schema",
    "seen_in",
    "split",
    "taking",
    "together",
    "translate",
]


def translate(
    text: str, *, of: Literal["scalar", "list", "json"], seen: Seen = None, kind: str = "string"
) -> Column | Refusal:
    """The expression as a Polars expression over the fields of a record, or why it has to be applied row by row.

    A scalar is one text, a list is a list of texts, json is the JSON of any value. Of what kind a value is, where that
    matters, is presumed: of what is `seen` in records, or else of the expression, or of a `kind` where it leaves that
    open. `guard` tells whether it holds.
    Raises Mistake when the text is no JMESPath.
    """
    from engine.core.select import columns  # loads polars, which lint does without

    return columns.translate(text, of=of, seen=seen, kind=kind)
