"""Columns that no two rows may share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from engine.core.kinds import Rule
from engine.parts._columns import Columns, one_or_more


class Unique(Rule):
    """No two rows may have the same values in all of these columns. A row that is null in one of them passes.

    The first of such rows stays, in the order of the table; the others fail.

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
