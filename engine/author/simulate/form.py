"""What the answers of an endpoint look like: envelope and record, from everything on the page that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.author.simulate.judge import Contract, Judge
from engine.author.simulate.shape import Shape, Spot, Use, grow, settle
from engine.author.simulate.vocabulary import noun, singular
from engine.core import select, template
from engine.core.errors import Json
from engine.core.select import Jmes
from engine.flow.plan import templates_in
from engine.spec.model import Each, Endpoint, Parent, Pipeline, Table, Zipped

SELDOM = 0.08


@dataclass
class Form:
    """One endpoint's answers."""

    name: str
    endpoint: Endpoint
    record: Shape
    envelope: Shape
    spot: Shape
    """Where in the envelope the records stand."""
    one: bool
    """Whether an answer is one record, not a list of them."""
    tables: tuple[str, ...]
    children: int
    """How many endpoints are repeated for its records."""
    keys: set[Shape] = field(default_factory=set)
    """Values that name a record alone: the paginator counts on them."""
    needed: set[Shape] = field(default_factory=set)
    """Values that requests for its children are made of."""

    @property
    def noun(self) -> str:
        """What one record is called."""
        return noun(self.tables[0] if len(self.tables) == 1 else self.name)

    def envelop(self, rows: Sequence[Json]) -> Json:
        """The answer with these records in it."""
        if self.one:
            return rows[0] if rows else None
        if not rows and self.endpoint.may_be_absent and self.spot is not self.envelope:
            return {}
        return _envelop(self.envelope, list(rows), self.spot)


def _envelop(shape: Shape, rows: list[Json], spot: Shape) -> Json:
    if shape is spot:
        return rows
    if shape.kind == "list":
        assert shape.element
        if shape.element is spot:
            return rows
        if not any(inner.kind == "list" for inner in shape.element.walk()):
            return [_one(shape.element, row, spot) for row in rows]
        return [_envelop(shape.element, rows, spot)]
    return {name: _envelop(child, rows, spot) for name, child in shape.fields.items() if spot in set(child.walk())}


def _one(shape: Shape, row: Json, spot: Shape) -> Json:
    if shape is spot:
        return row
    return {name: _one(child, row, spot) for name, child in shape.fields.items()}


def form(pipeline: Pipeline, name: str, judges: Mapping[str, Judge]) -> Form:
    """The form of an endpoint's answers."""
    endpoint = pipeline.endpoints[name]
    envelope, record = Shape(), Shape(singular(name))
    tables = tuple(pipeline.table_of(name))
    made = Form(name, endpoint, record, envelope, envelope, False, tables, 0)
    for table in tables:
        _read_by_table(record, table, pipeline.tables[table])
    for other in pipeline.endpoints.values():
        made.children += name in other.parents
        _read_by_child(pipeline, made, other)
    _read_by_paging(made)
    if endpoint.incremental and endpoint.incremental.field:
        grow(record, endpoint.incremental.field)
    for table in tables:
        for contract in judges[table].contracts:
            _under_contract(record, contract)
    for rule in endpoint.redact:
        if not rule.path.startswith("*"):
            for shape in grow(record, rule.path).shapes:
                shape.secret = True
        else:
            for shape in record.walk():
                shape.secret = shape.secret or shape.name == rule.path.rpartition(".")[2]
    settle(record)
    _place(made)
    return made


def _place(made: Form) -> None:
    """Where records stand, and whether an answer is a list of them."""
    endpoint = made.endpoint
    spot = grow(made.envelope, endpoint.records)
    made.spot = spot.shapes[0] if spot.shapes else made.envelope
    if endpoint.records != "@" or endpoint.file:
        return
    last = (endpoint.get or endpoint.post or "").rstrip("/").rpartition("/")[2]
    plural = last.endswith("s") and "$" not in last and not last.endswith(("stats", "status", "ss"))
    bare = made.record.kind == "leaf" or endpoint.paginate is not None
    made.one = not bare and not (plural and all(table_has_no_rows(made, t) for t in made.tables))


def table_has_no_rows(made: Form, table: str) -> bool:
    """Whether each record is one row of the table, so far as its uses tell."""
    return not any(use.nested for shape in made.record.walk() for use in shape.uses if use.table == table)


def _read_by_table(record: Shape, name: str, table: Table) -> None:
    row = record
    steps = [table.rows] if isinstance(table.rows, Zipped) else table.rows or []
    for step in steps:
        row = _zipped(row, step) if isinstance(step, Zipped) else _each(row, step)
    for column_name, column in table.columns.items():
        if column.sql:
            continue
        spot = grow(row, column.path)
        if table.where and f"{column_name} IS NULL" in " ".join(table.where.split()):
            row.under(column.path.split(".")[0]).presence = SELDOM
        nested = column.path.startswith("parent.")
        use = Use(name, column_name, column, nested)
        for shape in _values(spot, column.type == "list"):
            shape.uses.append(use)


