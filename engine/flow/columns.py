"""What the columns of a table read, and how their texts become values of the declared types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from engine.core import jsontext, select, sql
from engine.core.errors import Json
from engine.core.sql.types import TYPES as TYPES
from engine.flow import instants
from engine.spec.model import RAW, Column

FORMS: Mapping[str, Literal["list", "json"]] = {"list": "list", "json": "json"}
"""The types of columns that hold more than one value each, as the translator calls them."""
PRESUMED: Mapping[str, str] = {"integer": "number", "float": "number", "boolean": "boolean"}
"""What the values of a column are presumed to be where its path leaves that open; texts for all others."""


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
    columns: Mapping[str, select.Column]
    """Column -> its text, or list of texts, over the record's top-level fields."""
    fields: select.Fields
    texts: Mapping[str, tuple[str, ...]]
    """json column -> the plain path of its bytes."""
    slow: Mapping[str, str]
    """Column -> why jmespath.py reads it."""


def reading(
    wanted: Sequence[Wanted], *, seen: select.Seen = None, presuming: bool = True, added: Set[str] = frozenset()
) -> Reading:
    """Settle for each column how it is read.

    `seen` is what records hold, where that is known; without presuming, only columns are translated that are right
    whatever they hold. Of what kind values are that are `added` to records is not looked at.
    """
    found: dict[str, select.Column] = {}
    texts: dict[str, tuple[str, ...]] = {}
    slow: dict[str, str] = {}
    for column in wanted:
        if column.name == RAW:
            continue
        plain = select.compile(column.path).plain
        if column.type == "json" and plain:
            texts[column.name] = plain
            continue
        one = _translated(column, seen, presuming, added)
        if isinstance(one, select.Refusal):
            slow[column.name] = one.reason
        else:
            found[column.name] = one
    fields: select.Fields = {}
    for column in sorted((one for one in wanted if one.name in found), key=lambda one: found[one.name].presumes):
        both = select.merge(fields, found[column.name].fields)
        if isinstance(both, select.Conflict) and seen is None and presuming:  # as the columns before it presume
            again = _translated(column, select.presumed(fields), presuming, added)
            if isinstance(again, select.Column):
                found[column.name], both = again, select.merge(fields, again.fields)
        if isinstance(both, select.Conflict):
            slow[column.name] = both.reason
            del found[column.name]
        else:
            fields = both
    return Reading(wanted, found, fields, texts, slow)


def asks(fields: select.Fields, added: Set[str]) -> bool:
    """Whether more is read of a value that is added to records than its text."""
    return any(fields.get(name, select.TEXT) not in (select.TEXT, select.UNREAD) for name in added)


def _translated(column: Wanted, seen: select.Seen, presuming: bool, added: Set[str]) -> select.Column | select.Refusal:
    kind = "number" if column.unit else PRESUMED.get(column.type, "string")
    one = select.translate(column.path, of=FORMS.get(column.type, "scalar"), seen=seen, kind=kind)
    if isinstance(one, select.Refusal):
        return one
    if one.presumes and not presuming:
        return select.Refusal("the records hold values of other kinds than the expression is for")
    if asks(one.fields, added):
        return select.Refusal("it asks of what kind a value is that the endpoint adds")
    return one


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


def by_hand(column: Wanted, record: Json, at: int, refused: set[int]) -> Any:
    """A value by jmespath.py; where that refuses it, its place is one of the `refused`."""
    try:
        return text_of(select.compile(column.path).search(record), column.type)
    except select.SelectError:
        refused.add(at)
        return None


def text_type(column: Wanted) -> pl.DataType:
    """The type of its texts."""
    return pl.List(pl.String()) if column.type == "list" else pl.String()


def typed(column: Wanted) -> pl.Expr:
    """The value of a column of texts; null where the text does not fit the type."""
    text = pl.col(column.name)
    if column.type == "integer":
        return text.cast(pl.Int64, strict=False)
    if column.type == "float":
        return instants.finite(text)
    if column.type == "boolean":
        return text.replace_strict(["true", "false"], [True, False], default=None, return_dtype=pl.Boolean)
    if column.type == "date":
        return instants.formed(text, column.forms).dt.date() if column.forms else instants.day(text)
    if column.type == "datetime":
        return instants.formed(text, column.forms) if column.forms else instants.instant(text, column.unit)
    return text


def key_texts(rows: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    """The key of each row as JSON; null where it has none, or a null in it."""
    if not key:
        return pl.repeat(None, rows.height, dtype=pl.String, eager=True)
    whole = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
    return rows.select(pl.when(whole).then(pl.struct(list(key)).struct.json_encode())).to_series()


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
