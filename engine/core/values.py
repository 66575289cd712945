"""The small values that pages write: durations, rates, sizes and secrets, each with one spelling."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from engine.core.errors import Mistake

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
WHOLE_PARAM = re.compile(r"\$\{\s*param\.([A-Za-z_]\w*)\s*\}")


def param_of(text: str) -> str | None:
    """The param that a text stands for, when it is one whole `${param.name}`."""
    found = WHOLE_PARAM.fullmatch(text)
    return found[1] if found else None


class Spelled(str):
    """A text with a meaning: kept as the author wrote it, refused where it cannot be read.

    Subclasses check themselves in `check` and describe themselves to editors with `pattern` and `says`.
    """

    pattern = ""
    says = ""

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when the text cannot be read."""
        if cls.pattern and not re.fullmatch(cls.pattern, text):
            raise cls.wrong(f'"{text}"')

    @classmethod
    def wrong(cls, shown: str) -> Mistake:
        """What is wrong with a value that is none of its kind; what `says` has behind "write" is the mend."""
        what, _, write = cls.says.partition("; write ")
        return Mistake("value", f"{shown} is not {what}", write and f"write {write}")

    @classmethod
    def read(cls, value: Any) -> Self:
        """The value as this kind of text; raises Mistake."""
        if isinstance(value, Spelled) and cls is Spelled:
            return value  # type: ignore[return-value]  # already read as one of its kinds
        if not isinstance(value, str):
            raise cls.wrong(repr(value))
        cls.check(value)
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def source_text(value: Any) -> Any:
    """A scalar by its source text: `1.10` stays `1.10`, true is `true`; anything else as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return getattr(value, "text", str(value) if isinstance(value, (int, float)) else value)


Text = Annotated[str, BeforeValidator(source_text)]
"""A text, also where YAML sees a number or a boolean."""


class Duration(Spelled):
    """A length of time: `30s`, `15m`, `2h`, `7d`, `250ms`."""

    pattern = r"\d+(\.\d+)?(ms|s|m|h|d)"
    says = "a duration; write 30s, 15m, 2h or 7d"

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        digits = self.rstrip("msdh")
        return float(digits) * SECONDS[self[len(digits) :]]

    @property
    def delta(self) -> timedelta:
        """The duration as a timedelta."""
        return timedelta(seconds=self.seconds)


class Rate(Spelled):
    """So many requests in a time: `10/s`, `600/m`, `5000/h`."""

    pattern = r"\d+(\.\d+)?/(s|m|h|d)"
    says = "a rate; write 10/s, 600/m or 5000/h"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when the text cannot be read, or allows nothing."""
        super().check(text)
        if float(text.split("/")[0]) == 0:
            raise Mistake("value", f'"{text}" allows no request', "write a rate above 0, such as 10/s")

    @property
    def per_second(self) -> float:
        """Requests a second."""
        count, unit = self.split("/")
        return float(count) / SECONDS[unit]


class Size(Spelled):
    """A number of bytes: `5MB`, `200KB`."""

    pattern = r"\d+(B|KB|MB|GB)"
    says = "a size; write 200KB, 5MB or 1GB"

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        digits = self.rstrip("BKMG")
        return int(digits) * BYTES[self[len(digits) :]]


class Percent(Spelled):
    """A share: `1%`, `0.5%`."""

    pattern = r"(\d{1,2}(\.\d+)?|100(\.0+)?)%"
    says = "a share of at most 100%; write 1% or 0.5%"

    @property
    def share(self) -> float:
        """The share between 0 and 1."""
        return float(self[:-1]) / 100


class Secret:
    """A text that never prints itself; `reveal()` is called where a request is signed, nowhere else."""

    __slots__ = ("_text", "name")

    def __init__(self, text: str, name: str = "secret") -> None:
        self._text, self.name = text, name

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class ColumnName(Spelled):
    """A column of the table at hand."""

    pattern = r"[^\s]+"
    says = "the name of a column"


class TableName(Spelled):
    """A table of the page."""

    pattern = r"[a-z_][a-z0-9_]*"
    says = "the name of a table; write lower-case letters, digits and _"


class CellRange(Spelled):
    """A range of cells of a sheet."""

    pattern = r"[A-Z]{0,3}\d*:[A-Z]{0,3}\d*"
    says = "a range of cells; write B3:F200, B:F or B3:"


class EndpointName(Spelled):
    """An endpoint of the page."""

    pattern = r"[a-z_][a-z0-9_]*"
    says = "the name of an endpoint; write lower-case letters, digits and _"
