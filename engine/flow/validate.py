"""Good rows and bad rows: every rule over every row in one pass, reasons only for the rows that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Any, ClassVar

import polars as pl

from engine.core.errors import Json, Mark, Mistake
from engine.core.kinds import Check, Reference, Rule, View
from engine.flow.across import NONE, Missing, among
from engine.flow.apart import BROKEN, abouts, names
from engine.flow.columns import key_texts
from engine.flow.contracts import Breaches
from engine.flow.frames import AT
from engine.flow.ledger import Waiver
from engine.flow.merge import HIDDEN, keyed

MOST_SAYS = 5
"""So many columns a rule tells what is wrong with."""
SHOWN = 3
"""Examples of failing rows that are told with a rule's result."""
MASKED = "***"
VISIBLE = " visible"
AGAIN = " again"


@dataclass(frozen=True)
class Placed:
    """A rule with its word and its line on the page."""

    rule: Rule
    word: str
    mark: Mark

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """What the rule asks and is not there gets its place."""
        try:
            yield
        except Mistake as mistake:
            mistake.mark = self.mark
            raise


class WholeKey(Rule):
    """A rule that nobody writes: a row that takes the place of the one with its key has one, if only in part."""

    word: ClassVar[str] = "key"
    columns: tuple[str, ...]

    def checks(self, view: View) -> Sequence[Check]:
        """One check of all columns."""
        says = "is null, so the row cannot be known again: name a key that every record has"
        return [Check("key", ~keyed(self.columns), f"{', '.join(self.columns)} {says}", self.columns[0])]


@dataclass
class Outcome:
    """What became of one rule."""

    rule: str
    level: str
    mark: Mark
    tolerance: float
    failed: int = 0
    checked: int = 0
    says: str = ""
    """What is wrong, of each column the first time it was."""
    verdict: str | None = None
    """What is wrong with the table as a whole."""
    waived: int = 0
    """Rows that break it and were let in all the same; they are not among the failed."""

    def say(self, text: str) -> None:
        """Tell what is wrong, once; of many columns the first few."""
        told = self.says.split("; ") if self.says else []
        if text not in told and len(told) <= MOST_SAYS:
            self.says = "; ".join([*told, text if len(told) < MOST_SAYS else "and more"])

    @property
    def passed(self) -> bool:
        """Whether the rule holds, or fails within its tolerance."""
        if self.verdict is not None:
            return False
        return self.failed <= round(self.tolerance * self.checked, 6)  # 29 % of 100 is 28.999999999999996

    @property
    def is_told(self) -> bool:
        """Whether there is something to say of it."""
        return bool(self.failed or self.waived or self.verdict)

    def as_json(self) -> dict[str, Json]:
        """The outcome for reports."""
        return {
            "rule": self.rule,
            "level": self.level,
            "spec": str(self.mark),
            "failed": self.failed,
            "waived": self.waived,
            "checked": self.checked,
            "passed": self.passed,
            "says": self.verdict or self.says,
        }


@dataclass(frozen=True)
class Failing:
    """The rows that fail one check of a rule."""

    number: int
    """Of the rule."""
    check: Check
    rows: pl.Series
    """Whether each row fails."""
    says: pl.Series | None = None
    """What is wrong with each row, where that differs."""


@dataclass(frozen=True)
class Refused:
    """The rows of a batch that break an error-level rule, with what is told of each whichever rule it is."""

    which: pl.Series
    """Of the rows of the batch."""
    values: pl.DataFrame
    """Their columns, those that are masked without their values."""
    told: pl.DataFrame
    """Their `key`, `record` and `about`, and whether their values may be shown at all."""

    @classmethod
    def of(cls, rules: Validator, rows: pl.DataFrame, which: pl.Series, hidden: pl.Series) -> Refused:
        """Nothing of their values is told where a rule or a mask hides them."""
        values = rows.filter(which)
        columns = [name for name in rows.columns if name not in HIDDEN]
        record, key = _record(values, columns), key_texts(values, rules.key)
        about = abouts(rules.naming, rules.table, key, record)
        if masked := [_hidden(name) for name in columns if name in rules.masked]:
            values = values.with_columns(masked)
            record, key = _record(values, columns), key_texts(values, rules.key)
        told = pl.DataFrame([about, key.alias("key"), record.alias("record"), (~hidden.filter(which)).alias(VISIBLE)])
        visible = pl.when(pl.col(VISIBLE))
        told = told.with_columns(visible.then(pl.col(name)).alias(name) for name in ("key", "record"))
        return cls(which, values, told)

    def by(self, placed: Placed, one: Failing) -> pl.DataFrame:
        """One row of `BROKEN` for each that fails this check of a rule."""
        mine, column = one.rows.filter(self.which), one.check.column
        values, told = self.values.filter(mine), self.told.filter(mine)
        says = pl.repeat(one.check.says, told.height, eager=True) if one.says is None else one.says.filter(one.rows)
        value = values.select(_as_text(values, column) if column in values.columns else pl.lit(None, pl.String))
        texts = {"rule": placed.word, "level": placed.rule.level, "column": column, "spec": str(placed.mark)}
        return told.with_columns(
            values[AT],
            names(placed.word, column, says, told["about"]).alias("id"),
            says.alias("says"),
            pl.when(VISIBLE).then(value.to_series()).alias("value"),
            *(pl.lit(text, pl.String).alias(name) for name, text in texts.items()),
        ).select(*BROKEN)


