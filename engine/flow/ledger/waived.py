"""The chapter of quarantine: rows and rules that are let in until a day, and tables that are to be made anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from engine.flow.ledger.book import Book

COLUMNS = "id, tbl, rule, field, until, because, who, at, ended_by, ended_at"


@dataclass(frozen=True)
class Waiver:
    """Leave for rows to be in a table though they break a rule."""

    id: str
    """Of a row: the name it has in quarantine, which holds for this one reason. Of a whole rule: `TABLE:RULE`."""
    table: str
    rule: str
    column: str | None
    until: date
    """The first day on which it holds no more, in UTC."""
    because: str
    by: str
    at: str
    """When it was given."""
    ended_by: str | None = None
    ended_at: str | None = None

    @property
    def is_of_rule(self) -> bool:
        """Whether it holds for every row that breaks the rule."""
        return ":" in self.id

    def holds(self, now: datetime) -> bool:
        """Whether rows are let in at this time."""
        return self.ended_at is None and now.astimezone(UTC).date() < self.until


class Waived(Book):
    """Waivers and releases of every tool; what has ended stays written down."""

    def waive(self, tool: str, one: Waiver) -> None:
        """Note a waiver; one of the same rows that had not ended does so now."""
        with self._change() as hand:
            hand.do(ENDED, (one.by, one.at, tool, one.id))
            marks = ", ".join("?" * len(COLUMNS.split(", ")))
            values = (one.id, one.table, one.rule, one.column, one.until.isoformat(), one.because, one.by, one.at)
            hand.do("DELETE FROM waivers WHERE tool=? AND id=? AND at=?", (tool, one.id, one.at))
            hand.do(f"INSERT INTO waivers (tool, {COLUMNS}) VALUES (?, {marks})", (tool, *values, None, None))

    def unwaive(self, tool: str, name: str, *, by: str, at: str) -> bool:
        """End a waiver; whether there was one that had not ended."""
        with self._change() as hand:
            return bool(hand.do(ENDED, (by, at, tool, name)))

    def waivers(self, tool: str) -> list[Waiver]:
        """Every waiver that a tool ever had, oldest first."""
        rows = self._ask(f"SELECT {COLUMNS} FROM waivers WHERE tool=? ORDER BY at, id", (tool,))
        return [
            Waiver(name, table, rule, column, date.fromisoformat(until), *more)
            for name, table, rule, column, until, *more in rows
        ]

    def release(self, tool: str, table: str, *, by: str, at: str) -> None:
        """Note that a table is to be made anew at its next processing, whatever its page says."""
        with self._change() as hand:
            number = int(hand.ask("SELECT count(*) FROM releases WHERE tool=? AND tbl=?", (tool, table))[0][0]) + 1
            values = (tool, table, number, at, by)
            hand.do("INSERT INTO releases (tool, tbl, number, at, who) VALUES (?,?,?,?,?)", values)

    def take_back(self, tool: str, table: str) -> None:
        """Forget the last release of a table: it came to nothing."""
        number = self.releases(tool).get(table, 0)
        with self._change() as hand:
            hand.do("DELETE FROM releases WHERE tool=? AND tbl=? AND number=?", (tool, table, number))

    def releases(self, tool: str) -> dict[str, int]:
        """Table -> how often it was released."""
        rows = self._ask("SELECT tbl, max(number) FROM releases WHERE tool=? GROUP BY tbl", (tool,))
        return {str(table): int(number) for table, number in rows}


ENDED = "UPDATE waivers SET ended_by=?, ended_at=? WHERE tool=? AND id=? AND ended_at IS NULL"
