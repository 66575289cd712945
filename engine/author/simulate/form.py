"""What the answers of an endpoint look like: envelope and record, from everything on the page that reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.author.simulate.envelope import Envelope
from engine.author.simulate.judge import Contract, Judge
from engine.author.simulate.shape import Shape, Spot, Use, grow, settle
from engine.author.simulate.vocabulary import noun, singular
from engine.core import select, template
from engine.core.errors import Json
from engine.core.select import Jmes
from engine.flow.plan import templates_in
from engine.spec.collect import Endpoint
from engine.spec.foreach import Parent
from engine.spec.model import Each, Pipeline, Table, Zipped

SELDOM = 0.08


@dataclass
class Form:
    """One endpoint's answers."""

    name: str
    endpoint: Endpoint
    record: Shape
    envelope: Envelope
    one: bool
    """Whether an answer is one record, not a list of them."""
    tables: tuple[str, ...]
    children: int
    """How many endpoints are repeated for its records."""
    keys: set[Shape] = field(default_factory=set)
    """Values that name a record alone: the paginator counts on them."""
    since: float = 0.0
    """No record is older; in seconds since the epoch."""
    dated: tuple[Shape, ...] = ()
    """The time by which windows choose."""
    needed: set[Shape] = field(default_factory=set)
    """Values that requests for its children are made of."""

    @property
    def noun(self) -> str:
        """What one record is called."""
        return noun(self.tables[0] if len(self.tables) == 1 else self.name)

    @property
    def is_csv(self) -> bool:
        """Whether a value that is missing arrives as an empty text."""
        return "csv" in words_of(self.endpoint)

    def envelop(self, rows: Sequence[Json]) -> Json:
        """The answer with these records in it."""
        if self.one:
            return self.envelope.around(rows[:1]) if self.envelope.is_one else rows[0] if rows else None
        if not rows and self.endpoint.may_be_absent and not self.envelope.is_bare:
            return {}
        return self.envelope.around(rows)


def form(pipeline: Pipeline, name: str, judges: Mapping[str, Judge]) -> Form:
    """The form of an endpoint's answers."""
    endpoint = pipeline.endpoints[name]
    record, same = (
        Shape(singular(name)),
        [one for one in pipeline.endpoints if one == name or twins(pipeline, one, name)],
    )
    tables = tuple(dict.fromkeys(table for one in same for table in pipeline.table_of(one)))
    made = Form(name, endpoint, record, Envelope(endpoint.records), False, tables, 0)
    for table in tables:
        _read_by_table(record, table, pipeline.tables[table])
    for other in pipeline.endpoints.values():
        for one in same:
            made.children += one in other.parents
            _read_by_child(pipeline, made, other, one)
    _read_by_paging(made)
    if endpoint.incremental and endpoint.incremental.field:
        made.dated = grow(record, endpoint.incremental.field).shapes[:1]
        made.needed |= set(made.dated)
    for table in tables:
        for contract in judges[table].contracts:
            _under_contract(record, contract)
    for rule in endpoint.redact:
        around, anywhere, last = rule.path.rpartition("**.")
        for shape in _below(record, around, last) if anywhere else grow(record, rule.path).shapes:
            shape.secret = True
    for constant, values in made.envelope.constants().items():
        if len(values) == 1:
            record.under(constant).fixed = values[0]
        record.under(constant).schema = {"type": "string", "enum": values}
    settle(record)
    made.one = made.envelope.is_one or _is_one(made)
    return made


def _below(record: Shape, around: str, name: str) -> list[Shape]:
    """The places of this name at any depth below a path."""
    spot = grow(record, around.rstrip(".")) if around else Spot((record,))
    return [shape for place in spot.shapes for shape in place.walk() if shape.name == name.rpartition(".")[2]]


