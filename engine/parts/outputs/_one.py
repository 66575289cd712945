"""What the outputs of one table share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from engine.core.kinds import Output
from engine.core.values import TableName


class OneTable(Output):
    """An output of one table, which its word may be followed by: `csv: findings`."""

    short: ClassVar[str | None] = "table"
    table: TableName = Field(description="The table that is written.")

    def tables(self) -> Sequence[str]:
        """The one table."""
        return (self.table,)
