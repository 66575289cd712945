"""The files that an endpoint is read from, as an author may write it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.core.errors import Mistake
from engine.core.kinds import Area
from engine.core.values import CellRange, Text
from engine.spec.fields import Model, TextTemplate


def _ascending(rows: list[int]) -> list[int]:
    if any(row < 1 for row in rows) or rows != sorted(set(rows)):
        raise Mistake("value", f"{rows} are no rows of a header", "write the rows from top to bottom, as in [3, 4]")
    return rows


HeaderRows = Annotated[
    list[int],
    BeforeValidator(lambda v: [v] if isinstance(v, int) else v, json_schema_input_type=int | list[int]),
    AfterValidator(_ascending),
]


class FileSource(Model):
    """Files that are read instead of asking the vendor."""

    path: TextTemplate = Field(description="The file beside the page, or a pattern such as `exports/**/*.jsonl`.")
    format: Literal["jsonl", "json", "csv", "parquet", "xlsx"] | None = Field(
        None, description="What the files are; the ending of each says so unless said."
    )
    sheets: Annotated[list[Text], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = Field(
        [], description="Workbooks: the sheets, by name or by pattern (`Q* 2026`); the first unless said."
    )
    header_row: HeaderRows = Field(
        [],
        description="Workbooks: the row of the column names; several are joined, a merged cell names all it covers.",
    )
    range: CellRange | None = Field(None, description="Workbooks: the cells, header included: `B3:F200`, `B:F`, `B3:`.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _sheets_of_workbooks(self) -> FileSource:
        if (self.sheets or self.header_row or self.range) and self.format not in (None, "xlsx"):
            raise Mistake("file", f"a {self.format} file has no sheets, header_row or range", "leave them out")
        return self

    @property
    def area(self) -> Area:
        """The part of each sheet that is read."""
        return Area(tuple(self.header_row), self.range)