def _values(spot: Spot, listed: bool) -> tuple[Shape, ...]:
    return spot.each(Shape.items, many=True).shapes if listed and not spot.many else spot.shapes


def _each(row: Shape, step: Each) -> Shape:
    found = grow(row, step.each)
    place = found.shapes[0] if found.shapes else row
    if (
        step.key_as and place is not row and place.aliases and not place.fields
    ):  # {a: x, b: y}: the first is made, under its own name
        element = next(iter(place.aliases.values()))
        element.aliases[step.key_as] = Shape(step.key_as)
    elif step.key_as:
        element = place.as_map().items()
        assert place.key
        element.aliases[step.key_as] = place.key
        place.key.name = step.key_as
    else:
        element = place if found.many else place.items()
    element.aliases["parent"] = row
    return element


def _zipped(row: Shape, step: Zipped) -> Shape:
    line = Shape(row.name, "line")
    names, values = grow(row, step.zip.names).shapes[0], grow(row, step.zip.values).shapes[0]
    names.kind, names.element = "names", line
    values.kind, values.element = "list", line
    line.aliases["parent"] = row
    return line


def aliases(pipeline: Pipeline, endpoint: Endpoint) -> Iterator[tuple[str, Parent]]:
    """Every name of a parent record that templates of an endpoint may use, with where it comes from."""
    for alias, parent in endpoint.for_each.items():
        for source in parent.union or [parent]:
            yield alias, source
            assert source.endpoint
            yield from aliases(pipeline, pipeline.endpoints[source.endpoint])


def _read_by_child(pipeline: Pipeline, made: Form, child: Endpoint) -> None:
    for alias, source in aliases(pipeline, child):
        if source.endpoint != made.name:
            continue
        for expression in (source.where, source.take, source.when_changed):
            if expression:
                _need(made, expression)
        for text in templates_in(child):
            for reference in template.compile(text).references:
                if reference.namespace == alias and not source.take:
                    made.needed.add(_under(made.record, reference.path))
    for parent in child.for_each.values():
        if parent.when_changed and made.name in child.parents:
            _need(made, parent.when_changed)


def _need(made: Form, expression: str) -> None:
    grow(made.record, expression)
    for path in sorted(select.compile(expression).paths):
        made.needed.add(_under(made.record, [key for key in path if key != "*"]))


def _under(record: Shape, path: Sequence[str]) -> Shape:
    for key in path:
        record = record.under(key)
    return record


def _read_by_paging(made: Form) -> None:
    """What the paginator reads of the last record."""
    paginator: Any = made.endpoint.paginate
    for name in type(paginator).model_fields if paginator else ():
        value = getattr(paginator, name)
        plain = select.compile(value).plain if isinstance(value, Jmes) else None
        if plain and plain[0] == "last":
            made.keys.add(_under(made.record, plain[1:]))


def _under_contract(record: Shape, contract: Contract) -> None:
    def go(shape: Shape, schema: Mapping[str, Json]) -> None:
        schema = _resolved(schema, contract.schema)
        shape.schema = shape.schema or schema
        kinds = _kinds(schema)
        properties = schema.get("properties", {})
        for key in schema.get("required", []):
            shape.under(key).presence = 1.0
        if shape.kind == "leaf" and "array" in kinds and "items" in schema:
            shape.uses, uses = [], shape.uses
            shape.items().uses += uses
        if shape.kind == "leaf" and "object" in kinds and "string" not in kinds:
            shape.kind = "object"
        for key, child in shape.fields.items():
            if key in properties:
                go(child, properties[key])
        inner = schema.get("items") if shape.kind == "list" else schema.get("additionalProperties")
        for element in [*([shape.element] if shape.element else []), *shape.variants.values()]:
            if isinstance(inner, dict):
                go(element, inner)

    go(record, contract.schema)


def _kinds(schema: Mapping[str, Json]) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _resolved(schema: Mapping[str, Json], root: Mapping[str, Json]) -> Mapping[str, Json]:
    reference = schema.get("$ref", "")
    while isinstance(reference, str) and reference.startswith("#/"):
        here: Any = root
        for key in reference[2:].split("/"):
            here = here[key.replace("~1", "/").replace("~0", "~")]
        schema = {**here, **{key: value for key, value in schema.items() if key != "$ref"}}
        reference = here.get("$ref", "") if isinstance(here, dict) else ""
    return schema
