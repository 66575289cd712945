"""Rules and steps: what must hold for rows, and what is added to them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from engine.core.errors import Json, Level
from engine.core.kinds.part import Part
from engine.core.values import Percent

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Check:
    """One thing that must hold for each row; `fails` is true (never null) where it does not."""

    name: str
    fails: pl.Expr
    says: str
    """What is wrong, for a person: `score is above 10`."""
    column: str | None = None
    """Whose value is shown with a failing row."""
    hides: bool = False
    """Whether a failing row must not be shown at all."""


@dataclass(frozen=True)
class Reference:
    """A column whose values must be found in a column of another table."""

    column: str
    table: str
    to: str


@dataclass(frozen=True)
class View:
    """What a rule or step may know of its table: columns with types, typed constants for SQL, the run's start."""

    columns: Mapping[str, pl.DataType]
    constants: Mapping[str, object]
    started_at: datetime
    fields: Sequence[str] = ()
    """What its records hold, or its columns where the page leaves the records' other fields out."""
    fields_before: Sequence[str] | None = None
    """The same of the version before this one; None where there is none."""


class Rule(Part):
    """What must hold for rows or for a table. Each rule answers one of the questions below; the flow does the work."""

    kind: ClassVar[str] = "rules"
    level: Level = Field("error", description="error: the row goes to quarantine; warning: it stays and is counted.")
    tolerance: Percent = Field(
        Percent("0%"), description="The share of rows that may fail before an error-level rule fails the run."
    )

    def checks(self, view: View) -> Sequence[Check]:
        """What each row must meet."""
        return ()

    def unique(self) -> Sequence[str]:
        """The columns that no two rows may share."""
        return ()

    def refers(self) -> Reference | None:
        """The other table in which a value must be found."""
        return None

    def record_check(self, read: Callable[[str], bytes]) -> Callable[[Json], str | None] | None:
        """A check of the whole decoded record; gives what is wrong, or None. `read` gives a file beside the page."""
        return None

    def files(self) -> Sequence[str]:
        """The files beside the page that it reads: when one changes, the table is made anew."""
        return ()

    def totals(self) -> Mapping[str, pl.Expr]:
        """Aggregates over the whole table, each of which can be summed or maximised over parts: `sum_…`, `max_…`."""
        return {}

    def verdict(self, totals: Mapping[str, Any], view: View) -> str | None:
        """What is wrong with the table as a whole, or None."""
        return None

    def finished(self, columns: Mapping[str, pl.DataType]) -> str | None:
        """What is wrong with the columns of the table after enrichment, or None."""
        return None

    def hides(self, text: pl.Expr) -> pl.Expr | None:
        """Where the text of a record, or of a value in it, must not be shown; None when it always may."""
        return None

    def uses(self) -> Sequence[str]:
        """The columns it names, for lint."""
        return ()

    def suits(self, types: Mapping[str, str]) -> bool:
        """Whether it surely goes with a table of these columns, in the declared types of a page, if it has all it uses.

        Where it does, lint need not try it, for which Polars is loaded; False says only that it must be tried.
        """
        return False


@dataclass(frozen=True)
class Area:
    """The part of a sheet that is read."""

    header_row: tuple[int, ...] = ()
    """The rows of the column names, counted from 1; the first of the range unless said."""
    range: str | None = None
    """`B3:F200`, header included."""


@dataclass(frozen=True)
class Lookup:
    """A table in a file beside the page: csv, parquet or sheets of a workbook."""

    file: str
    sheet: str | None = None
    """The name of a sheet, or a pattern."""
    area: Area = Area()


@dataclass(frozen=True)
class Given:
    """What a step may use besides its rows."""

    view: View
    table: Callable[[str], pl.LazyFrame]
    """The rows of another table of the page, after its own enrichment."""
    lookup: Callable[[Lookup], pl.DataFrame]
    """The rows of a file, all columns as text unless the file is typed."""
    kept: dict[object, Any] = field(default_factory=dict)
    """What a step made of another table or file, for the next part of the same table's rows."""


class Step(Part):
    """What is added to or changed on a table's rows. It keeps the rows' order; `lazy` in, lazy out."""

    kind: ClassVar[str] = "steps"

    @abstractmethod
    def apply(self, rows: pl.LazyFrame, given: Given) -> pl.LazyFrame:
        """The rows after the step. Raises Mistake when the page asks for what is not there."""

    def table(self) -> str | None:
        """The other table it reads."""
        return None

    def lookup(self) -> Lookup | None:
        """The file it reads."""
        return None

    def masks(self) -> Sequence[str]:
        """The columns whose values must not be shown as they came."""
        return ()

    def renames(self) -> Mapping[str, str]:
        """Column -> its new name."""
        return {}
