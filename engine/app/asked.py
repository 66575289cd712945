"""What a run is asked for: by that, a run that was interrupted is told from one that is another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core import jsontext
from engine.core.errors import Json
from engine.spec.read import Source

if TYPE_CHECKING:
    from engine.flow.ledger import RunRecord
    from engine.flow.plan import Plan


@dataclass(frozen=True)
class Asked:
    """The page of a run with its settings, and what is to be done."""

    source: Source
    plan: Plan
    works: Sequence[str]
    only: Sequence[str] = ()
    schedule: str = ""
    seed: int | None = None
    """Of the simulated vendor; none where the real one is asked."""

    @property
    def tool(self) -> str:
        """The tool of the page."""
        return self.source.pipeline.tool

    @property
    def work(self) -> str:
        """The works as the ledger names them."""
        return "+".join(self.works)

    def noted(self, run: str) -> dict[str, Json]:
        """What the ledger keeps of it beside work, page hash and schedule; values of params are hashed with the run."""
        return {
            "page": str(Path(self.source.mark().file).resolve()),
            "params": {name: _hash(run, name, value) for name, value in self.plan.settings.params.items()},
            "only": sorted(self.only),
            "seed": self.seed,
            "endpoints": [one.name for one in self.plan.endpoints if not one.skipped],
        }

    def differences(self, record: RunRecord) -> list[str]:
        """What is asked for otherwise than in that run, in words."""
        before, now = record.asked or {}, self.noted(record.run)
        if not before:
            return ["an older engine began it"]
        found = ["the page has changed since"] if record.page_hash != self.source.hash else []
        params = {**before["params"], **now["params"]}
        other = [name for name in params if before["params"].get(name) != now["params"].get(name)]
        found += [f"{', '.join(other)} had another value"] if other else []
        found += [f"it was to {_words(record.work)}"] if record.work != self.work else []
        found += (
            [f"it asked for {', '.join(before['only']) or 'all endpoints'}"] if before["only"] != now["only"] else []
        )
        found += [f"it was {_by(record.schedule)}"] if record.schedule != self.schedule else []
        return found + (["the data was made up from another seed"] if before["seed"] != now["seed"] else [])


def _hash(run: str, name: str, value: Json) -> str:
    return hashlib.sha256(jsontext.canonical([run, name, str(value)]).encode()).hexdigest()[:16]


def _words(work: str) -> str:
    return work.replace("+", ", ")


def _by(schedule: str) -> str:
    return f"of the schedule {schedule}" if schedule else "of no schedule"
