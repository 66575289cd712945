"""The types of columns in the words of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

WORDS = {"struct": "object", "duration": "length of time"}


def called(kind: pl.DataType) -> str:
    """A type as a page calls it: `integer`."""
    if kind.is_numeric():
        return "integer" if kind.is_integer() else "float"
    word = type(kind).__name__.lower()
    return WORDS.get(word, word)


def named(kind: pl.DataType | None) -> str:
    """The same in a sentence: `an integer`."""
    if kind is None:
        return "unknown"
    word = called(kind)
    return word if word == "null" else f"{'an' if word[0] in 'io' else 'a'} {word}"
