"""What the columns of a table read, and how their texts become values of the declared types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine.core import jsontext, select, sql
from engine.core.errors import Json
from engine.core.sql.types import TYPES as TYPES
from engine.core.sql.types import UTC_TIME
from engine.spec.model import RAW, Column

MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
EPOCHS = {"epoch_s": "s", "epoch_ms": "ms"}
FIRST_MICROSECOND, LAST_MICROSECOND = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999: beyond them no reader of the tables knows a time."""


@dataclass(frozen=True)
class Wanted:
    """One column with its type settled."""

    name: str
    path: str
    type: str
    unit: str | None = None
    forms: tuple[str, ...] = ()
    """The forms in which a time or a date comes, tried in this order; RFC 3339 unless said."""
    seen: bool = field(default=True, compare=False)
    """Whether its type was declared or seen; where all first records are null there, a later run may still see it."""


@dataclass(frozen=True)
class Reading:
    """How the columns of a table are taken from records: by Polars where that is exact, else one by one."""

    wanted: Sequence[Wanted]
    exprs: Mapping[str, pl.Expr]
    """Column -> its text, or list of texts, over the record's top-level fields."""
    fields: select.Fields
    texts: Mapping[str, tuple[str, ...]]
    """json column -> the plain path of its bytes."""
    slow: Mapping[str, str]
    """Column -> why jmespath.py reads it."""


def reading(wanted: Sequence[Wanted]) -> Reading:
    """Settle for each column how it is read."""
    exprs: dict[str, pl.Expr] = {}
    fields: select.Fields = {}
    texts: dict[str, tuple[str, ...]] = {}
    slow: dict[str, str] = {}
    for column in wanted:
        if column.name == RAW:
            continue
        if column.type == "json":
            plain = select.compile(column.path).plain
            if plain:
                texts[column.name] = plain
            else:
                slow[column.name] = "only a plain path to JSON is taken as bytes"
            continue
        found = select.translate(column.path, of="list" if column.type == "list" else "scalar")
        if isinstance(found, select.Refusal):
            slow[column.name] = found.reason
            continue
        both = select.merge(fields, found.fields)
        if isinstance(both, select.Conflict):
            slow[column.name] = both.reason
            continue
        fields, exprs[column.name] = both, found.expr
    return Reading(wanted, exprs, fields, texts, slow)


def text_of(value: Json, kind: str) -> Any:
    """One value as the fast way would read it: text, list of texts, or JSON text. Raises SelectError."""
    if value is None:
        return None
    if kind == "json":
        return jsontext.write(value).decode()
    if kind == "list":
        if not isinstance(value, list):
            raise select.SelectError("found one value where a list is declared")
        return [select.leaf_text(one) for one in value]
    return select.leaf_text(value)


def typed(column: Wanted) -> pl.Expr:
    """The value of a column of texts; null where the text does not fit the type."""
    text = pl.col(column.name)
    if column.type == "integer":
        return text.cast(pl.Int64, strict=False)
    if column.type == "float":
        number = text.cast(pl.Float64, strict=False)  # reads NaN and inf, and 1e400 as inf: JSON has no such numbers
        return pl.when(number.is_finite()).then(number)
    if column.type == "boolean":
        return text.replace_strict(["true", "false"], [True, False], default=None, return_dtype=pl.Boolean)
    if column.type == "date":
        if column.forms:
            return pl.coalesce([_formed(text, form).dt.date() for form in column.forms])
        return _day(text)
    if column.type == "datetime":
        if column.forms:
            return pl.coalesce([_formed(text, form) for form in column.forms])
        return _epoch(text, column.unit) if column.unit else _instant(text)
    return text


def _formed(text: pl.Expr, form: str) -> pl.Expr:
    """A time in one form; null where it has another."""
    if form in EPOCHS:
        return _epoch(text, EPOCHS[form])
    if form in ("iso", "date"):
        return _instant(text) if form == "iso" else _day(text).cast(UTC_TIME)
    has_time = any(letter in form for letter in ("%H", "%I", "%T", "%R", "%X", "%c", "%s"))
    if has_time:
        instant = text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    else:
        instant = text.str.to_date(form, strict=False).cast(UTC_TIME)
    # `%Y` takes the 25 of 11/23/25 for the year 25
    return pl.when(instant.dt.year().is_between(1000, 9999)).then(instant)


def _day(text: pl.Expr) -> pl.Expr:
    day = text.str.replace(r"[T ]00:00:00(\.0+)?$", "")  # spreadsheets have no dates but times at midnight
    return pl.when(day.str.len_bytes() == 10).then(day.str.to_date("%Y-%m-%d", strict=False))