@dataclass
class Validator:
    """The rules of one table, applied batch by batch."""

    table: str
    rules: Sequence[Placed]
    view: View
    key: Sequence[str]
    repeated: Mapping[int, pl.Series] = field(default_factory=dict)
    """Rule number -> arrival numbers, in order, of rows whose values a row has that was there before.

    Those of rules on other columns than the key: rows of one key stand beside each other.
    """
    missing: Callable[[Reference], Missing] = lambda _: Missing(NONE, NONE)
    """The values of a column that are not in the other table's."""
    contracts: Mapping[int, Breaches] = field(default_factory=dict)
    """Rule number -> what is wrong with raw records."""
    waivers: Sequence[Waiver] = ()
    """Those of the table that hold now."""
    masked: frozenset[str] = frozenset()
    """Columns whose values are never shown as they came."""
    naming: bytes = b""
    """What rows that are set apart are named with."""
    same: Sequence[str] = ()
    """What two rows share of which only one may be there; the key where it is not said."""
    outcomes: list[Outcome] = field(init=False)
    _totals: dict[int, dict[str, Any]] = field(default_factory=dict)
    _checks: list[tuple[int, Check]] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [
            Outcome(placed.word, placed.rule.level, placed.mark, placed.rule.tolerance.share) for placed in self.rules
        ]
        self._checks = []
        for number, placed in enumerate(self.rules):
            with placed.blamed():
                self._checks += [(number, check) for check in placed.rule.checks(self.view)]

    def split(self, rows: pl.DataFrame, same_key: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The good rows, and one row for each broken error-level rule of each bad one (columns of `BROKEN`)."""
        for outcome in self.outcomes:
            outcome.checked += rows.height
        same_key = self._doubled(rows, same_key)
        found = [one for one in self._looked_at(rows, same_key) if one.rows.any()]
        if not found:
            return rows, pl.DataFrame(schema=BROKEN)
        errors = [one for one in found if self.outcomes[one.number].level == "error"]
        hidden = reduce(or_, (one.rows for one in found if one.check.hides), _none(rows))
        refused = Refused.of(self, rows, reduce(or_, (one.rows for one in errors), _none(rows)), hidden)
        bad, broken = _none(rows), [pl.DataFrame(schema=BROKEN)]
        failed, waived = dict[int, pl.Series](), dict[int, pl.Series]()
        for one in found:
            outcome, fails = self.outcomes[one.number], one.rows
            if one.says is None or not outcome.says:  # what differs by row is told of the first
                outcome.say(one.check.says if one.says is None else one.says.drop_nulls()[0])
            if outcome.level == "error":
                told = refused.by(self.rules[one.number], one)
                let_in = self._let_in(told, one)
                if let_in.any():
                    waived[one.number] = _either(waived.get(one.number), _among(rows, told.filter(let_in)))
                    told = told.filter(~let_in)
                    fails = _among(rows, told)
                bad = bad | fails
                broken.append(told)
            failed[one.number] = _either(failed.get(one.number), fails)
        for number, outcome in enumerate(self.outcomes):
            outcome.failed += int(failed[number].sum()) if number in failed else 0
            outcome.waived += int(waived[number].sum()) if number in waived else 0
        return rows.filter(~bad) if errors else rows, pl.concat(broken)

    def apart(self, rows: pl.DataFrame, same_key: pl.Series) -> pl.Series:
        """The numbers of the rows that `split` would set apart; nothing is counted or told."""
        if self.waivers:
            return replace(self).split(rows, same_key)[1][AT].unique()
        found = self._looked_at(rows, self._doubled(rows, same_key))
        return rows[AT].filter(reduce(or_, (one.rows for one in found if self._is_error(one.number)), _none(rows)))

    def _is_error(self, number: int) -> bool:
        return self.outcomes[number].level == "error"

    def _doubled(self, rows: pl.DataFrame, same_key: pl.Series) -> pl.Series:
        """Which rows have the key of one before them that is in the table: none that another rule sets apart."""
        if not same_key.any() or not any(set(placed.rule.unique()) == set(self.key) for placed in self.rules):
            return same_key
        apart = self.apart(rows, _none(rows))
        stays = (~pl.col(AT).is_in(apart.implode())).cast(pl.UInt32)
        behind_new = stays.cum_sum() > stays
        behind_old = pl.col(AGAIN).first()  # even the first row of the key has one before it
        asked = rows.with_columns(same_key.alias(AGAIN))
        return asked.select((behind_new | behind_old).over(self.same or self.key)).to_series() & same_key

    def _let_in(self, told: pl.DataFrame, one: Failing) -> pl.Series:
        """Which of the broken rules of rows are waived; of a rule that hides its rows none ever is."""
        rule, column = self.rules[one.number].word, one.check.column
        waivers = () if one.check.hides else self.waivers
        if any(w.is_of_rule and w.rule == rule and w.column in (None, column) for w in waivers):
            return pl.repeat(True, told.height, eager=True)
        return told["id"].is_in([w.id for w in waivers])

    def _looked_at(self, rows: pl.DataFrame, same_key: pl.Series) -> Iterator[Failing]:
        """The rows that fail, for every check: all that rest on one row at a time in one pass."""
        masks = rows.select(check.fails.alias(str(at)) for at, (_, check) in enumerate(self._checks))
        for mask, (number, check) in zip(masks.iter_columns(), self._checks, strict=True):
            yield Failing(number, check, mask)
        for number, placed in enumerate(self.rules):
            if columns := placed.rule.unique():
                says = f"another row has the same {', '.join(columns)}"
                again = self.repeated.get(number)
                fails = same_key & _complete(rows, columns) if again is None else among(again, rows[AT])
                yield Failing(number, Check("unique", pl.lit(True), says, columns[0]), fails)
            if reference := placed.rule.refers():
                says = f"{reference.column} is not in {reference.table}.{reference.to}"
                check = Check("refers_to", pl.lit(True), says, reference.column)
                with placed.blamed():
                    gone = self.missing(reference)
                yield Failing(number, check, gone.rows(rows[reference.column]))
            if number in self.contracts:
                broken = self.contracts[number].of(rows)
                yield Failing(number, Check("json_schema", pl.lit(True), ""), broken.is_not_null(), broken)

    # --- the table as a whole

    def count(self, rows: pl.LazyFrame) -> None:
        """Take rows of the table into the totals that its verdicts rest on."""
        for number, placed in enumerate(self.rules):
            if wanted := placed.rule.totals():
                new = rows.select(expr.alias(name) for name, expr in wanted.items()).collect().row(0, named=True)
                old = self._totals.setdefault(number, {})
                self._totals[number] = {name: _together(name, old.get(name), value) for name, value in new.items()}

    def finish(self, columns: Mapping[str, pl.DataType]) -> list[Outcome]:
        """The outcomes, with the verdicts on the whole table and on its columns after enrichment."""
        for number, placed in enumerate(self.rules):
            totals = self._totals.get(number) or self._no_totals(placed.rule)
            verdict = placed.rule.verdict(totals, self.view)
            self.outcomes[number].verdict = verdict or placed.rule.finished(columns)
        return self.outcomes

    def _no_totals(self, rule: Rule) -> dict[str, Any]:
        wanted = rule.totals()
        empty = pl.DataFrame(schema=dict(self.view.columns))
        return empty.select(expr.alias(name) for name, expr in wanted.items()).row(0, named=True) if wanted else {}


def _together(name: str, old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return old + new if name.startswith("sum_") else min(old, new) if name.startswith("min_") else max(old, new)


def _among(rows: pl.DataFrame, some: pl.DataFrame) -> pl.Series:
    return rows[AT].is_in(some[AT].implode())


def _either(one: pl.Series | None, other: pl.Series) -> pl.Series:
    return other if one is None else one | other


def _hidden(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null()).then(pl.lit(MASKED)).alias(name)


def _none(rows: pl.DataFrame) -> pl.Series:
    return pl.repeat(False, rows.height, eager=True)


def _record(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return rows.select(pl.struct(columns).struct.json_encode()).to_series()


def _complete(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return rows.select(pl.all_horizontal(pl.col(name).is_not_null() for name in columns)).to_series()


def _as_text(rows: pl.DataFrame, column: str | None) -> pl.Expr:
    assert column
    if isinstance(rows.schema[column], (pl.List, pl.Struct)):
        return pl.struct(column).struct.json_encode()
    return pl.col(column).cast(pl.String)
