"""Names that must not reach the output."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BeforeValidator, Field

from engine.core.kinds import Check, Rule, View
from engine.core.values import Text
from engine.parts._columns import as_type

if TYPE_CHECKING:
    import polars as pl


class Forbid(Rule):
    """The table has no column of these names, and no value in it has such a key with a value, however deep.

    Looks into objects, lists of them, and texts that hold JSON. Upper and lower case differ.

    Example:
        - forbid: [consumerSecret, apiKeys, accessTokens]
    """

    short: ClassVar[str | None] = "names"
    names: Annotated[
        list[Text],
        BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=str | list[str]),
    ] = Field(min_length=1, description="The names.")

    def checks(self, view: View) -> Sequence[Check]:
        """One check for each column in which a key can hide; it shows no value."""
        import polars as pl

        checks = []
        for column, dtype in view.columns.items():
            found = self._found(pl.col(column), dtype)
            if found is not None:
                says = f"{column} holds a forbidden key: {' or '.join(self.names)}"
                checks.append(Check(f"forbid {column}", found.fill_null(False), says, hides=True))
        return checks

    def hides(self, text: pl.Expr) -> pl.Expr | None:
        """Where the text holds a forbidden key."""
        return text.str.contains(self._in_json())

    def finished(self, columns: Mapping[str, pl.DataType]) -> str | None:
        """Whether a column has a forbidden name."""
        named = [column for column in columns if column in self.names]
        return f"the table has a column with a forbidden name: {', '.join(named)}" if named else None

    def suits(self, types: Mapping[str, str]) -> bool:
        """Where no column has one of the names."""
        return not set(self.names) & set(types)

    def _found(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
        """Where a value of this type holds a forbidden key; None when it cannot."""
        import polars as pl

        if dtype == pl.String:
            return value.str.contains(self._in_json())
        if isinstance(dtype, pl.List):
            inner = self._found(pl.element(), as_type(dtype.inner))
            return None if inner is None else value.list.eval(inner).list.any()
        if isinstance(dtype, pl.Struct):
            found = [one for one in map(partial(self._in_field, value), dtype.fields) if one is not None]
            return pl.any_horizontal(found) if found else None
        return None

    def _in_field(self, value: pl.Expr, field: pl.Field) -> pl.Expr | None:
        inside = value.struct.field(field.name)
        return inside.is_not_null() if field.name in self.names else self._found(inside, as_type(field.dtype))

    def _in_json(self) -> str:
        """Texts that begin as JSON does and have such a key, also in JSON inside JSON; its value is not null."""
        names = "|".join(re.escape(json.dumps(name)[1:-1]) for name in self.names)
        return rf'^\s*[\[{{](?s:.)*"(?:{names})\\*"\s*:\s*[^n\s]'
