"""Good rows and bad rows: every rule over every row in one pass, reasons only for the rows that fail."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine.core.errors import Json, Mark, Mistake
from engine.core.kinds import Check, Reference, Rule, View
from engine.flow.apart import BROKEN, abouts, named
from engine.flow.frames import AT, key_texts
from engine.flow.ledger import Waiver
from engine.flow.merge import HIDDEN, RUN, UNTIL

SHOWN = 3
"""Examples of failing rows that are told with a rule's result."""
MASKED = "***"


@dataclass(frozen=True)
class Placed:
    """A rule with its word and its line on the page."""

    rule: Rule
    word: str
    mark: Mark


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
    """What is wrong, the first time it was."""
    verdict: str | None = None
    """What is wrong with the table as a whole."""
    waived: int = 0
    """Rows that break it and were let in all the same; they are not among the failed."""

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


@dataclass
class Breaches:
    """What is wrong with raw records, whatever their number: twelve bytes each, beside the few things that are said."""

    _ats: array[int] = field(default_factory=lambda: array("Q"))
    _which: array[int] = field(default_factory=lambda: array("I"))
    _says: dict[str, int] = field(default_factory=dict)

    def add(self, at: int, says: str) -> None:
        """Note what is wrong with the record of this arrival number, which is greater than all before."""
        self._ats.append(at)
        self._which.append(self._says.setdefault(says, len(self._says)))

    def of(self, rows: pl.DataFrame) -> pl.Series:
        """What is wrong with the record of each row; null where nothing is."""
        texts = pl.DataFrame({"which": range(len(self._says)), "says": list(self._says)}, _SAYS)
        ats = pl.DataFrame(
            {AT: pl.Series(self._ats, dtype=pl.UInt64), "which": pl.Series(self._which, dtype=pl.UInt32)}
        )
        found = rows.select(AT).join(ats, on=AT, how="left", maintain_order="left")
        return found.join(texts, on="which", how="left", maintain_order="left")["says"]


_SAYS = {"which": pl.UInt32(), "says": pl.String()}


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


