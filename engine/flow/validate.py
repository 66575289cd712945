"""Good rows and bad rows: every rule over every row in one pass, reasons only for the rows that fail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine.core.errors import Json, Mark, Mistake
from engine.core.kinds import Check, Reference, Rule, View
from engine.flow.frames import AT
from engine.flow.merge import HIDDEN, RUN, UNTIL

SHOWN = 3
"""Examples of failing rows that are told with a rule's result."""
BROKEN = {
    AT: pl.UInt64(),
    "rule": pl.String(),
    "level": pl.String(),
    "column": pl.String(),
    "value": pl.String(),
    "says": pl.String(),
    "spec": pl.String(),
    "record": pl.String(),
}


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

    @property
    def passed(self) -> bool:
        """Whether the rule holds, or fails within its tolerance."""
        if self.verdict is not None:
            return False
        return self.failed <= round(self.tolerance * self.checked, 6)  # 29 % of 100 is 28.999999999999996

    def as_json(self) -> dict[str, Json]:
        """The outcome for reports."""
        return {
            "rule": self.rule,
            "level": self.level,
            "spec": str(self.mark),
            "failed": self.failed,
            "checked": self.checked,
            "passed": self.passed,
            "says": self.verdict or self.says,
        }


@dataclass
class Validator:
    """The rules of one table, applied batch by batch."""

    rules: Sequence[Placed]
    view: View
    key: Sequence[str]
    repeated: Mapping[int, frozenset[int]]
    """Rule number -> arrival numbers of rows whose values an earlier row has (rules on other columns than the key)."""
    known: Callable[[Reference], pl.Series]
    """The values of another table's column."""
    broken_contracts: Mapping[int, Mapping[int, str]]
    """Rule number -> arrival number -> what is wrong with the raw record."""
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
        failed: dict[int, pl.Series] = {}
        shown = pl.repeat(True, rows.height, eager=True)
        for _, check, fails in found:
            shown = shown & ~fails if check.hides else shown
        for number, check, fails in found:
            if not fails.any():
                continue
            failed[number] = fails | failed[number] if number in failed else fails
            outcome = self.outcomes[number]
            outcome.says = outcome.says or check.says
            if outcome.level == "error":
                bad = bad | fails
                broken.append(self._broken(rows.filter(fails), number, check, shown.filter(fails)))
        for number, outcome in enumerate(self.outcomes):
            outcome.checked += rows.height
            outcome.failed += int(failed[number].sum()) if number in failed else 0
        good = rows.filter(~bad) if len(broken) > 1 else rows
        return good, pl.concat(broken)

    def _failing(self, rows: pl.DataFrame, same_key: pl.Series) -> list[tuple[int, Check, pl.Series]]:
        """Rule number, check and mask of failing rows, for every check."""
        masks = rows.select(check.fails.alias(str(at)) for at, (_, check) in enumerate(self._checks))
        found = [(number, check, masks[str(at)]) for at, (number, check) in enumerate(self._checks)]
        for number, placed in enumerate(self.rules):
            if columns := placed.rule.unique():
                says = f"another row has the same {', '.join(columns)}"
                fails = (
                    same_key if self._is_key(columns) else self._at_is_in(rows, self.repeated.get(number, frozenset()))
                )
                found.append(
                    (number, Check("unique", pl.lit(True), says, columns[0]), fails & _complete(rows, columns))
                )
            if reference := placed.rule.refers():
                says = f"{reference.column} is not in {reference.table}.{reference.to}"
                found.append(
                    (number, Check("refers_to", pl.lit(True), says, reference.column), self._dangling(rows, reference))
                )
            for says, numbers in self._breaches(rows, self.broken_contracts.get(number, {})).items():
                found.append((number, Check("json_schema", pl.lit(True), says), self._at_is_in(rows, numbers)))
        return found

    def _breaches(self, rows: pl.DataFrame, broken: Mapping[int, str]) -> dict[str, set[int]]:
        """What is wrong with records of these rows -> their arrival numbers."""
        found: dict[str, set[int]] = {}
        for at in rows[AT].filter(self._at_is_in(rows, broken)):
            found.setdefault(broken[at], set()).add(at)
        return found

    def _is_key(self, columns: Sequence[str]) -> bool:
        return bool(self.key) and set(columns) == set(self.key)

    def _at_is_in(self, rows: pl.DataFrame, numbers: Collection[int]) -> pl.Series:
        return rows[AT].is_in(sorted(numbers)) if numbers else pl.repeat(False, rows.height, eager=True)

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

    def _broken(self, rows: pl.DataFrame, number: int, check: Check, shown: pl.Series) -> pl.DataFrame:
        placed = self.rules[number]
        columns = [name for name in rows.columns if name not in HIDDEN]
        value = _as_text(rows, check.column) if check.column in rows.columns else pl.lit(None, pl.String)
        return rows.select(
            pl.col(AT),
            rule=pl.lit(placed.word),
            level=pl.lit(placed.rule.level),
            column=pl.lit(check.column, pl.String),
            value=pl.when(shown).then(value),
            says=pl.lit(check.says),
            spec=pl.lit(str(placed.mark)),
            record=pl.when(shown).then(pl.struct(columns).struct.json_encode()),
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
) -> dict[int, frozenset[int]]:
    """For rules that want other columns than the key to be unique: the rows that repeat an earlier one."""
    found = {}
    for number, rule in enumerate(rules):
        columns = rule.unique()
        if columns and set(columns) != set(key):
            found[number] = repeated_rows(frames, columns)
    return found


def repeated_rows(frames: Callable[[], Iterable[pl.DataFrame]], columns: Sequence[str]) -> frozenset[int]:
    """The arrival numbers of rows whose values in some columns a row of the table has that was there before.

    Hashes of all rows find the few that may be repeated; those are compared by value. Two passes, eight bytes a row.
    """
    hashes = [_hash(frame, columns) for frame in _whole(frames, columns)]
    every = pl.concat(hashes) if hashes else pl.Series(dtype=pl.UInt64)
    suspects = every.filter(every.is_duplicated()).unique().implode()
    if not suspects.list.len().sum():
        return frozenset()
    again = (
        frame.filter(_hash(frame, columns).is_in(suspects)).select(*columns, AT, RUN, UNTIL)
        for frame in _whole(frames, columns)
    )
    found = pl.concat(list(again)).sort(AT, nulls_last=False)
    still_there = pl.col(UNTIL).cum_max().shift(1).over(columns) > pl.col(RUN)
    return frozenset(found.filter(still_there)[AT].drop_nulls().to_list())


def _whole(frames: Callable[[], Iterable[pl.DataFrame]], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    return (frame.drop_nulls(list(columns)) for frame in frames())


def _hash(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return frame.select(columns).hash_rows(seed=0)


def _together(name: str, old: Any, new: Any) -> Any:
    if old is None or new is None:
        return new if old is None else old
    return old + new if name.startswith("sum_") else min(old, new) if name.startswith("min_") else max(old, new)


def _complete(rows: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    return rows.select(pl.all_horizontal(pl.col(name).is_not_null() for name in columns)).to_series()


def _as_text(rows: pl.DataFrame, column: str | None) -> pl.Expr:
    assert column
    if isinstance(rows.schema[column], (pl.List, pl.Struct)):
        return pl.struct(column).struct.json_encode()
    return pl.col(column).cast(pl.String)
