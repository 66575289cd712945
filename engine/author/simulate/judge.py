"""The page's own rules, held against made-up records before they are served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from engine.core import select, sql
from engine.core.clock import read_instant
from engine.core.errors import Json, Mistake
from engine.core.kinds import Check, Rule, View
from engine.core.times import instant_of
from engine.spec.model import RAW, Column, Each, Table, Zipped

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Json]
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def rows_of(table: Table, record: Json) -> Iterator[Row]:
    """The rows of a table that a record holds, as the vendor writes their values."""
    compiled = {name: select.compile(column.path) for name, column in table.columns.items()}
    worked_out = any(column.sql for column in table.columns.values())
    for element in _down(record, record, [table.rows] if isinstance(table.rows, Zipped) else table.rows or []):
        row = {name: _search(chosen, element) for name, chosen in compiled.items()}
        yield {**row, RAW: _raw(element, inside=table.rows is not None)} if worked_out else row


def _raw(element: Json, *, inside: bool) -> str:
    drop = {"parent"} if inside else set()
    return json.dumps({k: v for k, v in element.items() if k not in drop} if isinstance(element, dict) else element)


def _search(chosen: select.Selection, element: Json) -> Json:
    try:
        return chosen.search(element)
    except select.SelectError:
        return None


def _down(record: Json, bare: Json, steps: Sequence[Each | Zipped]) -> Iterator[Json]:
    if not steps:
        yield record
        return
    step = steps[0]
    if isinstance(step, Zipped):
        names = select.compile(step.zip.names).search(record) or []
        found: Json = [
            dict(zip(names, one, strict=True)) for one in select.compile(step.zip.values).search(record) or []
        ]
    else:
        found = (bare if step.each == "@" else select.compile(step.each).search(record)) or []
    key_as = step.key_as if isinstance(step, Each) else None
    pairs = found.items() if isinstance(found, dict) else enumerate(found)
    for key, value in pairs:
        inner = value if isinstance(value, dict) else {"value": value}
        yield from _down({**inner, "parent": record, **({key_as: key} if key_as else {})}, value, steps[1:])


@dataclass(frozen=True)
class Contract:
    """A JSON Schema that the records of a table must meet, and its check."""

    schema: Mapping[str, Json]
    check: Callable[[Json], str | None]


@dataclass
class Judge:
    """The rules of one table."""

    name: str
    table: Table
    constants: Mapping[str, object]
    started_at: datetime
    read: Callable[[str], bytes] | None = None
    """Gives a file beside the page; without it contracts in files are left aside."""
    types: dict[str, pl.DataType] = field(init=False)
    checks: list[tuple[Rule, Check]] = field(init=False)
    contracts: list[Contract] = field(default_factory=list)
    _worked_out: dict[str, pl.Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.types = {name: _dtype(column) for name, column in self.table.columns.items()}
        self._work_out()
        view = View(self.types, self.constants, self.started_at)
        self.checks = []
        for rule in self.table.validate_:
            try:
                self.checks += [(rule, check) for check in rule.checks(view)]
                self._add_contract(rule)
            except Mistake:
                continue  # the run itself will say what is wrong with the rule

    def _work_out(self) -> None:
        """Settle the columns that are made of others."""
        import polars as pl

        columns = self.table.columns
        texts = {n: (one.sql, self.types[n] if one.type else None) for n, one in columns.items() if one.sql}
        read = {name: kind for name, kind in self.types.items() if name not in texts}
        try:
            found = sql.computed(texts, {**read, RAW: pl.String()}, self.constants)
        except Mistake:
            return  # the run itself will say what is wrong with it
        self._worked_out = {name: value for name, (value, _) in found.items()}
        self.types |= {name: kind for name, (_, kind) in found.items()}

    def _add_contract(self, rule: Rule) -> None:
        seen: list[bytes] = []

        def reading(name: str) -> bytes:
            assert self.read
            seen.append(self.read(name))
            return seen[-1]

        check = rule.record_check(reading) if self.read else None
        if check and seen:
            self.contracts.append(Contract(json.loads(seen[0]), check))

    def required(self) -> frozenset[str]:
        """The columns that may not be null: the key, and those for which a row of nulls fails."""
        found = {check.column for _, check, _ in self.failing([dict.fromkeys(self.types)]) if check.column}
        return frozenset(found | set(self.table.key))

    def unique(self) -> list[tuple[str, ...]]:
        """The columns that no two rows share."""
        own = [tuple(rule.unique()) for rule in self.table.validate_ if rule.unique()]
        every = [*own, tuple(self.table.key)] if self.table.key else own
        return [columns for columns in every if not set(columns) & set(self._worked_out)]

    def frame(self, rows: Sequence[Row]) -> pl.DataFrame:
        """Rows with the declared types."""
        import polars as pl

        nulls = set(self.table.null_values)
        columns = {
            name: [_typed(row.get(name), column, nulls) for row in rows] for name, column in self.table.columns.items()
        }
        columns |= {RAW: [row.get(RAW) for row in rows]} if self._worked_out else {}
        schema = {**self.types, RAW: pl.String()} if self._worked_out else self.types
        frame = pl.DataFrame(columns, schema=schema, strict=False)
        for name, value in self._worked_out.items():
            frame = frame.with_columns(value.alias(name))
        return frame.drop(RAW, strict=False)

    def failing(self, rows: Sequence[Row]) -> list[tuple[Rule, Check, list[int]]]:
        """Each check that rows fail, with their numbers."""
        import polars as pl

        if not rows or not self.checks:
            return []
        masks = self.frame(rows).select(check.fails.alias(str(at)) for at, (_, check) in enumerate(self.checks))
        found = []
        for at, (rule, check) in enumerate(self.checks):
            mask = masks[str(at)]
            numbers = pl.arange(0, len(rows), eager=True).filter(mask).to_list() if mask.any() else []
            found += [(rule, check, numbers)] if numbers else []
        return found


def _dtype(column: Column) -> pl.DataType:
    import polars as pl

    return {
        "integer": pl.Int64(),
        "float": pl.Float64(),
        "boolean": pl.Boolean(),
        "datetime": pl.Datetime("us", "UTC"),
        "date": pl.Date(),
        "list": pl.List(pl.String()),
    }.get(column.type or "string", pl.String())


def _typed(value: Json, column: Column, nulls: set[str]) -> Any:
    """A value as the walk would type it; null where it does not fit."""
    if value is None or (isinstance(value, str) and value in nulls):
        return None
    try:
        return _as_type(value, column)
    except (ValueError, TypeError, OverflowError):
        return None


def _as_type(value: Json, column: Column) -> Any:
    kind = column.type
    if kind == "list":
        return [str(one) for one in value] if isinstance(value, list) else [str(value)]
    if kind == "json" or isinstance(value, (dict, list)):
        return json.dumps(value)
    if kind == "integer":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))
    if kind == "datetime":
        return instant_of(value, column.format) if column.format else instant(value, column.unit)
    if kind == "date":
        return instant_of(value, column.format).date() if column.format else date.fromisoformat(str(value)[:10])
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def instant(value: Json, unit: str | None) -> datetime:
    """A time as the vendor writes it; raises ValueError."""
    if unit:
        return datetime.fromtimestamp(float(value) / UNITS[unit], UTC)
    return read_instant(str(value))
