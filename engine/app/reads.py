"""How the columns of a table are read: by Polars and what it presumes for that, or by jmespath.py and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from engine.core.errors import Json
from engine.core.select import Column, Shape, presumes
from engine.spec.model import Table

KINDS = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false"}
DOUBT = "where a record leaves it in doubt, jmespath.py is asked"

# What the reason matches, and what an author could write in its place; a reason that matches nothing has no other way.
INSTEAD = (
    (r"record as a whole", "records: [*].{value: @} makes objects of records that are bare values"),
    (r"values of an object", "rows: { each: path, key_as: name } makes a row of each value of a map"),
    (r"list of lists|lists of lists|objects made", "put [] behind it for one flat list, or declare type: json"),
    (r"one value where a list", "declare the type of the value"),
    (r"where one value is wanted", "declare type: list or json, or take one element or field of it"),
    (r"plain path", "read the plain path as json, and choose from it with sql"),
    (r"is read as|in one place|compared with", "read the field in one way in all columns, or one of them as json"),
    (
        r"and something else|various kinds|other kinds|kind the compared",
        "a column for each kind, and sql: COALESCE(one, other)",
    ),
    (r"counts as true", "compare it with null, which any object differs from: field != `null`"),
    (r"all of its JSON", "the path without to_string() in a column of type: json"),
    (
        r"lists or objects as a whole",
        "compare lengths or single elements, or columns of type: list with sql: one = other",
    ),
    (r"\(\) has no|fractions", "read the parts as columns, and work it out with sql"),
    (r"raises|refuses", "sql works it out of what it should be given, read as a column"),
    (r"written in the expression|same for every element", "a column with sql instead of path"),
)


def how(table: Table, added: AbstractSet[str] = frozenset()) -> list[dict[str, Json]]:
    """For each column that is read from records: its path, by what, what is presumed, and why it is not Polars.

    `added` are the fields that endpoints add. Of a type that is not declared it is a list where it can only be one.
    """
    from engine.flow.columns import Wanted, asks, reading  # loads polars, which most commands do without
    from engine.flow.reshape import Reshaper

    columns = {name: column for name, column in table.columns.items() if not column.sql}
    read = Reshaper(table.rows, columns).columns if table.rows else columns
    wanted = [Wanted(name, column.path, column.type or "string", column.unit) for name, column in read.items()]
    undeclared = {name for name, column in read.items() if not column.type} & {*reading(wanted).slow}
    lists = [replace(one, type="list") if one.name in undeclared else one for one in wanted]
    slow = reading(lists).slow
    wanted = [one if one.name in slow else as_list for one, as_list in zip(wanted, lists, strict=True)]
    done, found = reading(wanted), []
    if not table.rows and asks(done.fields, added):
        done = reading(wanted, added=added)
    for one in wanted:
        path, why = str(columns[one.name].path), done.slow.get(one.name, "")
        by = "jmespath.py" if why else "bytes" if one.name in done.texts else "Polars"
        column = done.columns.get(one.name)
        said = {"presumes": _presumed(column) if column else [], "why": why, "instead": instead(why)}
        found.append({"column": one.name, "path": path, "by": by, **said})
    return found


def instead(reason: str) -> str:
    """What an author could write in place of what is refused for this reason; empty where there is nothing."""
    return next((advice for pattern, advice in INSTEAD if re.search(pattern, reason)), "") if reason else ""


def _presumed(column: Column) -> list[str]:
    """What a translation presumes: `text: apiProxy, revision`."""
    places: dict[str, list[str]] = {}
    for place, kind in _places(column.fields, ""):
        places.setdefault(KINDS.get(kind, kind), []).append(place)
    said = [f"{kind}: {', '.join(at)}" for kind, at in places.items()]
    return [*said, DOUBT] if column.doubt is not None else said


def _places(shape: Shape, at: str) -> Iterator[tuple[str, str]]:
    """The places at which a value is presumed to be of a kind."""
    if isinstance(shape, str):
        if presumes(shape):
            yield at, shape
    elif isinstance(shape, Mapping):
        for name, inner in shape.items():
            yield from _places(inner, f"{at}.{_quoted(name)}".lstrip("."))
    else:
        yield from _places(shape[0], f"{at}[]")


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f'"{name}"'
