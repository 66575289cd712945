"""What of a tool lies in a storage, and why each piece of it stays at a cleanup or may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from engine.core.clock import read_instant
from engine.core.errors import ConfigError, Json, StorageError
from engine.flow.files import Files
from engine.flow.gone import size_of
from engine.flow.ledger import OPEN, Collection, Ledger, RunRecord
from engine.flow.made import definition
from engine.flow.plan import Plan
from engine.flow.publish import VERSIONS, Shelf
from engine.flow.storage import Storage
from engine.flow.writing import read_json

HOMES = ("processed_data", "quarantine", "reports", "raw_data")
YOUNG = "not old enough"
CURRENT = "current"


@dataclass(frozen=True)
class Piece:
    """A folder or a file of one run that goes or stays as a whole."""

    kind: str
    """version, table, quarantine, report, raw or temporary."""
    place: Path
    run: str
    why: str
    """Why it stays; empty where it goes."""

    def as_json(self, root: Path) -> dict[str, Json]:
        """The piece for `--json`."""
        files, size = size_of(self.place)
        path = self.place.relative_to(root).as_posix()
        return {"kind": self.kind, "path": path, "run": self.run, "files": files, "bytes": size, "why": self.why}


@dataclass(frozen=True)
class Spared:
    """Judges what lies in a storage of one tool, on which nobody works meanwhile."""

    storage: Storage
    tool: str
    ledger: Ledger
    before: datetime
    """What ended after this time stays."""
    resume_seconds: float
    plan: Plan | None
    files: Files | None
    """What the page says now, and the files beside it; None where it cannot be read."""

    def pieces(self, *, raw: bool) -> list[Piece]:
        """All there is, each with why it stays; what goes first stands first."""
        found = [*self._versions(), *self._tables(), *self._quarantine(), *self._reports(), *self._temporary()]
        return [*found, *self._raw()] if raw else found

    # --- runs

    def _of_run(self, run: str) -> str:
        """Why whatever a run made stays; an empty text where its age is no reason for it."""
        record = self._records.get(run)
        if record and self._can_go_on(record):
            return "the run was interrupted and can go on"
        ended = record and (record.ended_at or record.beat_at or record.started_at)
        at = read_instant(ended) if ended else _began(run)
        if at is None:
            return "no run is called so"
        return YOUNG if at > self.before else ""

    def _can_go_on(self, record: RunRecord) -> bool:
        is_open = record.status in OPEN and not record.cancel
        return is_open and record.idle_seconds is not None and record.idle_seconds <= self.resume_seconds

    @cached_property
    def _records(self) -> Mapping[str, RunRecord]:
        return {one.run: one for one in self.ledger.runs(self.tool)}

    # --- what runs made

    def _versions(self) -> Iterator[Piece]:
        for run in self._shelf.versions():
            why = CURRENT if run == self._current.get("run") else self._of_run(run)
            yield Piece("version", self._shelf.home / VERSIONS / f"{run}.json", run, why)

    def _tables(self) -> Iterator[Piece]:
        for place in _folders(self._shelf.home, "*/*"):
            if place.parent.name != VERSIONS:
                why, age = self._named_by(place), self._of_run(place.name)
                yield Piece("table", place, place.name, why or age)
                if why and not age:
                    yield from (Piece("table", file, place.name, "") for file in self._unnamed(place))

    def _quarantine(self) -> Iterator[Piece]:
        home = self.storage.root / "quarantine" / self.tool
        for place in _folders(home, "*/*"):
            yield Piece("quarantine", place, place.name, self._named_by(place) or self._of_run(place.name))

    def _reports(self) -> Iterator[Piece]:
        home = self.storage.root / "reports" / self.tool
        latest = home / "latest.json"
        newest = read_json(latest, self.storage.seal)["run"] if latest.exists() else ""
        for place in _folders(home, "*"):
            why = "the newest reports" if place.name == newest else self._of_run(place.name)
            yield Piece("report", place, place.name, why)

    def _temporary(self) -> Iterator[Piece]:
        """What dead runs left behind: nobody else works on the tool now."""
        for home in HOMES:
            for pattern in ("**/.*.tmp", ".scratch-*"):
                for place in sorted((self.storage.root / home / self.tool).glob(pattern)):
                    yield Piece("temporary", place, "", "")

    def _unnamed(self, place: Path) -> list[Path]:
        """The files of a folder of rows that no version rests on; on others of them one may."""
        home = self._shelf.home
        return [file for file in sorted(place.glob("[!.]*")) if file.relative_to(home).as_posix() not in self._files]

    def _named_by(self, place: Path) -> str:
        """Why a folder of rows stays: which version rests on it."""
        return self._needed.get((place.parent.name, place.name), "")

    @cached_property
    def _needed(self) -> dict[tuple[str, str], str]:
        """(table, run) -> the version that rests on the rows which that run made."""
        found: dict[tuple[str, str], str] = {}
        for said in self._said:
            which = CURRENT if said.get("run") == self._current.get("run") else f"of the version {said.get('run')}"
            for name, entry in said.get("tables", {}).items():
                folders = {tuple(file["path"].split("/")[:2]) for file in (*entry["files"], *entry["base"])}
                found |= dict.fromkeys([(name, entry["run"]), *folders], which)
        return found

    @cached_property
    def _files(self) -> set[str]:
        """The files that a version rests on: a merged table goes on with those in which nothing changed."""
        entries = (entry for said in self._said for entry in said.get("tables", {}).values())
        return {file["path"] for entry in entries for file in (*entry["files"], *entry["base"])}

    @cached_property
    def _said(self) -> list[dict[str, Json]]:
        """The versions that stay, and what is current."""
        return [*map(self._shelf.version, (piece.run for piece in self._versions() if piece.why)), self._current]

    # --- kept pages

    def _raw(self) -> Iterator[Piece]:
        store = self.storage.store(self.tool)
        for endpoint in store.endpoints():
            needed = self._collections(endpoint)
            for run in store.runs(endpoint):
                unknown = "" if run in self._records else "the ledger knows of no such run"
                yield Piece("raw", store.home / endpoint / run, run, unknown or needed.get(run) or self._of_run(run))

    def _collections(self, endpoint: str) -> dict[str, str]:
        """Run -> why what it collected of an endpoint is still needed."""
        sealed = [one for one in self._sealed if one.endpoint == endpoint]
        chains = {one.run: _chain(one, sealed) for one in sealed}
        whole = max((one.run for one in sealed if one.complete), default="")
        first = min(chains[whole]) if whole else ""
        found = {}
        for one in sealed:
            if one.run >= first:
                found[one.run] = "the newest complete collection, or collected since"
            elif why := self._rests(endpoint, one.run):
                found[one.run] = why
            elif young := [run for run in chains[one.run] if self._of_run(run)]:
                found[one.run] = f"run {young[-1]} completes it"
        for one in sealed:  # what completes one another goes together
            for run in chains[one.run] if one.run in found else ():
                found.setdefault(run, f"belongs to run {one.run}")
        return found

    def _rests(self, endpoint: str, run: str) -> str:
        """Which table still needs what a run collected of an endpoint, and why."""
        entries = self._current.get("tables", {})
        names = [name for name, entry in entries.items() if endpoint in entry["taken"]]
        page = self.plan.pipeline if self.plan else None
        if page and endpoint in page.endpoints:
            names = page.table_of(endpoint) or [endpoint]
        if not names:
            return "no table was made of it yet"
        for name in names:
            entry = entries.get(name)
            if entry is None or run > entry["taken"].get(endpoint, ""):
                return f"{name} has not taken it yet"
            if entry["mode"] != "replace" and (why := self._remade(name, entry)):
                return why
        return ""

    def _remade(self, name: str, entry: Mapping[str, Json]) -> str:
        """Why a table that grows would be made anew of all that was collected."""
        try:
            self._shelf.paths([*entry["files"], *entry["base"]])
        except StorageError:
            return f"{name} rests on it: files of its version are gone or damaged"
        if any(one.table == name and one.holds(self.before) for one in self.ledger.waivers(self.tool)):
            return f"{name} rests on it: it is made anew when its waiver ends"
        table = self.plan.pipeline.tables.get(name) if self.plan else None
        more = [[], self.ledger.releases(self.tool).get(name, 0)]
        if self.plan and self.files and table:
            try:
                said = definition(self.plan, self.files, name, table, more if any(more) else None)
            except ConfigError as error:
                return f"{name} rests on it: {error.message}"
            return "" if said == entry["definition"] else f"{name} rests on it: the page now says something else of it"
        return ""

    @cached_property
    def _sealed(self) -> Sequence[Collection]:
        return self.ledger.collections(self.tool)

    @cached_property
    def _shelf(self) -> Shelf:
        return self.storage.shelf(self.tool)

    @cached_property
    def _current(self) -> dict[str, Json]:
        return self._shelf.current()


def _chain(one: Collection, sealed: Sequence[Collection]) -> set[str]:
    """The runs that together collected an endpoint: a completed one and those that complete it."""
    found = {one.run}
    while True:
        more = {each.run for each in sealed if each.completes in found}
        more |= {each.completes for each in sealed if each.run in found and each.completes}
        if more <= found:
            return found
        found |= more


def _began(run: str) -> datetime | None:
    """The time in the name of a run."""
    with suppress(ValueError):
        return datetime.strptime(run[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return None


def _folders(home: Path, pattern: str) -> Iterator[Path]:
    """The folders that a pattern finds, hidden ones aside."""
    for place in sorted(home.glob(pattern)):
        if place.is_dir() and not any(part.startswith(".") for part in place.relative_to(home).parts):
            yield place
