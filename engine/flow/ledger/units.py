"""The chapter of units: what an endpoint asks for in one run, and how far each unit of it came."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.errors import Json
from engine.flow.ledger.book import Book
from engine.flow.ledger.dialect import Hand, Row, Value
from engine.flow.ledger.records import UnitRecord

COLUMNS = "unit, binding, pages, rows, cursor, status, note, plan, progress"
NOTED = """
INSERT INTO units (run, endpoint, place, unit, binding, pages, rows, cursor, status, note, plan, progress)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (run, endpoint, unit) DO UPDATE SET binding=excluded.binding, pages=excluded.pages, rows=excluded.rows,
  cursor=excluded.cursor, status=excluded.status, note=excluded.note, progress=excluded.progress,
  plan=CASE WHEN excluded.plan='null' THEN units.plan ELSE excluded.plan END
"""


class Units(Book):
    """Units of every run; what they are asked with and how far they are is sealed: a vendor may keep it secret."""

    def begin_sweep(self, run: str, endpoint: str, state: Json, units: Iterable[UnitRecord]) -> None:
        """Write down what an endpoint will ask for, in this order: a run that goes on asks for the same."""
        self.begin_sweeps(run, [(endpoint, state, units)])

    def begin_sweeps(self, run: str, begun: Iterable[tuple[str, Json, Iterable[UnitRecord]]]) -> None:
        """The same of several endpoints, in one transaction."""
        sql = "INSERT INTO sweeps VALUES (?,?,?) ON CONFLICT (run, endpoint) DO UPDATE SET state=excluded.state"
        with self._change() as hand:
            for endpoint, state, units in begun:
                hand.do(sql, (run, endpoint, self._shut(state, f"sweep/{run}/{endpoint}")))
                self._note(hand, run, endpoint, units)

    def sweep(self, run: str, endpoint: str) -> tuple[Json, list[UnitRecord]] | None:
        """The state and the units that were written down, in their order; nothing where the endpoint had not begun."""
        with self._base.look() as hand:
            states = hand.ask("SELECT state FROM sweeps WHERE run=? AND endpoint=?", (run, endpoint))
            sql = f"SELECT {COLUMNS} FROM units WHERE run=? AND endpoint=? ORDER BY place, unit"
            rows = hand.ask(sql, (run, endpoint)) if states else []
        if not states:
            return None
        state = self._opened(states[0][0], f"sweep/{run}/{endpoint}")
        return state, [self._unit(run, endpoint, row) for row in rows]

    def note_units(self, run: str, endpoint: str, units: Iterable[UnitRecord]) -> None:
        """Note how far units are."""
        with self._change() as hand:
            self._note(hand, run, endpoint, units)

    def _note(self, hand: Hand, run: str, endpoint: str, units: Iterable[UnitRecord]) -> None:
        def row(place: int, one: UnitRecord) -> tuple[Value, ...]:
            about = f"unit/{run}/{endpoint}/{one.unit}"
            binding, plan = self._shut(dict(one.binding), f"{about}/binding"), self._shut(one.plan, f"{about}/plan")
            cursor, progress = self._shut(one.cursor, f"{about}/cursor"), self._shut(one.progress, f"{about}/progress")
            note = one.note and self._seal.text(one.note, f"{about}/note")
            far = one.pages, one.rows, cursor, one.status, note, plan, progress
            return run, endpoint, place, one.unit, binding, *far

        hand.many(NOTED, [row(place, unit) for place, unit in enumerate(units)])

    def _unit(self, run: str, endpoint: str, row: Row) -> UnitRecord:
        unit, binding, pages, rows, cursor, status, note, plan, progress = row
        about = f"unit/{run}/{endpoint}/{unit}"
        binding, cursor = self._opened(binding, f"{about}/binding"), self._opened(cursor, f"{about}/cursor")
        plan, progress = self._opened(plan, f"{about}/plan"), self._opened(progress, f"{about}/progress")
        note = self._seal.plain(note, f"{about}/note") if note else ""
        return UnitRecord(unit, binding, pages, rows, cursor, status, note, plan, progress)
