"""Other names for columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from engine.core.errors import Mistake
from engine.core.kinds import Given, Step
from engine.core.values import ColumnName
from engine.parts._columns import known

if TYPE_CHECKING:
    import polars as pl


class Rename(Step):
    """Gives columns other names; they keep their places.

    Example:
        - rename: { ts: updated_at }
    """

    short: ClassVar[str | None] = "columns"
    columns: dict[ColumnName, ColumnName] = Field(min_length=1, description="Name -> new name.")

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the new names."""
        columns = rows.collect_schema().names()
        known(self.columns, columns)
        names = [self.columns.get(ColumnName(name), name) for name in columns]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise Mistake("column-exists", f'two columns would be called "{twice}"')
        return rows.rename({str(old): str(new) for old, new in self.columns.items()})

    def renames(self) -> Mapping[str, str]:
        """The new names."""
        return {str(old): str(new) for old, new in self.columns.items()}