def _is_one(made: Form) -> bool:
    """Whether an answer is one record, not a list of them."""
    endpoint = made.endpoint
    if endpoint.records != "@" or endpoint.file:
        return False
    last = (endpoint.path or "").rstrip("/").rpartition("/")[2]
    plural = last.endswith("s") and "$" not in last and not last.endswith(("stats", "status", "ss"))
    bare = made.record.kind == "leaf" or endpoint.paginate or endpoint.job or _lists(endpoint)
    return not bare and not (plural and all(table_has_no_rows(made, t) for t in made.tables))


def _lists(endpoint: Endpoint) -> bool:
    """Whether its answers are lists before they become JSON, or hold the records of several parents."""
    grouped = any(parent.group for parent in endpoint.for_each.values())
    return grouped or bool(words_of(endpoint) & {"csv", "jsonl", "zip"})


def words_of(endpoint: Endpoint) -> set[str]:
    """All words with which its answers, or the files of its job, are decoded."""
    files = endpoint.job.fetch.decode if endpoint.job else None
    decoders = [endpoint.decode, *([files] if files else [])]
    ways = [way for one in decoders for way in (one.chain, *one.options.values())]
    return {link.word for way in ways for link in way.links}


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
        conditions = ((table.where, "IS NULL"), (table.delete_when, "IS NOT NULL"))
        if any(sql and f"{column_name} {said}" in " ".join(sql.split()) for sql, said in conditions):
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


def aliases(pipeline: Pipeline, endpoint: Endpoint) -> Iterator[tuple[str, Parent, Parent]]:
    """Every name of a parent record that templates of an endpoint may use, with where it comes from, at any depth.

    A union comes once for each of its members.
    """
    for alias, parent in endpoint.for_each.items():
        for source in parent.sources:
            yield alias, parent, source
            if source.endpoint:
                yield from aliases(pipeline, pipeline.endpoints[source.endpoint])


def twins(pipeline: Pipeline, name: str, other: str) -> bool:
    """Whether two endpoints ask alike, but for what they call their parents: the vendor sees no difference."""
    one, two = (pipeline.endpoints[name].model_copy(update=OWN) for name in (name, other))
    return name != other and not one.job and not one.file and _unnamed(one) == _unnamed(two)


OWN: dict[str, Any] = {
    "for_each": {},
    "add": {},
    "redact": [],
    "responses": [],
    "rate_limit": [],
    "timeout": None,
    "assumed": None,
}
"""What an endpoint may say otherwise than its twin."""
ALIAS = re.compile(r"\$\{\s*\w+\.")


def _unnamed(endpoint: Endpoint) -> str:
    return ALIAS.sub("${", repr(endpoint))


def _read_by_child(pipeline: Pipeline, made: Form, child: Endpoint, name: str) -> None:
    """What an endpoint below reads of the records, which it may know under the name of a twin."""
    for alias, parent, source in aliases(pipeline, child):
        if source.endpoint != name:
            continue
        for expression in (parent.where, source.where, source.take, source.when_changed):
            if expression:
                _need(made, expression)
        for text in templates_in(child):
            for reference in template.compile(text).references:
                if reference.namespace == alias and not source.take:
                    made.needed.add(_under(made.record, reference.path))


def _need(made: Form, expression: str) -> None:
    grow(made.record, expression)
    for path in sorted(select.compile(expression).paths):
        made.needed.add(_under(made.record, [key for key in path if key != "*"]))


def _under(record: Shape, path: Sequence[str]) -> Shape:
    for key in path:
        record = record.under(key)
    return record


def _read_by_paging(made: Form) -> None:
    """What the paginator reads of records: the key of the last one names it alone."""
    paginator: Any = made.endpoint.paginate
    view = Shape(aliases={"last": made.record, "rows": Shape(kind="list", element=made.record)})
    for name in type(paginator).model_fields if paginator else ():
        if not isinstance(value := getattr(paginator, name), Jmes):
            continue
        plain = select.compile(value).plain
        if plain and plain[0] == "last":
            made.keys.add(_under(made.record, plain[1:]))
        elif select.compile(value).roots & {"last", "rows"}:
            grow(view, value)
            made.needed |= {_under(made.record, path[1:]) for path in select.compile(value).paths if path[0] == "last"}


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
