"""The page as every lint sees it: each value with its path, and what names stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from engine.core import select, sql
from engine.core.errors import Mark, Mistake, Severity, nearest
from engine.core.kinds import Part
from engine.core.select import Jmes
from engine.core.settle import Choice, Settling
from engine.core.template import Reference, Template, compile
from engine.core.values import param_of
from engine.spec.collect import Endpoint
from engine.spec.foreach import Parent
from engine.spec.model import Pipeline, Table
from engine.spec.read import Loc, Source

UNKNOWN = "`null`"
"""Stands for a path that only a run knows: it reads nothing."""


@dataclass(frozen=True)
class Found:
    """One thing that a lint found, at its path on the page."""

    path: Loc
    mistake: Mistake
    level: Severity = "error"
    key: bool = False
    """Whether the key is meant and not the value below it."""
    mark: Mark | None = None
    """The place, where reading the page left no path to it."""


@dataclass(frozen=True)
class Look:
    """A page that was read, and what every lint asks of it."""

    source: Source
    tables_read: dict[str, tuple[sql.TableRef, ...]] = field(default_factory=dict)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The page with all its options; a path that a param stands for is the param's default."""
        page = self.source.pipeline
        names = {name for _, path in self.leaves if isinstance(path, Jmes) and (name := param_of(path))}
        if not names:
            return page
        defaults = {name: page.params[name].default for name in names & set(page.params)}
        known = {name: str(value) for name, value in defaults.items() if _is_path(value)}
        settled: Pipeline = Settling({**dict.fromkeys(names, UNKNOWN), **known}, choose=False).of(page)
        return settled

    @cached_property
    def leaves(self) -> list[tuple[Loc, Any]]:
        """Every scalar of the page with its path in the long form."""
        return leaves(self.source.pipeline, ())

    @cached_property
    def settled(self) -> list[tuple[Loc, Any]]:
        """The same of the page with all its options."""
        return leaves(self.pipeline, ())

    @cached_property
    def references(self) -> list[tuple[Loc, Template | str, Reference]]:
        """Every name that a template reads."""
        texts = ((path, text) for path, text in self.leaves if is_template(path, text))
        return [(path, text, reference) for path, text in texts for reference in references_in(text)]

    def table_names(self) -> list[str]:
        """The tables of the page, and those that endpoints without a table get."""
        pipeline = self.pipeline
        return [
            *pipeline.tables,
            *(n for n in pipeline.endpoints if n not in pipeline.tables and not pipeline.table_of(n)),
        ]

    def reads(self, name: str) -> tuple[sql.TableRef, ...]:
        """The tables that the query of a table reads; none where it cannot be read."""
        if name not in self.tables_read:
            text = self.pipeline.tables[name].sql
            try:
                self.tables_read[name] = sql.tables_of(text) if text else ()
            except Mistake:
                self.tables_read[name] = ()
        return self.tables_read[name]

    def needs(self, name: str) -> set[str]:
        """The tables that a table reads; none where its query cannot be read, of which another lint tells."""
        try:
            return self.pipeline.needs(name)
        except Mistake:
            return set()

    def aliases(self, endpoint: Endpoint) -> dict[str, Parent]:
        """The aliases at hand in an endpoint: its own and those of all its ancestors."""
        found: dict[str, Parent] = {}
        waiting, seen = [endpoint], list[Endpoint]()
        while waiting:
            here = waiting.pop()
            seen.append(here)
            for alias, parent in here.for_each.items():
                found.setdefault(alias, parent)
                above = [self.pipeline.endpoints.get(name) for name in here.parents]
                waiting += [one for one in above if one is not None and one not in seen]
        return found


def leaves(value: Any, path: Loc) -> list[tuple[Loc, Any]]:
    """Every scalar below a value; parts stand below their word."""
    found: list[tuple[Loc, Any]] = []
    _gather(value, path, found)
    return found


def _gather(value: Any, path: Loc, found: list[tuple[Loc, Any]]) -> None:
    if value is None or isinstance(value, (str, int, float)):  # most values are: a page has some thousands of them
        found.append((path, value))
    elif isinstance(value, BaseModel):
        path = (*path, type(value).word) if isinstance(value, Part) else path
        for name, info in type(value).model_fields.items():
            _gather(getattr(value, name), (*path, info.alias or name), found)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            _gather(one, (*path, str(key)), found)
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            _gather(one, (*path, number), found)
    else:
        found.append((path, value))


def missing(named: Iterable[tuple[Loc, str]], columns: Iterable[str], where: str) -> Iterator[Found]:
    """The named columns that are not there."""
    known = list(columns)
    for path, column in named:
        if column not in known:
            message = f'there is no column "{column}" {where}{nearest(column, known)}'
            yield Found(path, Mistake("unknown-column", message, f"the columns {where} are: {', '.join(known)}"))


P = TypeVar("P", bound=Part)


def options(part: P | None) -> list[P]:
    """The part, or the options of a choice; nothing where there is none."""
    if not isinstance(part, Choice):
        return [] if part is None else [part]
    return [one for option in part.options.values() for one in options(cast(P, option))]


def references_in(text: str) -> tuple[Reference, ...]:
    """The names that a text reads; none where it cannot be read."""
    try:
        return compile(text).references
    except Mistake:  # of the default of a param, which nobody has read before
        return ()


def is_default(path: Loc, value: Any) -> bool:
    """Whether this is the default of a param, the one text with templates that is not typed as such."""
    return len(path) == 3 and path[0] == "params" and path[2] == "default" and isinstance(value, str)


def is_template(path: Loc, value: Any) -> bool:
    """Whether this is a text with templates, which may also stand where a path is expected."""
    return isinstance(value, Template) or is_default(path, value) or (isinstance(value, Jmes) and bool(param_of(value)))


def _is_path(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(select.compile(value))
    except Mistake:
        return False


def fields_of(look: Look, name: str) -> set[str]:
    """The top-level fields that anything on the page reads of an endpoint's records, or puts into them."""
    pipeline = look.pipeline
    endpoint = pipeline.endpoints[name]
    known = set(endpoint.add)
    texts: list[select.Jmes | None] = [endpoint.incremental.field] if endpoint.incremental else []
    for other in pipeline.endpoints.values():
        for parent in other.for_each.values():
            for one in (parent, *parent.union):
                texts += [one.where, one.take, one.when_changed or parent.when_changed] if one.endpoint == name else []
    for table in (pipeline.tables[one] for one in pipeline.table_of(name)):
        texts += _reads(table)
        known |= _parent_fields(table)
    if endpoint.paginate:
        paths = [path for _, text in leaves(endpoint.paginate, ()) for path in _paths(text)]
        known |= {path[1] for path in paths if path[:1] == ("last",) and path[1:]}
    return known | {path[0] for text in texts for path in _paths(text) if path}


def _reads(table: Table) -> Iterable[select.Jmes]:
    if isinstance(table.rows, list):
        return [table.rows[0].each] if table.rows else []
    if table.rows is not None:
        return [table.rows.zip.names, table.rows.zip.values]
    return [column.path for column in table.columns.values()]


def _parent_fields(table: Table) -> set[str]:
    """The fields of the record that rows below it reach with `parent.`."""
    depth = len(table.rows) if isinstance(table.rows, list) else 1
    above = ("parent",) * depth
    paths = [path for column in table.columns.values() for path in _paths(column.path)]
    return {path[depth] for path in paths if table.rows is not None and path[:depth] == above and len(path) > depth}


def _paths(text: Any) -> frozenset[tuple[str, ...]]:
    return select.compile(text).paths if isinstance(text, select.Jmes) else frozenset()
