"""Records that do not fit: what is told of them, and the rules that nobody writes and they broke."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from engine.core import jsontext, select
from engine.core.errors import Mark
from engine.core.kinds import Rule
from engine.flow.apart import BROKEN, abouts, named
from engine.flow.frames import Reject
from engine.flow.validate import MASKED, Outcome
from engine.spec.model import Column


@dataclass
class Rejects:
    """What the records of one table that do not fit are told with."""

    table: str
    columns: Mapping[str, Column]
    masked: frozenset[str]
    """Columns whose values are never shown as they came."""
    rules: Sequence[Rule]
    """Those of the table: what one of them hides is not shown here either."""
    place: Callable[..., Mark]
    """Path below the table on the page -> its place."""
    naming: bytes = b""
    """What rows that are set apart are named with."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def told(self, rejects: Sequence[Reject]) -> pl.DataFrame:
        """Records that do not fit as broken rules, without what is hidden; each is counted."""
        keys = pl.Series([one.key for one in rejects], dtype=pl.String)
        records = pl.Series([one.record for one in rejects], dtype=pl.String)
        about = abouts(self.naming, self.table, keys, records)
        places = {which: str(self._place(*which)) for which in {(one.rule, one.column) for one in rejects}}
        rows = [
            (
                one.at,
                named(one.rule, one.column, one.says, number),
                one.rule,
                "error",
                one.column,
                self._value(one),
                one.says,
                places[one.rule, one.column],
                self._key(one),
                self._unmasked(one),
                number,
            )
            for one, number in zip(rejects, about, strict=True)
        ]
        self._count(rejects)
        found = pl.DataFrame(rows, BROKEN, orient="row")
        for rule in self.rules:
            for name in ("value", "key", "record"):
                if (hidden := rule.hides(pl.col(name))) is not None:
                    found = found.with_columns(pl.when(~hidden.fill_null(False)).then(pl.col(name)).alias(name))
        return found

    def finish(self, checked: int) -> list[Outcome]:
        """The outcomes of the rules that nobody writes: every record has rows, every value fits its type."""
        for one in self.outcomes.values():
            one.checked = checked
        return list(self.outcomes.values())

    def _place(self, rule: str, column: str | None) -> Mark:
        return self.place("rows") if rule == "rows" else self.place("columns", column or "")

    def _count(self, rejects: Sequence[Reject]) -> None:
        for rule in dict.fromkeys(one.rule for one in rejects):
            mine = [one for one in rejects if one.rule == rule]
            outcome = self.outcomes.setdefault(rule, Outcome(rule, "error", self._place(rule, mine[0].column), 0.0))
            outcome.failed += len({one.at for one in mine})
            first: dict[str | None, str] = {}
            for one in mine:
                first.setdefault(one.column, one.says)
            for says in first.values():
                outcome.say(says)

    def _value(self, one: Reject) -> str | None:
        """The value that does not fit; where it is the whole record, masked ones may be anywhere in it."""
        hides = self.masked and (one.column is None or one.column in self.masked)
        return MASKED if hides and one.value is not None else one.value

    def _key(self, one: Reject) -> str | None:
        """The key without the values of masked columns."""
        if one.key is None or not self.masked:
            return one.key
        key = jsontext.read(one.key.encode())
        return jsontext.write({name: MASKED if name in self.masked else value for name, value in key.items()}).decode()

    def _unmasked(self, one: Reject) -> str | None:
        """The record without the fields that masked columns read; nothing where these may be anywhere in it."""
        if not self.masked:
            return one.record
        roots = {root for name in self.masked & {*self.columns} for root in self._roots(name)} | self.masked
        try:
            record = jsontext.read(one.record.encode())
        except jsontext.NoJson:
            return None
        if one.rule == "rows" or "*" in roots or not isinstance(record, dict):
            return None
        return jsontext.write({name: value for name, value in record.items() if name not in roots}).decode()

    def _roots(self, name: str) -> frozenset[str]:
        return frozenset(select.compile(self.columns[name].path).roots)
