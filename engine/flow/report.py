"""What a run did: counts, times, findings and receipts, as JSON and as one screen of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from engine.core.clock import rfc3339
from engine.core.errors import CollectionError, Json
from engine.flow.ledger import Collection
from engine.flow.made import Made
from engine.flow.validate import Outcome

Status = Literal["succeeded", "rules_failed", "incomplete", "failed", "interrupted", "cancelled"]
EXITS = {"succeeded": 0, "rules_failed": 4, "incomplete": 3, "interrupted": 130, "cancelled": 130, "failed": 1}


@dataclass
class Result:
    """The outcome of a run; it has the same form for every command."""

    tool: str
    run: str
    started_at: datetime
    simulated: bool = False
    status: Status = "succeeded"
    duration_seconds: float = 0.0
    collections: Sequence[Collection] = ()
    tables: Sequence[Made] = ()
    reports: dict[str, str] = field(default_factory=dict)
    """Report -> path."""
    failures: list[CollectionError] = field(default_factory=list)
    """Why something could not be collected; `errors` holds their records."""
    errors: list[dict[str, Json]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    exit_code: int = 0
    storage: str = ""
    resumed_from: str = ""
    """Where a run that was interrupted went on, in words."""
    starts_anew: str = ""
    """Why a run that was interrupted did not go on with this one, in words."""
    completes: str = ""
    """The incomplete run of which this one fetches what is missing."""
    replays: str = ""
    """The run from whose kept pages this one makes its tables."""

    @property
    def records_collected(self) -> int:
        """Records that the vendor gave, repeats at page borders not counted."""
        return sum(one.rows for one in self.collections)

    @property
    def records_processed(self) -> int:
        """Rows in the tables that were made."""
        return sum(made.rows for made in self.tables if not made.kept)

    @property
    def quarantined(self) -> int:
        """Rows that broke an error-level rule."""
        return sum(made.quarantined for made in self.tables)

    def settle(self) -> None:
        """Set status and exit code from what happened."""
        if any(one.missing for one in self.collections) or any(made.missing for made in self.tables):
            self.status = "incomplete"
        elif any(not outcome.passed and outcome.level == "error" for made in self.tables for outcome in made.outcomes):
            self.status = "rules_failed"
        self.exit_code = EXITS[self.status]

    def as_json(self) -> dict[str, Json]:
        """Everything, for `--json`, the ledger and the report folder."""
        return {
            "tool": self.tool,
            "run": self.run,
            "status": self.status,
            "exit_code": self.exit_code,
            "simulated": self.simulated,
            "resumed_from": self.resumed_from or None,
            "starts_anew": self.starts_anew or None,
            "completes": self.completes or None,
            "replays": self.replays or None,
            "started_at": rfc3339(self.started_at),
            "duration_seconds": round(self.duration_seconds, 3),
            "records_collected": self.records_collected,
            "records_processed": self.records_processed,
            "quarantined": self.quarantined,
            "endpoints": [
                {
                    "endpoint": one.endpoint,
                    "pages": one.pages,
                    "records": one.rows,
                    "complete": one.complete,
                    "missing": list(one.missing),
                    "skipped": list(one.skipped),
                }
                for one in self.collections
            ],
            "tables": [made.as_json() for made in self.tables],
            "reports": self.reports,
            "errors": self.errors,
            "notes": self.notes,
            "storage": self.storage,
        }

    def warnings(self) -> list[str]:
        """What the reader of a report must know: skips, gaps, failed rules."""
        found = [*self.notes]
        for one in self.collections:
            found += told(one)
        for made in self.tables:
            if made.kept:
                found.append(f"{made.name} keeps its version before: {'; '.join(made.notes) or 'nothing whole came'}")
            found += [f"{made.name} {_told(outcome)}" for outcome in made.outcomes if outcome.is_told]
        return list(dict.fromkeys(found))


def told(one: Collection) -> list[str]:
    """What is missing of a collection, in words."""
    skipped = [f"{one.endpoint} skipped: {text}" for text in one.skipped]
    return skipped + [f"{one.endpoint} incomplete: {text}" for text in one.missing]


def _told(outcome: Outcome) -> str:
    rows = [f"{outcome.failed:,} of {outcome.checked:,} rows"] if outcome.failed else []
    are = "row is" if outcome.waived == 1 else "rows are"
    rows += [f"{outcome.waived:,} {are} waived"] if outcome.waived else []
    said = filter(None, [", ".join(rows), outcome.verdict or outcome.says])
    tolerated = ", tolerated" if outcome.level == "error" and outcome.failed and outcome.passed else ""
    return f"{outcome.rule} ({outcome.level}{tolerated}): {': '.join(said)}"
