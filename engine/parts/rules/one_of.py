"""A column that has only listed values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from engine.core.kinds import Check, Rule, View
from engine.core.values import ColumnName, Text
from engine.parts._columns import TEXTS, fails_where, known, meaning

SHOWN = 8


class OneOf(Rule):
    """The column has only these values; in a list, each element. Null passes.

    Example:
        - one_of: { column: severity, values: [low, medium, high, critical], level: warning }
    """

    column: ColumnName = Field(description="The column.")
    values: list[Text] = Field(min_length=1, description="The values, as they are written: `1.10` stays `1.10`.")

    def checks(self, view: View) -> Sequence[Check]:
        """The one check."""
        known([self.column], view.columns)
        fails = fails_where(
            self.column,
            view.columns[self.column],
            lambda value, dtype: ~value.is_in([meaning(one, dtype, self.column) for one in self.values]),
        )
        shown = ", ".join(self.values[:SHOWN]) + (", …" if len(self.values) > SHOWN else "")
        return [Check(f"one_of {self.column}", fails, f"{self.column} is not one of {shown}", self.column)]

    def uses(self) -> Sequence[str]:
        """The column."""
        return [self.column]

    def suits(self, types: Mapping[str, str]) -> bool:
        """Texts may have any value."""
        return types.get(self.column) in TEXTS
