"""The quarantine of one tool: what is set apart now, how it comes back, and what is let in until a day."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import polars as pl

from engine.app.how import How
from engine.app.look import current_of, set_apart
from engine.core import jsontext
from engine.core.clock import rfc3339
from engine.core.errors import ConfigError, Json, StorageError, nearest
from engine.core.kinds import Rule
from engine.flow.apart import FIRST, HIDDEN
from engine.flow.ledger import Ledger, Waiver
from engine.flow.storage import Storage, is_simulated

if TYPE_CHECKING:
    from engine.core.registry import Registry
    from engine.flow.report import Result
    from engine.flow.store import Store
    from engine.spec.read import Source

UNWRITTEN = ("type", "rows", "key")
"""The rules that nobody writes: where they are broken there is no row, or none that could be known again."""
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Door(Protocol):
    """What a quarantine asks of the engine."""

    env: Mapping[str, str]
    registry: Registry

    @property
    def storage(self) -> Storage:
        """Where everything is kept."""

    def page(self, tool: str | Path) -> Source:
        """The page of a tool."""

    def process(self, tool: str | Path, stage: str = "", **how: Unpack[How]) -> Result:
        """Make the tables anew."""

    def now(self, *, simulated: bool = False) -> datetime:
        """The time that a run would begin at."""


@dataclass(frozen=True)
class Quarantine:
    """What is set apart of a tool, and what can be done about it."""

    engine: Door
    tool: str
    page: str | Path
    """The page by path or by name, for what cannot do without one."""

    @property
    def is_simulated(self) -> bool:
        """Whether all of it is made up."""
        return is_simulated(self.engine.storage.root)

    # --- what is set apart now

    def groups(self, table: str = "", rule: str = "") -> list[dict[str, Json]]:
        """Of each rule of each table that rows broke: how many rows, where it stands, what is wrong with the first.

        Raises ConfigError for a tool, a table or a rule that is not there.
        """
        found: list[dict[str, Json]] = []
        first = (pl.col("spec").first(), pl.col("says").first())
        with self._blaming():
            for name in self._tables(table):
                by = self._rows(name, rule).group_by("table", "rule", "column", maintain_order=True)
                told = by.agg(pl.struct(*_PLACE).n_unique().alias("rows"), *first)
                found += told.sort("rule", "column").collect().to_dicts()
        return found

    def rows(self, table: str = "", rule: str = "", limit: int | None = None) -> Iterator[dict[str, Json]]:
        """Each reason of each row, as JSON: what it broke, its value, where it came from. Raises ConfigError."""
        came = Came(self.engine.storage.store(self.tool))
        every = (row for name in self._tables(table) for row in self._each(self._rows(name, rule), limit))
        for row in islice(every, limit):
            yield {**row, "collected_at": came.at(row), "key": _value(row["key"]), "record": _value(row["record"])}

    def count(self, table: str = "", rule: str = "") -> int:
        """How many rows are set apart, whatever the number of their reasons. Raises ConfigError."""
        one = pl.col(FIRST).sum() if not rule else pl.struct(*_PLACE).n_unique()
        with self._blaming():
            return sum(int(self._rows(name, rule).select(one).collect().item() or 0) for name in self._tables(table))

    # --- how it comes back

    def release(self, table: str = "", **how: Unpack[How]) -> dict[str, Json]:
        """Make tables anew from kept pages, though nothing changed on the page; gives how many rows came back.

        Raises what processing raises; the tables are then as they were, and nothing is asked of the next run.
        """
        names = [table] if table else list(self._entries())
        if table and table not in self._entries():
            self._tables(table)
        before = {name: self._places(name) for name in names}
        at, by = rfc3339(self._now()), self._who()
        with self._ledger() as ledger:
            for name in names:
                ledger.release(self.tool, name, by=by, at=at)
        try:
            result = self.engine.process(self.page, **how)
        except BaseException:
            with self._ledger() as ledger:
                for name in names:
                    ledger.take_back(self.tool, name)
            raise
        told = [_released(name, before[name], self._places(name)) for name in names if name in self._entries()]
        return {"tool": self.tool, "run": result.run, "exit_code": result.exit_code, "tables": told}

    # --- what is let in until a day

    def waive(self, id: str = "", *, table: str = "", rule: str = "", until: str | date, because: str) -> Waiver:
        """Let a row that is set apart, or all rows that break a rule, into their table until a day, in UTC.

        Raises ConfigError for what is not set apart, cannot be waived, or has no reason.
        """
        day, by, at = self._day(until), self._who(), rfc3339(self._now())
        if not because.strip():
            raise ConfigError("a waiver needs a reason", 'say why: --because "the vendor mends it in March"')
        if bool(id) == bool(rule):
            raise ConfigError("a waiver is of one row or of one rule", "name the row's id, or a table and a rule")
        if rule:
            word, _, column = rule.partition(":")
            self._must_be_rule(table, word, column)
            one = Waiver(f"{table}:{rule}", table, word, column or None, day, because.strip(), by, at)
        else:
            found = self._row(id)
            self._must_be_waivable(found["rule"], found["column"])
            one = Waiver(found["id"], found["table"], found["rule"], found["column"], day, because.strip(), by, at)
        with self._ledger() as ledger:
            ledger.waive(self.tool, one)
        return one

    def unwaive(self, id: str) -> Waiver:
        """End a waiver: its rows are set apart again at the next processing. Raises ConfigError."""
        open_ = [one for one in self.waivers() if one.ended_at is None]
        found = next((one for one in open_ if one.id == id), None)
        if found is None:
            known = [one.id for one in open_]
            fix = f"these are: {', '.join(known)}" if known else "nothing is waived"
            raise ConfigError(f'nothing of {self.tool} is waived as "{id}"{nearest(id, known)}', fix)
        with self._ledger() as ledger:
            ledger.unwaive(self.tool, id, by=self._who(), at=rfc3339(self._now()))
        return found

    def waivers(self) -> list[Waiver]:
        """Every waiver of the tool, oldest first; what has ended stays written down."""
        if not self.engine.storage.has_ledger:
            return []
        ledger = self.engine.storage.ledger(only_read=True)
        try:
            return ledger.waivers(self.tool)
        finally:
            ledger.close()

    def state_of(self, one: Waiver) -> str:
        """How a waiver is: it holds, its day has come, or somebody ended it."""
        if one.ended_at:
            return "ended"
        return "holds" if one.holds(self._now()) else "over"

    # --- what it takes

    def _blaming(self) -> AbstractContextManager[None]:
        return self.engine.storage.shelf(self.tool).blaming()

    def _each(self, rows: pl.LazyFrame, limit: int | None) -> Iterator[dict[str, Any]]:
        """The rows one by one, a batch of them in memory."""
        with self._blaming():
            for batch in (rows if limit is None else rows.head(limit)).collect_batches(maintain_order=True):
                yield from batch.drop(HIDDEN).iter_rows(named=True)

    def _entries(self) -> dict[str, Json]:
        tables: dict[str, Json] = current_of(self.engine.storage, self.tool)["tables"]
        return tables

    def _tables(self, table: str) -> list[str]:
        known = list(self._entries())
        if table and table not in known:
            text = f'{self.tool} has no table "{table}" in {self.engine.storage.root}{nearest(table, known)}'
            raise ConfigError(text, f"its tables are: {', '.join(known)}")
        return [table] if table else known

    def _rows(self, table: str, rule: str = "") -> pl.LazyFrame:
        rows = set_apart(self.engine.storage, self.tool, table, self._entries()[table])
        if not rule:
            return rows
        word, _, column = rule.partition(":")
        words = [*self.engine.registry.words("rules"), *UNWRITTEN]
        if word not in words:
            raise ConfigError(f'no rule is called "{word}"{nearest(word, words)}', f"there are {', '.join(words)}")
        return rows.filter((pl.col("rule") == word) & (pl.lit(not column) | (pl.col("column") == column)))

    def _places(self, table: str) -> pl.DataFrame:
        """The rows that are set apart, by where they came from."""
        with self._blaming():
            return self._rows(table).select(*_PLACE).unique().collect()

    def _row(self, id: str) -> dict[str, Any]:
        """The first row that is set apart with this name."""
        shown: list[str] = []
        for name in self._tables(""):
            names = self._rows(name)
            if len(found := names.filter(pl.col("id") == id).head(1).collect()):
                return found.row(0, named=True)
            shown += names.select("id").head(1_000).collect()["id"].to_list()
        fix = f"engine quarantine {self.tool} lists the rows with their ids"
        raise ConfigError(f'nothing that is set apart of {self.tool} has the id "{id}"{nearest(id, shown)}', fix)

    def _must_be_rule(self, table: str, word: str, column: str) -> None:
        """The rule stands below the table on the page, sets rows apart, and may be waived."""
        self._must_be_waivable(word, column)
        tables = self.engine.page(self.page).pipeline.tables
        if table not in tables:
            text = f'the page of {self.tool} has no table "{table}"{nearest(table, list(tables))}'
            raise ConfigError(text if table else "the rule of which table?", f"name one of: {', '.join(tables)}")
        rules = [rule for rule in tables[table].validate_ if rule.level == "error" and sets_apart(type(rule))]
        mine = [rule for rule in rules if type(rule).word == word]
        if not mine:
            known = ", ".join(dict.fromkeys(type(rule).word for rule in rules)) or "none"
            raise ConfigError(f'no rule "{word}" sets rows of {table} apart', f"those that do are: {known}")
        columns = sorted({name for rule in mine for name in (*rule.uses(), *rule.unique())})
        if column and column not in columns:
            text = f'no rule "{word}" of {table} is about "{column}"{nearest(column, columns)}'
            raise ConfigError(text, f"they are about: {', '.join(columns)}")

    def _must_be_waivable(self, word: str, column: str | None) -> None:
        if word in UNWRITTEN:
            text = f"{word} cannot be waived: there is no value that could stand in the table"
            raise ConfigError(
                text, "change the type, the path or the key on the page; the rows come back with engine process"
            )
        rule = self.engine.registry.part("rules", word)
        if rule is None:
            words = self.engine.registry.words("rules")
            raise ConfigError(f'no rule is called "{word}"{nearest(word, words)}', f"there are {', '.join(words)}")
        if rule.hides is not Rule.hides:  # type: ignore[attr-defined]  # a part of the kind rules is a Rule
            fix = "take it out with redact or mask; the rows come back with engine process"
            raise ConfigError(f"{word} cannot be waived: its rows hold what must not be shown", fix)

    def _day(self, until: str | date) -> date:
        try:
            day = until if isinstance(until, date) else date.fromisoformat(until if DAY.fullmatch(until) else "")
        except ValueError:
            raise ConfigError(f'"{until}" is no day', "write it as 2027-01-31") from None
        today = self._now().astimezone(UTC).date()
        if day <= today:
            raise ConfigError(f"{day} has come already: a waiver ends on its day", f"name one after {today}")
        return day

    def _now(self) -> datetime:
        """The time as runs of this storage have it."""
        return self.engine.now(simulated=self.is_simulated)

    def _who(self) -> str:
        return self.engine.env.get("USER") or self.engine.env.get("LOGNAME") or "somebody"

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        ledger = self.engine.storage.ledger()
        try:
            yield ledger
        finally:
            ledger.close()


@dataclass
class Came:
    """When kept pages came, as long as they are there."""

    store: Store
    _known: dict[tuple[str, str], dict[tuple[str, int], float]] = field(default_factory=dict)
    """Endpoint and run -> unit and number of a page -> seconds since the epoch."""

    def at(self, row: Mapping[str, Any]) -> str | None:
        """When the page of a row came; null where that is cleaned up, and for the row of a query."""
        if row["endpoint"] is None:
            return None
        which = row["endpoint"], row["collected_in"]
        if which not in self._known:
            with suppress(OSError, StorageError):
                heads = sorted((meta.sweep, meta.unit, meta.page, meta.at) for _, _, meta in self.store.heads(*which))
                self._known[which] = {(unit, page): at for _, unit, page, at in heads}
        at = self._known.get(which, {}).get((row["unit"], row["unit_page"]))
        return None if at is None else rfc3339(datetime.fromtimestamp(at, UTC))


_PLACE = ("collected_in", "endpoint", "page", "row", pl.when(pl.col("endpoint").is_null()).then("about").alias("about"))


def sets_apart(rule: type[Rule]) -> bool:
    """Whether a rule is about single rows, and not about the table as a whole."""
    answers = ("checks", "unique", "refers", "record_check")
    return any(getattr(rule, name) is not getattr(Rule, name) for name in answers)


def _released(table: str, before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Json]:
    back = before.join(after, on=before.columns, how="anti", nulls_equal=True).height
    return {"table": table, "came_back": back, "set_apart": after.height}


def _value(text: str | None) -> Json:
    """A key or a record as JSON; as text where it is none."""
    try:
        return jsontext.read(text.encode()) if text is not None else None
    except jsontext.NoJson:
        return text
