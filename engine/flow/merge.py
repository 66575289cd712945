"""How the rows of several runs become one table, by the table's mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from engine.flow.frames import AT
from engine.flow.sort import WHOLE, duplicates, same_key
from engine.spec.model import Deduplicate

RUN = " run"
"""Which of the runs a row came with, from 0; -1 for what was there before."""
UNTIL = " until"
"""The run that brought the next row of the same key, which takes this one's place."""
OWNER = " owner"
"""Whose place a row takes: that of the one before it of the same."""
FOREVER = 2**62
HIDDEN = (AT, WHOLE, RUN, UNTIL)
"""Columns that no table shows."""


def keyed(key: Sequence[str]) -> pl.Expr:
    """Whether a row has a key, if only in part; without one it is no other's like, and none takes its place."""
    return pl.any_horizontal(pl.col(name).is_not_null() for name in key)


@dataclass(frozen=True)
class Merger:
    """Tells what is new in the sorted rows of a table, and puts it together with what was there before.

    Runs that are taken together leave what they would leave taken one by one.
    """

    mode: str
    key: Sequence[str]
    deduplicate: Deduplicate | None
    starts: Sequence[int]
    """The arrival number that each run begins with, in order."""
    where: pl.Expr | None = None
    """Which rows the table shows; another takes the place of the row before it all the same, and then is left out."""
    lasts: bool = False
    """Whether the page's order of rows, which is that of their times, holds from run to run."""

    @property
    def same(self) -> list[str]:
        """What two rows share that must not both be there: with upsert, a later run takes the earlier's place."""
        return [*self.key, RUN] if self.key and self.mode == "upsert" else list(self.key)

    @property
    def takes_places(self) -> bool:
        """Whether a row may take another's place, beyond one that is the same in all."""
        return self.mode == "upsert" or bool(self.deduplicate and self.key)

    def arrived(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame, int]:
        """The new rows, whether each has the key of one that must not be there too, and how many came twice.

        Before the number: the new rows that are left out.
        """
        rows, repeated = self._distinct(frame)
        new = rows[AT].is_not_null()
        if self.where is None:
            return rows.filter(new), same_key(rows, self.same).filter(new), rows.clear(), repeated
        shown = self.shown(rows.filter(new))
        left_out = rows.filter(new).filter(~self.where.fill_null(False))
        return shown, same_key(shown, self.same), left_out, repeated

    def shown(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that the table shows."""
        return rows if self.where is None else rows.filter(self.where)

    def there(self, frame: pl.DataFrame, is_apart: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
        """All rows, each with the run until which it is there; those whose numbers are set apart never are."""
        rows, _ = self._distinct(frame)
        out, following = pl.lit(is_apart(rows[AT])), pl.lit(None, pl.Int64)
        if self.mode == "upsert":
            again = pl.lit(same_key(rows, self.key)).shift(-1, fill_value=False)
            following = pl.when(again).then(pl.when(~out).then(RUN).shift(-1)).otherwise(FOREVER).backward_fill()
        until = pl.when(out).then(RUN).otherwise(following.fill_null(FOREVER))
        owner = rows.select(self.key).hash_rows(seed=0) if self.mode == "upsert" else None
        return self.shown(rows.with_columns(until.alias(UNTIL), pl.lit(owner, pl.UInt64).alias(OWNER)))

    def merged(self, frame: pl.DataFrame, good: pl.DataFrame, left_out: pl.DataFrame) -> pl.DataFrame:
        """What was there before and the good rows that came, in the order of the table, also those not shown."""
        good = pl.concat([good, left_out]).sort(*self.key, AT) if left_out.height else good
        rows = good
        if frame[AT].null_count():
            before = frame.filter(pl.col(AT).is_null()).with_columns(pl.lit(-1, pl.Int64).alias(RUN))
            rows = pl.concat([before, good]).sort(list(self.key) or WHOLE, maintain_order=True)
        if self.mode == "upsert":
            rows = self._last(rows)
        return rows.drop(HIDDEN, strict=False)

    def _last(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Of each key the row that came last, or that the page's own order puts there, whenever it came."""
        rule = self.deduplicate
        if not (self.lasts and rule and rule.order_by):
            return rows.unique(subset=list(self.key), keep="last", maintain_order=True)
        ordered = rows.sort([*self.key, rule.order_by], maintain_order=True)
        return ordered.unique(subset=list(self.key), keep=rule.keep, maintain_order=True)

    def newest(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Of each key that came now: the last run that brought it."""
        came = self.numbered(frame).filter(pl.col(AT).is_not_null())
        return came.group_by(list(self.key), maintain_order=True).agg(pl.col(RUN).max())

    def outlived(self, frame: pl.DataFrame) -> pl.Series:
        """The numbers of new rows whose key a later run brought again."""
        came = self.numbered(frame).filter(pl.col(AT).is_not_null() & keyed(self.key))
        return came.filter(pl.col(RUN) < pl.col(RUN).max().over(self.key))[AT]

    def numbered(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Each row with the run it came with."""
        run = pl.Series(RUN, self.starts, dtype=pl.UInt64).search_sorted(frame[AT].fill_null(0), side="right")
        number = pl.when(pl.col(AT).is_null()).then(-1).otherwise(run.cast(pl.Int64) - 1)
        return frame.with_columns(number.alias(RUN))

    def _distinct(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """Old and new rows: repeats dropped, one new row a key and run where the page says so."""
        rows, repeated = duplicates(self.numbered(frame), self.same, apart=(AT, RUN))
        rule = self.deduplicate
        if rule is None or not self.key:
            return rows, repeated
        group = [*self.key] if self.mode == "replace" else [*self.key, RUN]
        chooses = pl.col(AT).is_not_null() & keyed(self.key)
        ordered = rows.filter(chooses).sort([*group, *([rule.order_by] if rule.order_by else []), AT])
        chosen = ordered.unique(subset=group, keep=rule.keep, maintain_order=True)[AT]
        kept = rows.filter(~chooses | pl.col(AT).is_in(chosen.implode()))
        return kept, repeated + rows.height - kept.height
