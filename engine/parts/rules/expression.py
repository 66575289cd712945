"""SQL conditions that hold for each row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, model_validator

from engine.core.errors import Mistake
from engine.core.kinds import Check, Rule, View
from engine.core.sql import Sql, columns_of, expression
from engine.core.sql.words import called


class Expression(Rule):
    """Each condition is true for each row. One that is null, because a value it needs is null, passes, as in SQL.

    The names stand in the report. With a level or a tolerance, the conditions go below `checks`.

    Example:
        - expression: { updated_after_created: updated_at >= created_at }
        - expression: { checks: { fixed_in_time: "fixed_at < due_at" }, level: warning }
    """

    short: ClassVar[str | None] = "checks"
    conditions: dict[str, Sql] = Field(min_length=1, alias="checks", description="Name -> SQL condition.")

    @model_validator(mode="before")
    @classmethod
    def _not_mixed(cls, value: Any) -> Any:
        if isinstance(value, dict) and (others := set(value) - {"checks", "level", "tolerance"}):
            raise Mistake(
                "expression",
                f"conditions stand beside a level or tolerance: {', '.join(sorted(map(str, others)))}",
                "put the conditions below checks: { checks: { name: condition }, level: warning }",
            )
        return value

    def checks(self, view: View) -> Sequence[Check]:
        """One check a condition."""
        return [self._check(name, sql, view) for name, sql in self.conditions.items()]

    def _check(self, name: str, sql: Sql, view: View) -> Check:
        import polars as pl

        holds, dtype = expression(sql, view.columns, view.constants)
        if dtype != pl.Boolean:
            raise Mistake("sql-type", f"{sql} gives a value of type {called(dtype)}", "write what is true or false")
        # A condition on params alone is one value; beside a column of the length of the table it is one for each row.
        return Check(name, pl.repeat(False, pl.len()) | (~holds).fill_null(False), f"{sql} does not hold")

    def uses(self) -> Sequence[str]:
        """The columns of all conditions."""
        return sorted({column for sql in self.conditions.values() for column in columns_of(sql)})
