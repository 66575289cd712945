"""Old versions, reports, quarantine and kept pages leave the storage; what is current, unfinished or needed stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.app import log
from engine.app.spared import HOMES, Piece, Spared
from engine.core.clock import rfc3339
from engine.core.errors import ConfigError, Json, Mistake, StorageError, nearest
from engine.core.values import Duration
from engine.flow import gone
from engine.flow.files import Files
from engine.flow.lease import held, holder
from engine.flow.ledger import OPEN, Ledger
from engine.flow.plan import Plan
from engine.flow.storage import Storage

LONGEST = timedelta(days=36_500)
HOURS = "how old something must be, as hours or as a duration: 24, 36h or 7d"


@dataclass
class Cleaned:
    """What a cleanup took out of a storage, or would."""

    storage: Path
    dry_run: bool
    tools: list[dict[str, Json]] = field(default_factory=list)
    records: int = 0
    """Old records of errors that went out of the log."""

    def as_json(self) -> dict[str, Json]:
        """Everything, for `--json`."""
        freed = sum(piece["bytes"] for tool in self.tools for piece in tool["removed"])
        return {
            "storage": str(self.storage),
            "dry_run": self.dry_run,
            "freed_bytes": freed,
            "log_records": self.records,
            "tools": self.tools,
        }


@dataclass(frozen=True)
class Cleanup:
    """Cleans a storage up, one tool after the other, each while nobody else works on it."""

    storage: Storage
    before: datetime
    """What ended after this time stays."""
    resume_seconds: float
    plan_of: Callable[[str], tuple[Plan, Files] | None]
    """What a page says now, and the files beside it."""
    raw: bool = False
    dry_run: bool = False

    def clean(self, tools: Sequence[str]) -> Cleaned:
        """Clean up after these tools, or after all. Raises ConfigError for a tool that nothing is kept of."""
        root = self.storage.root
        if not (root / "storage.json").is_file():
            raise ConfigError(f"{root} is no storage", "name the storage with --storage, or run something first")
        if not self.storage.has_ledger:
            fix = "restore it from a backup; without it nobody knows what is still needed"
            raise StorageError(f"{root} has no ledger", fix)
        done = Cleaned(root, self.dry_run)
        with ExitStack() as stack:
            if not self.dry_run:
                stack.enter_context(gone.keeping(root, changes=True))
            ledger = self.storage.ledger(only_read=self.dry_run)
            stack.callback(ledger.close)
            for tool in self._chosen(ledger, tools):
                done.tools.append(self._tool(ledger, tool))
            if not self.dry_run:
                done.records = log.forget(root, self.before)
                gone.take_out(root, [*(root / "backups").glob(".*.tmp"), *(root / "backups").glob(".ledger-*")])
                gone.empty(root)
        return done

    def _chosen(self, ledger: Ledger, tools: Sequence[str]) -> list[str]:
        homes = [self.storage.root / home for home in HOMES]
        there = {path.name for home in homes if home.is_dir() for path in home.iterdir() if path.is_dir()}
        known = sorted(there | {one.tool for one in ledger.runs()})
        for tool in tools:
            if tool not in known:
                fix = f"it holds something of: {', '.join(known)}" if known else "nothing was ever kept there"
                raise ConfigError(f"{self.storage.root} holds nothing of {tool}{nearest(tool, known)}", fix)
        return list(dict.fromkeys(tools)) or known

    def _tool(self, ledger: Ledger, tool: str) -> dict[str, Json]:
        """What went and what stays of a tool; one that somebody works on is left alone."""
        told: dict[str, Json] = {"tool": tool, "skipped": "", "removed": [], "kept": []}
        with ExitStack() as stack:
            try:
                if self.dry_run and (busy := holder(self.storage.root, ledger, tool)):
                    return told | {"skipped": f"it is worked on: {busy}"}
                check = (
                    (lambda: None) if self.dry_run else stack.enter_context(held(self.storage.root, ledger, tool)).check
                )
            except StorageError:
                if (busy := holder(self.storage.root, ledger, tool)) is None:
                    raise
                return told | {"skipped": f"it is worked on: {busy}"}
            plan, files = (self.plan_of(tool) if self.raw else None) or (None, None)
            spared = Spared(self.storage, tool, ledger, self.before, self.resume_seconds, plan, files)
            pieces = spared.pieces(raw=self.raw)
            goes = [piece for piece in pieces if not piece.why]
            for name, some in (("removed", goes), ("kept", [piece for piece in pieces if piece.why])):
                told[name] = [piece.as_json(self.storage.root) for piece in some]
            if not self.dry_run:
                self._take_out(ledger, tool, goes, check)
        return told

    def _take_out(self, ledger: Ledger, tool: str, pieces: Sequence[Piece], check: Callable[[], None]) -> None:
        """Take pieces out so that at every instant nothing that is named is missing.

        A version goes before the rows that it names, and the ledger says that kept pages are cleaned up before they go.
        """
        by_kind: dict[str, list[Piece]] = {}
        for piece in pieces:
            by_kind.setdefault(piece.kind, []).append(piece)
        raw = by_kind.pop("raw", [])
        runs = {one.run: one for one in ledger.runs(tool)}
        for run in sorted({piece.run for piece in pieces}):  # else it could make again what goes
            if run in runs and runs[run].status in OPEN:
                ledger.abandon(run)
        for some in by_kind.values():
            gone.take_out(self.storage.root, [piece.place for piece in some], check)
        if raw:
            ledger.note_cleaned(tool, [(piece.run, piece.place.parent.name) for piece in raw], rfc3339(self.before))
            gone.take_out(self.storage.root, [piece.place for piece in raw], check)
        for home in HOMES:
            gone.prune(self.storage.root / home / tool)


def age(given: Any) -> timedelta:
    """How old something must be: a number of hours, or a duration as pages write it. Raises ConfigError."""
    text = str(given).strip()
    try:
        found = Duration.read(text if text[-1:].isalpha() else f"{text}h").delta
    except (Mistake, OverflowError):
        raise ConfigError(f'"{given}" is no age', f"write {HOURS}") from None
    if not found:
        raise ConfigError("what is not old at all would go too: an age of 0 is refused", f"write {HOURS}")
    return min(found, LONGEST)


def reasons(pieces: Iterable[Json]) -> Iterator[tuple[str, str, int, int]]:
    """Kind and reason of pieces, with how many they are and their bytes."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for piece in pieces:
        number, size = found.get((piece["kind"], piece["why"]), (0, 0))
        found[piece["kind"], piece["why"]] = number + 1, size + piece["bytes"]
    return ((kind, why, number, size) for (kind, why), (number, size) in found.items())
