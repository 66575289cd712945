"""A table as it was made: its counts, its files, its rows that were set apart, and what `current.json` says of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from engine.core import jsontext
from engine.core.clock import rfc3339
from engine.core.errors import Json
from engine.core.sql.words import called
from engine.flow.frames import AT, Span, span_of
from engine.flow.plan import Plan
from engine.flow.publish import PartWriter, Receipt, Shelf
from engine.flow.units import RunInfo
from engine.flow.validate import Outcome
from engine.spec.model import Table

PARAM = re.compile(r"\bparam\.(\w+)")


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
    """A hash of what the page says of a table and its endpoints, with the params that it names.

    When it changes, the table is made anew.
    """
    endpoints = [plan.pipeline.endpoints[str(one)] for one in table.from_]
    said = [
        name,
        table.model_dump(mode="json", by_alias=True, serialize_as_any=True, exclude={"doc"}),
        [endpoint.model_dump(mode="json", include={"records"}) for endpoint in endpoints],
    ]
    text = jsontext.canonical(said)
    params = {one: str(plan.settings.params.get(one)) for one in sorted(set(PARAM.findall(text)))}
    return hashlib.sha256((text + (jsontext.canonical(params) if params else "")).encode()).hexdigest()[:16]


def finish(
    made: Made,
    writer: PartWriter,
    run: RunInfo,
    types: Mapping[str, Mapping[str, Json]],
    definition: str,
    taken: Mapping[str, str],
    base: Sequence[Receipt] = (),
    *,
    mode: str = "replace",
    fields: Sequence[str] = (),
) -> None:
    """Close the files of a table and say what `current.json` shall hold of it."""
    files = writer.finish()
    made.rows = writer.rows
    digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    made.entry = {
        "run": run.id,
        "mode": mode,
        "files": [file.as_json() for file in files],
        "base": [file.as_json() for file in base],
        "rows": made.rows,
        "sha256": digest,
        "schema": {
            name: types.get(name, {"type": called(kind)}) for name, kind in (writer.schema or pl.Schema()).items()
        },
        "fields": list(fields),
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
    paths: Mapping[str, str] | None = None,
) -> None:
    """Write the rows that broke a rule, each with rule, page line, request and kept page.

    With `paths`, column -> path, the request of what came from a file also says its row or cell.
    """
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
    if paths is not None and any(span.first for span in spans):
        found = rows.select(AT, "column").iter_rows()
        places = [span_of(spans, at).place(at, paths.get(column, "")) for at, column in found]
        rows = rows.with_columns(request=pl.Series(places, dtype=pl.String))
    writer = shelf.quarantine(name, run.id, run.mark)
    writer.add(rows.drop(AT).with_columns(run=pl.lit(run.id), at=pl.lit(rfc3339(run.started_at))))
    writer.finish()
