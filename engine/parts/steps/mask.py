"""Values that nobody shall read, made unreadable."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from engine.core.errors import ConfigError, Mistake
from engine.core.kinds import Given, Step
from engine.core.template import Template, compile
from engine.core.values import ColumnName, Secret
from engine.parts._columns import each_value, known, wrong_type

if TYPE_CHECKING:
    import polars as pl

LONG_ENOUGH = 8
"""How many characters a text has at least before four of them are shown."""


class Mask(Step):
    """Replaces each value by a code; in a list, each element. The column is text afterwards. Null stays null.

    Equal values get equal codes, so that tables can still be joined and counted. `hmac` (HMAC-SHA-256) cannot be
    undone without the secret; `hash` (SHA-256) can by trying, where the possible values are few, such as e-mail
    addresses. `last4` shows the last four characters of texts of at least eight, of others none.

    Example:
        - mask: { column: owner_email, hmac: "${secret.pepper}" }
        - mask: { column: key, with: last4 }
    """

    column: ColumnName = Field(description="The column.")
    hmac: Template | SkipJsonSchema[Secret] | None = Field(None, description="The secret of the code.")
    with_: Literal["hash", "last4"] | None = Field(None, alias="with", description="Or: a code that needs no secret.")

    @model_validator(mode="after")
    def _one_way(self) -> Mask:
        if (self.hmac is None) == (self.with_ is None):
            raise Mistake("mask", "a mask has hmac or with", 'write hmac: "${secret.NAME}", with: hash or with: last4')
        if isinstance(self.hmac, Template) and all(one.namespace != "secret" for one in compile(self.hmac).references):
            raise Mistake("mask", "hmac needs a secret, not a text of the page", 'write hmac: "${secret.NAME}"')
        return self

    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows with the codes."""
        columns = rows.collect_schema()
        known([self.column], columns)
        return rows.with_columns(each_value(self.column, columns[self.column], self._masked))

    def masks(self) -> Sequence[str]:
        """The column."""
        return (self.column,)

    def _masked(self, value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        import polars as pl

        if dtype.is_nested():
            raise wrong_type(self.column, dtype, "a mask is for texts, numbers and lists of them")
        text = value.cast(pl.String)
        if self.with_ == "last4":
            end = pl.when(text.str.len_chars() >= LONG_ENOUGH).then(text.str.slice(-4)).otherwise(pl.lit(""))
            return pl.when(text.is_not_null()).then(pl.lit("****") + end)
        return text.map_batches(partial(_coded, self._code), return_dtype=pl.String, is_elementwise=True)

    def _code(self, text: bytes) -> str:
        if self.with_:
            return hashlib.sha256(text).hexdigest()
        if not isinstance(self.hmac, Secret):  # an optional one; the text of the template must never be the secret
            raise ConfigError(f"the secret that masks {self.column} is not set", "set it, or write with: hash")
        return hmac.digest(self.hmac.reveal().encode(), text, "sha256").hex()


def _coded(code: Callable[[bytes], str], texts: pl.Series) -> pl.Series:
    """Each text's code, made once for equal texts."""
    import polars as pl

    codes = {text: code(text.encode()) for text in texts.unique() if text is not None}
    return pl.Series(texts.name, [codes.get(text) for text in texts], dtype=pl.String)
