"""Two versions of a tool's tables beside one another: rows, rules and columns that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.app.compare import Comparison, Rows
from engine.core.errors import ConfigError, Json, nearest
from engine.flow.made import Made
from engine.flow.publish import Shelf
from engine.flow.storage import Storage

LATEST, PREVIOUS = "latest", "previous"
JSON_LIMIT = 1_000
"""So many changes of each table stand in one document, where nobody said otherwise."""
SHOWN_RUNS = 5


@dataclass(frozen=True)
class Version:
    """What the tables of a tool were after one run."""

    shelf: Shelf
    said: Mapping[str, Json]

    @property
    def run(self) -> str:
        """The run that made it."""
        return str(self.said["run"])

    @property
    def tables(self) -> Mapping[str, Json]:
        """Table -> what `current.json` said of it."""
        found: Mapping[str, Json] = self.said["tables"]
        return found

    def about(self) -> dict[str, Json]:
        """The version in short."""
        return {name: self.said[name] for name in ("run", "at", "complete", "simulated")}

    def rules(self, table: str) -> dict[tuple[str, int], dict[str, Json]]:
        """(rule, how many of that word stood before it) -> its outcome, also where the table was kept from before."""
        entry = self.tables[table]
        said = self.said if entry["run"] == self.run else self.shelf.version(entry["run"])
        numbered: dict[tuple[str, int], dict[str, Json]] = {}
        for one in said.get("made", ()):
            if one["name"] != table:
                continue
            for outcome in Made.of(one, entry, f"{self.shelf.tool}.yaml").outcomes:
                number = sum(word == outcome.rule for word, _ in numbered)
                numbered[outcome.rule, number] = outcome.as_json()
        return numbered


@dataclass(frozen=True)
class TableDifference:
    """One table in two versions."""

    name: str
    old: Version
    new: Version

    @cached_property
    def state(self) -> str:
        """Whether the table was added, removed, is the same, or (its rows, rules or columns) changed."""
        if self.name not in self.old.tables:
            return "added"
        if self.name not in self.new.tables:
            return "removed"
        rows = self.counts
        differs = rows["added"] or rows["removed"] or rows["changed"] or self.schema or self.rules
        return "changed" if differs else "same"

    @property
    def before(self) -> Mapping[str, Json]:
        """What the old version says of it; nothing where it was not there."""
        return self.old.tables.get(self.name) or {}

    @property
    def after(self) -> Mapping[str, Json]:
        """What the new version says of it."""
        return self.new.tables.get(self.name) or {}

    @property
    def key(self) -> list[str]:
        """The columns by which rows are known again; none where one of the versions lacks any of them."""
        key = self.after.get("key") or self.before.get("key") or []
        return key if all(name in one.get("schema", {}) for name in key for one in (self.before, self.after)) else []

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows were added, removed and changed, and how many are the same."""
        rows = {"added": self.after.get("rows", 0), "removed": self.before.get("rows", 0), "changed": 0, "same": 0}
        if self._is_one_file:
            return {**rows, "added": 0, "removed": 0, "same": rows["added"]}
        return self._comparison.counts if self._has_rows else rows

    def changes(self, limit: int | None = None) -> Iterator[dict[str, Json]]:
        """Each row that was added, removed or changed; none of a table that was itself added or removed."""
        if not self._has_rows or self._is_one_file:
            return iter(())
        return self._comparison.changes(limit)

    @cached_property
    def schema(self) -> dict[str, Json]:
        """The columns that were added, removed or retyped; nothing where there are none."""
        if not (self.before and self.after):
            return {}
        old, new = ({name: kind["type"] for name, kind in one["schema"].items()} for one in (self.before, self.after))
        found = {
            "added": {name: kind for name, kind in new.items() if name not in old},
            "removed": {name: kind for name, kind in old.items() if name not in new},
            "retyped": {n: {"from": old[n], "to": kind} for n, kind in new.items() if n in old and old[n] != kind},
        }
        return found if any(found.values()) else {}

    @cached_property
    def rules(self) -> list[dict[str, Json]]:
        """The rules whose verdict or number of failing rows is another, with both outcomes."""
        if not (self.before and self.after):
            return []
        old, new = self.old.rules(self.name), self.new.rules(self.name)
        return [
            {"rule": which[0], "from": old.get(which), "to": new.get(which)}
            for which in dict.fromkeys([*old, *new])
            if _verdict(old.get(which)) != _verdict(new.get(which))
        ]

    def about(self) -> dict[str, Json]:
        """All but the rows."""
        return {
            "table": self.name,
            "state": self.state,
            "key": self.key,
            "rows": {"from": self.before.get("rows"), "to": self.after.get("rows")},
            "complete": {"from": self.before.get("complete"), "to": self.after.get("complete")},
            "kept_from": self.after["run"] if self.after and self.after["run"] != self.new.run else None,
            "counts": self.counts,
            "schema": self.schema or None,
            "rules": self.rules,
        }

    @property
    def _is_one_file(self) -> bool:
        """Whether both versions hold the very same bytes."""
        return bool(self.before) and self.before.get("sha256") == self.after.get("sha256")

    @property
    def _has_rows(self) -> bool:
        """Whether there are columns by which the rows of both can be compared."""
        return bool(set(self.before.get("schema", ())) & set(self.after.get("schema", ())))

    @cached_property
    def _comparison(self) -> Comparison:
        return Comparison(Rows(self.old.shelf, self.before), Rows(self.new.shelf, self.after), self.key)


