"""A table as it was made: its counts, its files, its rows that were set apart, and what `current.json` says of it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import polars as pl

from engine.core import jsontext
from engine.core.errors import Json, Mark
from engine.core.sql.words import called
from engine.flow.files import Files
from engine.flow.plan import Plan
from engine.flow.publish import PartWriter, Receipt
from engine.flow.units import RunInfo
from engine.flow.unpack import decode_of
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
    """Rows that this run set apart; those of earlier runs may still be, and some have come again since."""
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
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Column and why -> of how many records jmespath.py worked out what Polars was to."""

    def as_json(self) -> dict[str, Json]:
        """The table for reports."""
        return {
            "table": self.name,
            "rows": self.rows,
            "records_read": self.read,
            "quarantined": self.quarantined,
            "set_apart": (self.entry.get("quarantine") or {}).get("rows", 0),
            "repeated": self.repeated,
            "complete": self.complete,
            "kept_previous": self.kept,
            "notes": self.notes,
            "by_jmespath": [
                {"column": column or None, "records": records, "why": why}
                for (column, why), records in self.asked.most_common()
            ],
            "rules": [outcome.as_json() for outcome in self.outcomes],
        }

    def kept_json(self) -> dict[str, Json]:
        """All that is the same however often the run was killed, for the version; places are those on the page."""
        told = asdict(replace(self, entry={}))
        said = {name: value for name, value in told.items() if name not in ("entry", "asked")}
        for one in said["outcomes"]:
            del one["mark"]["file"]
        return said

    @classmethod
    def of(cls, said: Mapping[str, Json], entry: Mapping[str, Json], page: str) -> Made:
        """The table as `kept_json` said it, with its entry and the name of the page."""
        outcomes = [Outcome(**{**one, "mark": Mark(page, **one["mark"])}) for one in said["outcomes"]]
        return cls(**{**said, "outcomes": outcomes, "entry": dict(entry)})


def definition(plan: Plan, files: Files, name: str, table: Table, more: Json = None) -> str:
    """A hash of what the page says of a table and its endpoints, with the params that it names, and of what is `more`.

    So are the files that its rules read. When it changes, the table is made anew. Raises ConfigError without a file.
    """
    endpoints = [plan.pipeline.endpoints[str(one)] for one in table.from_]
    decoded = [{} if (decode := decode_of(one)).is_json else {"decode": decode.ways} for one in endpoints]
    contracts = (rule.filled(plan.settings.scope()) for rule in table.validate_ if rule.files())
    beside = {file: hashlib.sha256(files.bytes(file)).hexdigest() for rule in contracts for file in rule.files()}
    said = [
        name,
        table.model_dump(mode="json", by_alias=True, serialize_as_any=True, exclude={"doc"}),
        [endpoint.model_dump(mode="json", include={"records"}) for endpoint in endpoints],
    ]
    said += [redacts] if any(redacts := [_redacts(plan, str(one)) for one in table.from_]) else []
    said += [one for one in (decoded, beside) if any(one)]
    text = jsontext.canonical(said if more is None else [*said, more])
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
    key: Sequence[str] = (),
    fields: Sequence[str] = (),
) -> None:
    """Close the files of a table and say what `current.json` shall hold of it."""
    files = writer.finish()
    made.rows = writer.rows
    digest = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
    made.entry = {
        "run": run.id,
        "mode": mode,
        "key": list(key),
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


def _redacts(plan: Plan, endpoint: str) -> Json:
    """What pages that were kept before the page said so are still redacted of."""
    return [one.model_dump(mode="json") for one in plan.pipeline.endpoints[endpoint].redact]
