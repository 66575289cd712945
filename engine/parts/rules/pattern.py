"""A column whose texts match a regular expression."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from engine.core.errors import Mistake
from engine.core.kinds import Check, Rule, View
from engine.core.values import ColumnName
from engine.parts._columns import TEXTS, fails_where, known, wrong_type

if TYPE_CHECKING:
    import polars as pl


ATOM = r"[\w ,:;/@=-]|\\[.dsw/-]|\[\^?([\w ,:;/@.]|a-z|A-Z|0-9|\\[.dsw/-])+-?\]"
PLAIN = re.compile(rf"\^?(({ATOM})([*+?]|\{{[0-9]\}})?)*\$?")
"""Regular expressions without groups that are surely right, where they are short: to try one loads Polars."""
SHORT = 60


def _regex(text: str) -> str:
    if len(text) <= SHORT and PLAIN.fullmatch(text):
        return text
    import polars as pl

    try:
        pl.Series([""]).str.contains(text)
    except pl.exceptions.ComputeError as error:
        reasons = [line.removeprefix("error: ") for line in str(error).splitlines() if line.startswith("error: ")]
        raise Mistake("regex", f"{text} is no regular expression: {'; '.join(reasons)}") from None
    return text


class Pattern(Rule):
    """The regular expression is found in the text; in a list, in each element. Null passes.

    Write `^` and `$` to bind it to the ends, `(?i)` in front to ignore case. Look-around and back-references are not
    known (the syntax is that of Rust's `regex`).

    Example:
        - pattern: { column: email, regex: '^[^@\\s]+@[^@\\s]+$' }
    """

    column: ColumnName = Field(description="The column: texts.")
    regex: Annotated[str, AfterValidator(_regex)] = Field(description="The regular expression.")

    def checks(self, view: View) -> Sequence[Check]:
        """The one check."""
        known([self.column], view.columns)
        fails = fails_where(self.column, view.columns[self.column], self._fails)
        return [Check(f"pattern {self.column}", fails, f"{self.column} does not match {self.regex}", self.column)]

    def _fails(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        import polars as pl

        if dtype != pl.String:
            raise wrong_type(self.column, dtype, "a pattern is for texts")
        return ~value.str.contains(self.regex)

    def uses(self) -> Sequence[str]:
        """The column."""
        return [self.column]

    def suits(self, types: Mapping[str, str]) -> bool:
        """Texts."""
        return types.get(self.column) in TEXTS
