"""A column whose values are found in another table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from engine.core.kinds import Reference, Rule
from engine.core.values import ColumnName, TableName


class RefersTo(Rule):
    """Each value of the column is found in a column of another table; in a list, each element. Null passes.

    The table may be its own: then neither rows that are set apart count, nor those whose place another row took.

    Example:
        - refers_to: { column: api_id, table: apis, to: id }
    """

    column: ColumnName = Field(description="The column.")
    table: TableName = Field(description="The other table.")
    to: ColumnName = Field(description="The column of the other table.")

    def refers(self) -> Reference | None:
        """The other table."""
        return Reference(self.column, self.table, self.to)

    def uses(self) -> Sequence[str]:
        """The column."""
        return [self.column]

    def suits(self, types: Mapping[str, str]) -> bool:
        """Always."""
        return True
