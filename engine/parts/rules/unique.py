"""Columns that no two rows may share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from engine.core.kinds import Rule
from engine.parts._columns import Columns, one_or_more


class Unique(Rule):
    """No two rows may have the same values in all of these columns. A row that is null in one of them passes.

    The row that arrived first stays, the others fail. Only rows of the table count: none that is set apart, and none
    whose place another row took.

    Example:
        - unique: [api_id, id]
    """

    short: ClassVar[str | None] = "columns"
    columns: Annotated[Columns, AfterValidator(one_or_more)] = Field(description="The columns, taken together.")

    def unique(self) -> Sequence[str]:
        """The columns."""
        return self.columns

    def uses(self) -> Sequence[str]:
        """The columns."""
        return self.columns

    def suits(self, types: Mapping[str, str]) -> bool:
        """Always."""
        return True
