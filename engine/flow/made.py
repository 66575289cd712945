"""A table as it was made: its counts, its files, its rows that were set apart, and what `current.json` says of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from engine.core import jsontext
from engine.core.clock import rfc3339
from engine.core.errors import Json
from engine.flow.frames import AT, Span
from engine.flow.plan import Plan
from engine.flow.publish import PartWriter, Receipt, Shelf
from engine.flow.units import RunInfo
from engine.flow.validate import Outcome
from engine.spec.model import Table


@dataclass
class Made:
    """A table as it was made."""

    name: str
    rows: int = 0
    read: int = 0
    """Records that were read for it."""
    quarantined: int = 0
    repeated: int = 0
    """Rows that came again with the same key and content."""
    complete: bool = True
    missing: bool = False
    """Whether something could not be fetched of what it is made of."""
    kept: bool = False
    """Whether the version that was there before stays current."""
    notes: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    entry: dict[str, Json] = field(default_factory=dict)
    """What `current.json` says of it."""

    def as_json(self) -> dict[str, Json]:
        """The table for reports."""
        return {
            "table": self.name,
            "rows": self.rows,
            "records_read": self.read,
            "quarantined": self.quarantined,
            "repeated": self.repeated,
            "complete": self.complete,
            "kept_previous": self.kept,
            "notes": self.notes,
            "rules": [outcome.as_json() for outcome in self.outcomes],
        }


def definition(plan: Plan, name: str, table: Table) -> str:
    """A hash of what the page says of a table and its endpoints: when it changes, the table is made anew."""
    said = [name, table.model_dump(mode="json", by_alias=True, serialize_as_any=True, exclude={"doc"})]
    return hashlib.sha256(jsontext.canonical(said).encode()).hexdigest()[:16]


def finish(
    made: Made,
    writer: PartWriter,
    run: RunInfo,
    types: Mapping[str, Mapping[str, Json]],
    definition: str,
    taken: Mapping[str, str],
    base: Sequence[Receipt] = (),
) -> None:
    """Close the files of a table and say what `current.json` shall hold of it."""
    files = writer.finish()
    made.rows = writer.rows
    digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    made.entry = {
        "run": run.id,
        "files": [file.as_json() for file in files],
        "base": [file.as_json() for file in base],
        "rows": made.rows,
        "sha256": digest,
        "schema": {
            name: types.get(name, {"type": _word(kind)}) for name, kind in (writer.schema or pl.Schema()).items()
        },
        "complete": made.complete,
        "notes": made.notes,
        "definition": definition,
        "taken": dict(taken),
    }


def quarantine(
    shelf: Shelf,
    name: str,
    run: RunInfo,
    broken: pl.DataFrame,
    spans: Sequence[Span] = (),
) -> None:
    """Write the rows that broke a rule, each with rule, page line, request and kept page."""
    rows = broken.sort(AT, "spec", "says", maintain_order=True)
    if spans:
        pages = pl.DataFrame(
            {
                AT: [span.start for span in spans],
                "endpoint": [span.endpoint for span in spans],
                "collected_in": [span.run for span in spans],
                "page": [span.number for span in spans],
                "request": [span.request for span in spans],
            },
            schema_overrides={AT: pl.UInt64},
        ).with_columns(first=pl.col(AT))
        rows = (
            rows.join_asof(pages, on=AT).with_columns(row=(pl.col(AT) - pl.col("first")).cast(pl.Int64)).drop("first")
        )
    writer = shelf.quarantine(name, run.id)
    writer.add(rows.drop(AT).with_columns(run=pl.lit(run.id), at=pl.lit(rfc3339(run.started_at))))
    writer.finish()


def _word(kind: pl.DataType) -> str:
    """The language's word for a type of Polars."""
    if kind == pl.Boolean:
        return "boolean"
    if kind.is_integer():
        return "integer"
    if kind.is_float():
        return "float"
    if isinstance(kind, pl.Datetime):
        return "datetime"
    if kind == pl.Date:
        return "date"
    return "list" if isinstance(kind, pl.List) else "string"