@dataclass
class Validator:
    """The rules of one table, applied batch by batch."""

    table: str
    rules: Sequence[Placed]
    view: View
    key: Sequence[str]
    repeated: Mapping[int, pl.Series]
    """Rule number -> arrival numbers of rows whose values an earlier row has (rules on other columns than the key)."""
    known: Callable[[Reference], pl.Series]
    """The values of another table's column."""
    contracts: Mapping[int, Breaches] = field(default_factory=dict)
    """Rule number -> what is wrong with raw records."""
    waivers: Sequence[Waiver] = ()
    """Those of the table that hold now."""
    masked: frozenset[str] = frozenset()
    """Columns whose values are never shown as they came."""
    naming: bytes = b""
    """What rows that are set apart are named with."""
    outcomes: list[Outcome] = field(init=False)
    _totals: dict[int, dict[str, Any]] = field(default_factory=dict)
    _checks: list[tuple[int, Check]] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [
            Outcome(placed.word, placed.rule.level, placed.mark, placed.rule.tolerance.share) for placed in self.rules
        ]
        self._checks = [(n, check) for n, placed in enumerate(self.rules) for check in placed.rule.checks(self.view)]

    def split(self, rows: pl.DataFrame, same_key: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The good rows, and one row for each broken error-level rule of each bad one (columns of `BROKEN`)."""
        found = self._failing(rows, same_key)
        bad = pl.repeat(False, rows.height, eager=True)
        broken = [pl.DataFrame(schema=BROKEN)]
        failed, waived = dict[int, pl.Series](), dict[int, pl.Series]()
        shown = pl.repeat(True, rows.height, eager=True)
        for one in found:
            shown = shown & ~one.rows if one.check.hides else shown
        for one in found:
            if not one.rows.any():
                continue
            outcome, fails = self.outcomes[one.number], one.rows
            outcome.says = outcome.says or (one.check.says if one.says is None else one.says.drop_nulls()[0])
            if outcome.level == "error":
                told = self._broken(rows, one, shown)
                let_in = self._let_in(told, one)
                if let_in.any():
                    waived[one.number] = _either(waived.get(one.number), _among(rows, told.filter(let_in)))
                    told = told.filter(~let_in)
                    fails = _among(rows, told)
                bad = bad | fails
                broken.append(told)
            failed[one.number] = _either(failed.get(one.number), fails)
        for number, outcome in enumerate(self.outcomes):
            outcome.checked += rows.height
            outcome.failed += int(failed[number].sum()) if number in failed else 0
            outcome.waived += int(waived[number].sum()) if number in waived else 0
        good = rows.filter(~bad) if len(broken) > 1 else rows
        return good, pl.concat(broken)

    def _let_in(self, told: pl.DataFrame, one: Failing) -> pl.Series:
        """Which of the broken rules of rows are waived; of a rule that hides its rows none ever is."""
        rule, column = self.rules[one.number].word, one.check.column
        waivers = () if one.check.hides else self.waivers
        if any(w.is_of_rule and w.rule == rule and w.column in (None, column) for w in waivers):
            return pl.repeat(True, told.height, eager=True)
        return told["id"].is_in([w.id for w in waivers])

    def _failing(self, rows: pl.DataFrame, same_key: pl.Series) -> list[Failing]:
        """The rows that fail, for every check."""
        masks = rows.select(check.fails.alias(str(at)) for at, (_, check) in enumerate(self._checks))
        found = [Failing(number, check, masks[str(at)]) for at, (number, check) in enumerate(self._checks)]
        for number, placed in enumerate(self.rules):
            if columns := placed.rule.unique():
                says = f"another row has the same {', '.join(columns)}"
                again = self.repeated.get(number)
                fails = same_key if again is None else rows[AT].is_in(again.implode())
                check = Check("unique", pl.lit(True), says, columns[0])
                found.append(Failing(number, check, fails & _complete(rows, columns)))
            if reference := placed.rule.refers():
                says = f"{reference.column} is not in {reference.table}.{reference.to}"
                check = Check("refers_to", pl.lit(True), says, reference.column)
                found.append(Failing(number, check, self._dangling(rows, reference)))
            if number in self.contracts:
                broken = self.contracts[number].of(rows)
                found.append(Failing(number, Check("json_schema", pl.lit(True), ""), broken.is_not_null(), broken))
        return found

    def _dangling(self, rows: pl.DataFrame, reference: Reference) -> pl.Series:
        """Where a value, or an element of a list, is in no row of the other table."""
        column, known = rows[reference.column], self.known(reference)
        kind = column.dtype.inner if isinstance(column.dtype, pl.List) else column.dtype
        if known.dtype != kind:
            raise Mistake(
                "column-type",
                f"{reference.column} is {kind}, {reference.table}.{reference.to} is {known.dtype}",
                "declare the same type for both",
            )
        if isinstance(column.dtype, pl.List):
            missing = column.list.set_difference(pl.Series([known.to_list()]))
            return (missing.list.drop_nulls().list.len() > 0).fill_null(False)
        return (~column.is_in(known.implode()) & column.is_not_null()).fill_null(False)

    def _broken(self, rows: pl.DataFrame, one: Failing, shown: pl.Series) -> pl.DataFrame:
        """What is told of each row that fails a check: nothing of its values where a rule or a mask hides them."""
        placed, column = self.rules[one.number], one.check.column
        failing, visible = rows.filter(one.rows), shown.filter(one.rows)
        columns = [name for name in rows.columns if name not in HIDDEN]
        record = failing.select(pl.struct(columns).struct.json_encode()).to_series()
        keys = key_texts(failing, self.key)
        about = abouts(self.naming, self.table, keys, record)
        says = pl.repeat(one.check.says, failing.height, eager=True) if one.says is None else one.says.filter(one.rows)
        if self.masked:
            failing = failing.with_columns(_hidden(name) for name in columns if name in self.masked)
            record = failing.select(pl.struct(columns).struct.json_encode()).to_series()
            keys = key_texts(failing, self.key)
        value = _as_text(failing, column) if column in failing.columns else pl.lit(None, pl.String)
        return failing.select(
            pl.col(AT),
            id=pl.Series([named(placed.word, column, *one) for one in zip(says, about, strict=True)], dtype=pl.String),
            rule=pl.lit(placed.word),
            level=pl.lit(placed.rule.level),
            column=pl.lit(column, pl.String),
            value=pl.when(visible).then(value),
            says=says,
            spec=pl.lit(str(placed.mark)),
            key=pl.when(visible).then(keys),
            record=pl.when(visible).then(record),
            about=about,
        )

    # --- the table as a whole

    def count(self, rows: pl.DataFrame) -> None:
        """Take rows of the table into the totals that its verdicts rest on."""
        for number, placed in enumerate(self.rules):
            if wanted := placed.rule.totals():
                new = rows.select(expr.alias(name) for name, expr in wanted.items()).row(0, named=True)
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


def repeats(
    rules: Sequence[Rule], key: Sequence[str], frames: Callable[[], Iterable[pl.DataFrame]]
) -> dict[int, pl.Series]:
    """For rules that want other columns than the key to be unique: the rows that repeat an earlier one."""
    found = {}
    for number, rule in enumerate(rules):
        columns = rule.unique()
        if columns and set(columns) != set(key):
            found[number] = repeated_rows(frames, columns)
    return found


def repeated_rows(frames: Callable[[], Iterable[pl.DataFrame]], columns: Sequence[str]) -> pl.Series:
    """The arrival numbers of rows whose values in some columns a row of the table has that was there before.

    Hashes of all rows find the few that may be repeated; those are compared by value. Two passes, eight bytes a row.
    """
    hashes = [_hash(frame, columns) for frame in _whole(frames, columns)]
    every = pl.concat(hashes) if hashes else pl.Series(dtype=pl.UInt64)
    suspects = every.filter(every.is_duplicated()).unique().implode()
    if not suspects.list.len().sum():
        return pl.Series(dtype=pl.UInt64)
    again = (
        frame.filter(_hash(frame, columns).is_in(suspects)).select(*columns, AT, RUN, UNTIL)
        for frame in _whole(frames, columns)
    )
    found = pl.concat(list(again)).sort(AT, nulls_last=False)
    still_there = pl.col(UNTIL).cum_max().shift(1).over(columns) > pl.col(RUN)
    return found.filter(still_there)[AT].drop_nulls()


def _whole(frames: Callable[[], Iterable[pl.DataFrame]], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    return (frame.drop_nulls(list(columns)) for frame in frames())


def _hash(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return frame.select(columns).hash_rows(seed=0)


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


def _complete(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return rows.select(pl.all_horizontal(pl.col(name).is_not_null() for name in columns)).to_series()


def _as_text(rows: pl.DataFrame, column: str | None) -> pl.Expr:
    assert column
    if isinstance(rows.schema[column], (pl.List, pl.Struct)):
        return pl.struct(column).struct.json_encode()
    return pl.col(column).cast(pl.String)
