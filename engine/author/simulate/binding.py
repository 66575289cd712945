"""What is settled about a record before it is made: by its parent, by the request, by a row that it goes with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.author.simulate.facts import Facts
from engine.author.simulate.form import Form
from engine.author.simulate.make import Pick
from engine.author.simulate.shape import Shape
from engine.author.simulate.vocabulary import noun, words
from engine.core import template
from engine.core.errors import Json
from engine.core.template import Template
from engine.core.window import Window
from engine.core.wire import as_text
from engine.flow.plan import Asked, Binding, Plan
from engine.spec.collect import Endpoint

Values = dict[Shape, Json]
NUMBERS = ("integer", "float", "boolean")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Link:
    """A table whose rows each have a partner among the records, by these places and columns."""

    table: str
    places: Mapping[Shape, str]


@dataclass
class Settled:
    """The values that all records of a unit have, and the tables that they go with row by row."""

    values: Values = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    around: list[tuple[frozenset[str], str]] = field(default_factory=list)
    """What the parents are called, and how each is named."""

    def partners(self, rows: Mapping[str, Sequence[Pick]]) -> list[Values]:
        """What each record takes from the row it goes with; none where it goes with no table."""
        for link in self.links:
            found = []
            for pick in rows.get(link.table, ()):
                taken = {shape: pick.row.get(column) for shape, column in link.places.items()}
                if all(self.values.get(shape, value) == value for shape, value in taken.items()):
                    found.append(taken)
            if rows.get(link.table):
                return found
        return []


@dataclass(frozen=True)
class Named:
    """A value of the request with the words that may name it in a record."""

    value: Json
    names: frozenset[str]
    field: str = ""
    """The parent's own name for it."""


def settled(plan: Plan, made: Form, asked: Asked, binding: Binding, known: Callable[[Shape], Facts]) -> Settled:
    """What the unit of a parent settles."""
    found = Settled()
    leaves = {child: known(child) for child in made.record.fields.values() if child.kind == "leaf"}
    end = datetime.fromtimestamp(0, UTC)
    for name, value in plan.add(asked, binding, {"id": "", "started_at": end}, Window(end, end)).items():
        if name in made.record.fields:
            found.values[made.record.fields[name]] = value
    named = list(_named(asked, binding))
    for leaf, fact in leaves.items():
        said = {fact.what, words(leaf.name), *(words(use.name) for use in leaf.uses)}
        for one in named:
            is_meant = said & one.names or (made.one and words(one.field) in said)
            if leaf not in found.values and is_meant and _fits(one.value, fact):
                found.values[leaf] = one.value
    if made.one and named:
        _settle_keys(made, found.values, named, leaves, binding)
    _settle_constants(made, found.values, known)
    found.around = [(one.names, str(one.value)) for one in named]
    if not made.one:
        found.links = list(_links(plan, made))
    return found


def _named(asked: Asked, binding: Binding) -> Iterator[Named]:
    """Each value that templates of the request take from a parent."""
    fields = [("", asked.endpoint.path or ""), *fields_of(asked.endpoint)]
    for key, text in fields:
        if not isinstance(text, Template):
            continue
        for reference in template.compile(text).references:
            if reference.namespace not in binding:
                continue
            value: Json = binding[reference.namespace]
            parent = asked.parents.get(reference.namespace)
            value = value[0] if parent and parent.group and isinstance(value, list) else value
            for step in reference.path:
                value = value.get(step) if isinstance(value, dict) else None
            if value is None or isinstance(value, (dict, list)):
                continue
            literal = re.findall(r"/([\w-]+)/$", text[: reference.offset].rpartition("${")[0]) if not key else [key]
            last = reference.path[-1] if reference.path else ""
            alias = words(reference.namespace)
            names = {f"{alias} {words(last)}".strip(), *(noun(one) for one in literal)}
            yield Named(value, frozenset({*names, *([alias] if not last or last in ("id", "name") else [])}), last)


def fields_of(endpoint: Endpoint) -> Iterator[tuple[str, Any]]:
    """Name and value of every field of its requests, those inside others by their own names."""
    create = endpoint.job.create if endpoint.job else None
    graphql = endpoint.graphql.variables if endpoint.graphql else {}
    bodies = [endpoint.body, endpoint.form, endpoint.multipart, graphql, create and create.body]
    open_ = [endpoint.query, endpoint.header, create.query if create else {}, *bodies]
    for value in open_:
        for name, one in value.items() if isinstance(value, Mapping) else ():
            if isinstance(one, Mapping):
                open_.append(one)
            else:
                yield name, one


def _settle_keys(
    made: Form, values: Values, named: Sequence[Named], leaves: Mapping[Shape, Facts], binding: Binding
) -> None:
    """One object is named by its address: its key takes what the address has left, from the right."""
    keys = [leaf for leaf, fact in leaves.items() if fact.key_part and leaf not in values]
    left = [one for one in named if one.value not in values.values()]
    for leaf, one in zip(reversed(keys), reversed(left), strict=False):
        if _fits(one.value, leaves[leaf]):
            values[leaf] = one.value
    record = binding[list(binding)[-1]] if binding else None
    if len(named) == 1 and isinstance(record, dict):
        for leaf, fact in leaves.items():
            if isinstance(record.get(leaf.name), str) and not fact.unit and _fits(record[leaf.name], fact):
                values.setdefault(leaf, record[leaf.name])


def _fits(value: Json, fact: Facts) -> bool:
    """Whether a column of the value's type can read what its parent has: of that one the page may know no type."""
    return not isinstance(value, str) or fact.type not in NUMBERS or bool(NUMBER.fullmatch(value))


def _settle_constants(made: Form, values: Values, known: Callable[[Shape], Facts]) -> None:
    """A constant of the request that is one of a field's values filters by it: `status=revoked`, `keyStatus=…`."""
    for name, text in fields_of(made.endpoint):
        if not isinstance(text, str) or (isinstance(text, Template) and not template.compile(text).constant):
            continue
        asked = words(name).split()
        for shape in made.record.walk():
            if shape.kind != "leaf" or text not in known(shape).values or words(shape.name) != asked[-1]:
                continue
            at_root = shape in made.record.fields.values()
            around = {word for use in shape.uses for word in noun(use.table).split()}
            if (len(asked) == 1 and at_root) or (len(asked) > 1 and not at_root and set(asked[:-1]) <= around):
                values[shape] = as_text(text)


def _links(plan: Plan, made: Form) -> Iterator[Link]:
    """Tables that join one made of these records by several columns: their rows go together one to one."""
    for name, table in plan.pipeline.tables.items():
        for step in table.enrich:
            on = getattr(step, "on", None)
            if step.table() not in made.tables or not isinstance(on, dict) or len(on) < 2:
                continue
            places = {}
            for theirs, mine in on.items():
                for shape in made.record.walk():
                    if any(use.table == step.table() and use.name == mine and not use.nested for use in shape.uses):
                        places[shape] = str(theirs)
            if len(places) == len(on):
                yield Link(name, places)
