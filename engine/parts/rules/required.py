"""Columns that must have a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from engine.core.kinds import Check, Rule, View
from engine.parts._columns import Columns, known, one_or_more


class Required(Rule):
    """No row may be null in these columns. An empty text or list is a value; `null_values` makes texts null.

    All other rules let null pass, so name a column here as well where null is wrong.

    Example:
        - required: [id, api_id]
    """

    short: ClassVar[str | None] = "columns"
    columns: Annotated[Columns, AfterValidator(one_or_more)] = Field(description="The columns.")

    def checks(self, view: View) -> Sequence[Check]:
        """One check a column."""
        import polars as pl

        known(self.columns, view.columns)
        return [Check(f"required {name}", pl.col(name).is_null(), f"{name} is missing", name) for name in self.columns]

    def uses(self) -> Sequence[str]:
        """The columns."""
        return self.columns

    def suits(self, types: Mapping[str, str]) -> bool:
        """Always."""
        return True
