"""The chapter of sealed collections, and of the marks that move with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from engine.core.clock import read_instant
from engine.flow.ledger.book import unpacked
from engine.flow.ledger.dialect import Hand
from engine.flow.ledger.records import Collection, UnitRecord
from engine.flow.ledger.units import Units
from engine.flow.marks import MARKED, Kind, Mark

SEALED = """
INSERT INTO collections (tool, run, endpoint, complete, rows, pages, missing, skipped, completes, released)
VALUES (?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (run, endpoint) DO UPDATE SET complete=excluded.complete, rows=excluded.rows, pages=excluded.pages,
  missing=excluded.missing, skipped=excluded.skipped, completes=excluded.completes, released=excluded.released
"""


VALUE, BINDING = 4, 5
"""Where they stand in the row of a mark. The same value is the same text, sealed or not: `MARKED` compares them."""


class Sealed(Units):
    """Sealed collections and marks of every tool."""

    def seal(
        self,
        tool: str,
        sealed: Collection,
        marks: Iterable[Mark] = (),
        units: Iterable[UnitRecord] = (),
        *,
        forget: str = "",
    ) -> None:
        """Seal an endpoint of a run, note its units and move its marks, in one transaction.

        Marks of parents that no run saw since the time `forget` are taken out.
        """
        one = sealed
        with self._change() as hand:
            self._note(hand, one.run, one.endpoint, units)
            counts = int(one.complete), one.rows, one.pages
            told = [self._shut(words, _about(one.run, one.endpoint)) for words in (one.missing, one.skipped)]
            hand.do(SEALED, (tool, one.run, one.endpoint, *counts, *told, one.completes, int(one.released)))
            self._mark(hand, tool, one.endpoint, marks)
            hand.do("DELETE FROM watermarks WHERE tool=? AND endpoint=? AND seen<?", (tool, one.endpoint, forget))

    def move(self, tool: str, endpoint: str, marks: Iterable[Mark], runs: Iterable[str]) -> None:
        """Move the marks of an endpoint that these runs sealed, when all that is repeated for it is whole."""
        with self._change() as hand:
            self._mark(hand, tool, endpoint, marks)
            sql = "UPDATE collections SET released=1 WHERE tool=? AND run=? AND endpoint=?"
            hand.many(sql, [(tool, run, endpoint) for run in runs])

    def _mark(self, hand: Hand, tool: str, endpoint: str, marks: Iterable[Mark]) -> None:
        """Move marks: one that says until when the same request read moves forward only."""
        marks = list(marks)
        read: dict[str, tuple[datetime, str]] = {}
        if any(mark.kind == "window" and mark.value for mark in marks):
            sql = "SELECT partition, value, basis FROM watermarks WHERE tool=? AND endpoint=? AND kind='window'"
            for name, value, basis in hand.ask(sql + " AND value<>''", (tool, endpoint)):
                until = read_instant(self._value(value, _of(tool, endpoint, "window", name)))
                read[name] = until, basis
        rows = [self._row(_forward(mark, *read.get(mark.partition, (None, ""))), tool, endpoint) for mark in marks]
        hand.many(MARKED, rows)

    def collections(self, tool: str) -> list[Collection]:
        """Every sealed collection of a tool, oldest first."""
        rows = self._ask(
            "SELECT run, endpoint, complete, rows, pages, missing, skipped, completes, cleaned, released "
            "FROM collections "
            "WHERE tool=? ORDER BY run, endpoint",
            (tool,),
        )
        return [
            Collection(
                run,
                name,
                bool(whole),
                n,
                pages,
                self._words(about, missing),
                self._words(about, skipped),
                completes,
                cleaned,
                bool(released),
            )
            for run, name, whole, n, pages, missing, skipped, completes, cleaned, released in rows
            for about in [_about(run, name)]
        ]

    def note_cleaned(self, tool: str, collections: Iterable[tuple[str, str]], at: str) -> None:
        """Note that the kept pages of collections, each a run and an endpoint, are cleaned up."""
        with self._change() as hand:
            sql = "UPDATE collections SET cleaned=? WHERE tool=? AND run=? AND endpoint=?"
            hand.many(sql, [(at, tool, run, endpoint) for run, endpoint in collections])

    def forget_cleaned(self, tool: str, endpoint: str) -> int:
        """Forget the collections of an endpoint whose kept pages were cleaned up; gives how many those were."""
        with self._change() as hand:
            return hand.do("DELETE FROM collections WHERE tool=? AND endpoint=? AND cleaned<>''", (tool, endpoint))

    # --- marks

    def watermarks(self, tool: str, endpoint: str, kind: Kind) -> dict[str, str]:
        """Partition -> value of every parent that a run saw; empty where nothing of it was read yet."""
        rows = self._ask(
            "SELECT partition, value FROM watermarks WHERE tool=? AND endpoint=? AND kind=?", (tool, endpoint, kind)
        )
        return {str(name): self._value(str(value), _of(tool, endpoint, kind, str(name))) for name, value in rows}

    def outdated(self, tool: str, endpoint: str, basis: str) -> set[str]:
        """The partitions that another request read than the one of this `basis`; older engines did not note theirs."""
        sql = "SELECT partition FROM watermarks WHERE tool=? AND endpoint=? AND value<>'' AND basis NOT IN ('', ?)"
        return {str(partition) for (partition,) in self._ask(sql, (tool, endpoint, basis))}

    def marks(self, tool: str) -> list[Mark]:
        """All marks of a tool, by endpoint, in the order in which their parents were first seen."""
        rows = self._ask(
            "SELECT kind, partition, value, binding, since, endpoint FROM watermarks WHERE tool=? "
            "ORDER BY endpoint, kind, rowid",
            (tool,),
        )
        found = []
        for kind, name, value, binding, since, endpoint in rows:
            whose = _of(tool, endpoint, kind, name)
            known = self._value(value, whose), unpacked(self._seal.plain(binding, f"{whose}/binding"))
            found.append(Mark(kind, name, *known, since, endpoint))
        return found

    def reset(self, tool: str, endpoint: str, partitions: Iterable[str]) -> None:
        """Forget how far partitions of an endpoint were read; that their parents are known stays."""
        with self._change() as hand:
            hand.many(
                "UPDATE watermarks SET value='', since='' WHERE tool=? AND endpoint=? AND partition=?",
                [(tool, endpoint, partition) for partition in partitions],
            )

    def _row(self, mark: Mark, tool: str, endpoint: str) -> tuple[str, ...]:
        row, whose = list(mark.row(tool, endpoint)), _of(tool, endpoint, mark.kind, mark.partition)
        row[VALUE] = row[VALUE] and self._seal.text(row[VALUE], whose, same=True)
        row[BINDING] = self._seal.text(row[BINDING], f"{whose}/binding")
        return tuple(row)

    def _value(self, value: str, whose: str) -> str:
        return value and self._seal.plain(value, whose)

    def _words(self, about: str, told: str) -> tuple[str, ...]:
        return tuple(self._opened(told, about))


def _forward(mark: Mark, until: datetime | None, basis: str) -> Mark:
    """The mark, which moves nothing where the same request has read further."""
    if mark.kind != "window" or not mark.value or until is None or basis not in ("", mark.basis):
        return mark
    return replace(mark, value="") if read_instant(mark.value) < until else mark


def _about(run: str, endpoint: str) -> str:
    """Whose words of what is missing, or was skipped, these are."""
    return f"sealed/{run}/{endpoint}"


def _of(tool: str, endpoint: str, kind: str, partition: str) -> str:
    """Whose the value of a mark is."""
    return f"mark/{tool}/{endpoint}/{kind}/{partition}"