@dataclass(frozen=True)
class Differences:
    """What differs between the tables of two versions."""

    tool: str
    old: Version
    new: Version
    tables: Sequence[TableDifference]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return all(table.state == "same" for table in self.tables)

    def about(self) -> dict[str, Json]:
        """The two versions."""
        return {"tool": self.tool, "from": self.old.about(), "to": self.new.about()}

    def document(self, limit: int | None = JSON_LIMIT) -> dict[str, Json]:
        """Everything as one value; of each table at most `limit` changes, `counts` says how many there are."""
        tables = [{**table.about(), "changes": list(table.changes(limit))} for table in self.tables]
        return {**self.about(), "same": self.is_empty, "tables": tables}

    def lines(self, limit: int | None = None) -> Iterator[dict[str, Json]]:
        """One value for each change, as they are found; a table's counts stand behind its rows."""
        yield {"change": "versions", **self.about()}
        for table in self.tables:
            named = {"table": table.name}
            if table.state in ("added", "removed"):
                yield {"change": f"table_{table.state}", **named, "rows": (table.after or table.before)["rows"]}
                continue
            if table.schema:
                yield {"change": "schema", **named, **table.schema}
            for rule in table.rules:
                yield {"change": "rule", **named, **rule}
            for change in table.changes(limit):
                yield {"change": change["change"], **named, **change}
            yield {"change": "counts", **named, **table.counts}


def differences(storage: Storage, tool: str, old: str, new: str, table: str | None = None) -> Differences:
    """What differs between the versions of two runs. Raises ConfigError where there is no such version or table."""
    shelf = storage.shelf(tool)
    known = _known(storage, shelf)
    versions = [_version(storage, shelf, _chosen(storage, shelf, known, asked)) for asked in (old, new)]
    names = list(dict.fromkeys([*versions[1].tables, *versions[0].tables]))
    if table is not None and table not in names:
        text = f'neither version of {tool} has a table "{table}"{nearest(table, names)}'
        raise ConfigError(text, f"their tables are: {', '.join(names)}")
    chosen = [TableDifference(name, *versions) for name in names if table in (None, name)]
    return Differences(tool, versions[0], versions[1], chosen)


def _known(storage: Storage, shelf: Shelf) -> list[str]:
    """The runs whose version is there, oldest first."""
    current = shelf.current()
    known = sorted({*shelf.versions(), *([str(current["run"])] if current else [])})
    if not known:
        home = storage.root / "processed_data"
        there = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
        tools = [name for name in there if name != shelf.tool]
        fix = f"{storage.root} has tables of: {', '.join(tools)}" if tools else f"make them: engine run {shelf.tool}"
        raise ConfigError(f"{storage.root} has no tables of {shelf.tool}{nearest(shelf.tool, tools)}", fix)
    return known


def _chosen(storage: Storage, shelf: Shelf, known: Sequence[str], asked: str) -> str:
    """The run that is meant. Raises ConfigError where none is, or several are."""
    current = str(shelf.current().get("run") or known[-1])
    before = [run for run in known if run < current]
    if asked == LATEST:
        return current
    if asked == PREVIOUS and before:
        return before[-1]
    found = [run for run in known if asked in run] if asked else []
    if asked in known or len(found) == 1:
        return asked if asked in known else found[0]
    there = f"versions are there of: {', '.join(known[-SHOWN_RUNS:])}"
    there += f" and {len(known) - SHOWN_RUNS:,} older ones" if len(known) > SHOWN_RUNS else ""
    if asked == PREVIOUS:
        raise ConfigError(f"there is only one version of the tables of {shelf.tool}, so none before it", there)
    if found:
        text = f'{len(found):,} runs have "{asked}" in their names'
        raise ConfigError(text, f"write more of one: {', '.join(found[-SHOWN_RUNS:])}")
    raise ConfigError(_why(storage, shelf.tool, asked), there)


def _why(storage: Storage, tool: str, asked: str) -> str:
    """Why a run has no version."""
    unknown = f'no run of {tool} is called "{asked}"'
    if not storage.has_ledger:
        return unknown
    ledger = storage.ledger(only_read=True)
    try:
        found = [one for one in ledger.runs(tool) if asked and asked in one.run]
    finally:
        ledger.close()
    if len(found) != 1:
        return unknown
    if "process" not in found[0].work:
        return f"run {found[0].run} made no tables: it was to {found[0].work.replace('+', ', ')}"
    return f"run {found[0].run} has no version: it made none, or it was cleaned up"


def _version(storage: Storage, shelf: Shelf, run: str) -> Version:
    said = shelf.version(run) or shelf.current()  # an older engine wrote down only what is current
    return Version(shelf, said)


def _verdict(outcome: Mapping[str, Json] | None) -> tuple[Json, ...]:
    return () if outcome is None else tuple(outcome[name] for name in ("passed", "failed", "level", "says"))