def _instant(text: pl.Expr) -> pl.Expr:
    """RFC 3339; without an offset it is UTC."""
    read = [
        text.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
        for form in ("%+", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")
    ]
    instant = pl.coalesce(read)
    return pl.when(_known_time(instant.dt.epoch("us"))).then(instant)


def _epoch(text: pl.Expr, unit: str) -> pl.Expr:
    number = text.cast(pl.Int64, strict=False)
    if unit == "ns":
        return (number // 1_000).cast(UTC_TIME)
    factor = MICROSECONDS[unit]
    # The bounds are those of the number: multiplied first, it would wrap around into them.
    whole = pl.when(_known_time(number, factor)).then(number * factor)
    fraction = (text.cast(pl.Float64, strict=False) * factor).round().cast(pl.Int64, strict=False)
    return pl.coalesce(whole, pl.when(_known_time(fraction)).then(fraction)).cast(UTC_TIME)


def _known_time(number: pl.Expr, factor: int = 1) -> pl.Expr:
    return number.is_between(-(-FIRST_MICROSECOND // factor), LAST_MICROSECOND // factor)


def infer(name: str, path: str, records: Sequence[Json]) -> Wanted:
    """A column whose type nobody declared, from the values it has in the first records.

    Nothing is read by guess: a text stays text, whatever it looks like.
    """
    found = (select.compile(path).search(record) for record in records)
    seen = {_kind(value) for value in found if value is not None}
    return Wanted(name, path, _together(seen), seen=bool(seen))


def _together(kinds: Set[str]) -> str:
    """The type of values of these kinds."""
    if kinds == {"integer", "float"}:
        return "float"
    return next(iter(kinds), "string") if len(kinds) < 2 else "json"


def _kind(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(2**63) <= value < 2**63 else "string"
    if isinstance(value, float):
        return "float"
    if isinstance(value, list):
        return "list" if all(not isinstance(one, (list, dict)) for one in value) else "json"
    return "string" if isinstance(value, str) else "json"


def settle(columns: Mapping[str, Column], pinned: Mapping[str, str], records: Sequence[Json]) -> list[Wanted]:
    """Every column that is read, with its type: declared, pinned by an earlier run, or seen in the first records."""
    found = []
    for name, column in columns.items():
        if column.sql:
            continue
        kind = column.type or pinned.get(name)
        known = Wanted(name, column.path, kind, column.unit, tuple(column.format)) if kind else None
        found.append(known or infer(name, column.path, records))
    return found


def computed(
    columns: Mapping[str, Column], read: Sequence[Wanted], constants: Mapping[str, object]
) -> dict[str, tuple[pl.Expr, pl.DataType]]:
    """The columns that are worked out of those that are read. Raises Mistake."""
    worked_out = {name: (column.sql, column.type) for name, column in columns.items() if column.sql}
    texts = {name: (text, TYPES[kind] if kind else None) for name, (text, kind) in worked_out.items()}
    return sql.computed(texts, {RAW: pl.String(), **{one.name: TYPES[one.type] for one in read}}, constants)


def reads_raw(columns: Mapping[str, Column]) -> bool:
    """Whether a column is worked out of the record as a whole."""
    return any(RAW in sql.columns_of(column.sql) for column in columns.values() if column.sql)


def other_fields(records: Iterable[Json], columns: Mapping[str, Column], pinned: Mapping[str, str]) -> list[Wanted]:
    """A column for each top-level field that no column is called by or reads as it is."""
    plain = (select.compile(column.path).plain or () for column in columns.values())
    taken = {*columns, *(path[0] for path in plain if len(path) == 1)}
    return [one for one in all_fields(records, pinned) if one.name not in taken]


def all_fields(records: Iterable[Json], pinned: Mapping[str, str]) -> list[Wanted]:
    """A column for each top-level field of all records, for an endpoint without a table.

    A field may first appear in the last record, so all are looked at. What is no object becomes the field `value`.
    """
    seen: dict[str, set[str]] = {name: set() for name in pinned}
    path_of_value = "@"
    for record in records:
        if isinstance(record, dict) and "value" in record:
            path_of_value = "value"
        for name, value in record.items() if isinstance(record, dict) else [("value", record)]:
            kinds = seen.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))
    paths = {name: path_of_value if name == "value" else jsontext.canonical(name) for name in seen}
    return [
        Wanted(name, paths[name], pinned.get(name) or _together(kinds), seen=name in pinned or bool(kinds))
        for name, kinds in seen.items()
    ]
