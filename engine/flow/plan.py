"""What a run will do, before it does it: endpoints and tables in order, requests filled as far as known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from engine.core import jsontext, template
from engine.core.clock import rfc3339
from engine.core.errors import CollectionError, ConfigError, Json, Mistake, nearest
from engine.core.kinds import Auth
from engine.core.order import ordered
from engine.core.settle import Settling, inside
from engine.core.template import Template
from engine.core.times import first_instant, written
from engine.core.values import Secret, param_of
from engine.core.window import Window
from engine.core.wire import Media, Pairs, Place, Request, as_pairs, as_text, below, request_to
from engine.flow import parents
from engine.flow.parents import Binding as Binding
from engine.flow.parents import Origins as Origins
from engine.flow.parents import grouped as grouped
from engine.spec.collect import Endpoint
from engine.spec.fields import Joined
from engine.spec.foreach import NAMESPACES, Parent
from engine.spec.model import Pipeline, Table

ACCEPT = Place("header.Accept")
WITHOUT = "set it, or leave such records out with where of for_each"
Repeated = Mapping[str, Sequence[str]]
"""Endpoint -> those that are repeated for it, in the order of the page."""
CHOSEN = re.compile(r"\sif\s")
"""In a template that says itself when there is nothing to send: `${a if b}`."""


@dataclass(frozen=True)
class Settings:
    """What the page's names stand for in this run."""

    params: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)

    def scope(self) -> dict[str, Any]:
        """The namespaces `param` and `secret`."""
        return {"param": self.params, "secret": self.secrets}


@dataclass(frozen=True)
class Asked:
    """An endpoint as it will be asked."""

    name: str
    endpoint: Endpoint
    needs: tuple[str, ...] = ()
    """The endpoints whose records it is repeated for."""
    used: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Alias -> fields of that parent that it or an endpoint below it names; `*` is the whole record."""
    skipped: str | None = None
    """Why it is left out, in words."""

    @property
    def parents(self) -> Mapping[str, Parent]:
        """Alias -> what it is repeated for."""
        return self.endpoint.for_each

    def bindings(self, origins: Origins, *, whole: bool = False) -> Iterator[tuple[Binding, str | None]]:
        """Each combination of its parents, with the values of `when_changed`; `whole` parents have all their fields."""
        used = dict.fromkeys(self.parents, parents.WHOLE) if whole else self.used
        for one in parents.combinations(self.parents, used, origins):
            yield one.binding, ", ".join(one.changed) if one.changed else None


@dataclass(frozen=True)
class Plan:
    """Endpoints in the order of their needs, tables in the order of theirs."""

    pipeline: Pipeline
    settings: Settings
    endpoints: tuple[Asked, ...]
    tables: tuple[str, ...]

    def asked(self, name: str) -> Asked:
        """The endpoint of that name."""
        return next(asked for asked in self.endpoints if asked.name == name)

    def assumptions(self) -> list[str]:
        """Which endpoints rest on an assumption, each assumption once."""
        said: dict[str, list[str]] = {}
        for asked in self.endpoints:
            if asked.endpoint.assumed and not asked.skipped:
                said.setdefault(asked.endpoint.assumed, []).append(asked.name)
        return [f"rests on assumption: {', '.join(names)} ({why})" for why, names in said.items()]

    def mode(self, table: Table) -> str:
        """How a table changes from run to run: replace, upsert or append."""
        if table.mode:
            return table.mode
        if not any(self.pipeline.gives_a_part(name) for name in table.from_):
            return "replace"
        return "upsert" if table.key else "append"

    def is_appended(self, name: str) -> bool:
        """Whether a table takes the records of an endpoint as often as they come; one that nobody writes does."""
        tables = [self.pipeline.tables[table] for table in self.pipeline.table_of(name)]
        return not tables or any(self.mode(table) == "append" for table in tables)

    def is_partial(self, name: str) -> bool:
        """Whether no records of an endpoint are no surprise: it gives only what is new, or its tables only grow."""
        modes = {self.pipeline.tables[table].mode for table in self.pipeline.table_of(name)}
        return (
            self.pipeline.gives_a_part(name)
            or bool(modes and modes <= {"upsert", "append"})
            or any(self.is_partial(above) for above in self.pipeline.endpoints[name].parents)
        )

    def auth(self) -> Auth | None:
        """The sign-in, its secrets filled in."""
        auth = self.pipeline.connection.auth
        base = str(render(self.pipeline.connection.base_url, self.settings.scope()))
        with _field("connection.auth"):
            return auth.filled(self.settings.scope()).at(base) if auth else None

    def base_url(self, asked: Asked) -> str:
        """The address that the endpoint's path is added to."""
        own = asked.endpoint.base_url
        return str(render(own or self.pipeline.connection.base_url, self.settings.scope())).rstrip("/")

    @cached_property
    def _repeated(self) -> Repeated:
        return repeated(self.pipeline)

    def below(self, name: str) -> list[str]:
        """The endpoints that are repeated for an endpoint, at any depth."""
        return _below(self._repeated, name)

    @cached_property
    def at_hand(self) -> Mapping[str, Mapping[str, Parent]]:
        """Endpoint -> its own aliases and those of all endpoints above it."""
        found: dict[str, Mapping[str, Parent]] = {}
        for asked in self.endpoints:
            above = [found[need] for need in asked.needs]
            found[asked.name] = {k: one for aliases in (*above, asked.parents) for k, one in aliases.items()}
        return found

    def partition(self, name: str, binding: Binding) -> str:
        """The name of the partition of an endpoint; of one above, in the binding of a unit that is repeated for it."""
        return parents.named(binding, self.at_hand[name], self.pipeline.endpoints[name].for_each)

    def scope(self, binding: Binding, run: Mapping[str, Json], window: Window | None) -> dict[str, Any]:
        """What the templates of a unit may name."""
        return {**self.settings.scope(), **binding, "run": run, "window": window.scope() if window else {}}

    def request(self, asked: Asked, binding: Binding, run: Mapping[str, Json], window: Window | None) -> Request:
        """The first request of a unit, unsigned; raises ConfigError when a name in it is null."""
        endpoint, scope = asked.endpoint, self.scope(binding, run, window)
        request = self.compose(asked, scope, endpoint.method, endpoint.path, endpoint.query, endpoint.header)
        if not endpoint.decode.is_json and request.get(ACCEPT) is None:
            request = request.put(ACCEPT, "*/*")
        body, media = _body(endpoint, scope)
        request = request if body is None else replace(request, body=body, media=media)
        return _windowed(request, endpoint, window)

    def compose(
        self,
        asked: Asked,
        scope: Mapping[str, Any],
        method: str,
        path: str | None,
        query: Mapping[str, Any],
        header: Mapping[str, Any],
    ) -> Request:
        """A request to a path or a whole address, with what the connection sends always. Raises ConfigError."""
        connection, path = self.pipeline.connection, path or ""
        with _field(method.lower()):
            url = below(self.base_url(asked), _target(path, scope), path)
        fields = {**connection.query, **query}
        request = request_to(method, url, query=_pairs(fields, scope))
        for name, value in {**connection.header, **header}.items():
            with _field(name):
                request = request.put(Place(f"header.{name}"), sent(value, scope))
        return request

    def add(self, asked: Asked, binding: Binding, run: Mapping[str, Json], window: Window | None) -> dict[str, Json]:
        """The fields put into each record of a unit."""
        scope = self.scope(binding, run, window)
        return {name: render(value, scope) for name, value in asked.endpoint.add.items()}


def plan(pipeline: Pipeline, settings: Settings, only: Iterable[str] = ()) -> Plan:
    """Put endpoints and tables in order, with what the page leaves to its params settled.

    Raises ConfigError when `only` names what the page does not have.
    """
    pipeline = Settling(known_params(pipeline, settings)).of(pipeline)
    endpoints = ordered({name: endpoint.parents for name, endpoint in pipeline.endpoints.items()}, "endpoints")
    wanted = _with_parents(pipeline, list(only)) if only else set(endpoints)
    below = repeated(pipeline)
    asked = {name: _asked(pipeline, settings, name, below) for name in endpoints}
    for name in endpoints:
        for parent in asked[name].parents.values():
            words = [asked[one.endpoint].skipped if one.endpoint in asked else None for one in parent.sources]
            if words[0] and all(words):
                asked[name] = replace(asked[name], skipped=words[0])
    for one in asked.values():
        _check_start(one, settings)
    return Plan(
        pipeline, settings, tuple(asked[name] for name in endpoints if name in wanted), ordered_tables(pipeline)
    )


def _check_start(asked: Asked, settings: Settings) -> None:
    """Raise ConfigError where `start` stands for a param whose value is no start."""
    incremental = asked.endpoint.incremental
    if asked.skipped or incremental is None:
        return
    names = [one.path[0] for one in template.compile(incremental.start).references if one.path]
    if not set(names) <= set(settings.params):
        return
    start = render(incremental.start, settings.scope())
    try:
        first_instant(str(start), datetime(2000, 1, 1, tzinfo=UTC))
    except Mistake as mistake:
        raise ConfigError(f"{asked.name}: incremental.start: {incremental.start}: {mistake}", mistake.fix) from None


def known_params(pipeline: Pipeline, settings: Settings) -> dict[str, Json]:
    """The params that have a value; null is one where the param is optional."""
    declared = pipeline.params
    return {
        name: value
        for name, value in settings.params.items()
        if value is not None or (name in declared and declared[name].optional)
    }


def ordered_tables(pipeline: Pipeline) -> tuple[str, ...]:
    """Tables so that each stands behind those it reads; endpoints without a table have one of their own name."""
    names = {name: sorted(pipeline.needs(name)) for name in pipeline.tables}
    for endpoint in pipeline.endpoints:
        if not pipeline.table_of(endpoint):
            names.setdefault(endpoint, [])
    return ordered(names, "tables")


def _with_parents(pipeline: Pipeline, only: list[str]) -> set[str]:
    wanted: set[str] = set()
    while only:
        name = only.pop()
        if name not in pipeline.endpoints:
            near = nearest(name, list(pipeline.endpoints))
            fix = f"its endpoints are: {', '.join(pipeline.endpoints)}"
            raise ConfigError(f'{pipeline.tool} has no endpoint "{name}"{near}', fix)
        if name not in wanted:
            wanted.add(name)
            only += pipeline.endpoints[name].parents
    return wanted


def _asked(pipeline: Pipeline, settings: Settings, name: str, repeated: Repeated) -> Asked:
    endpoint = pipeline.endpoints[name]
    unless = endpoint.skip_unless
    skipped = unless.say if unless and settings.params.get(unless.param) is None else None
    for parent in endpoint.for_each.values():
        param = param_of(parent.param or "")
        if param and param in pipeline.params and pipeline.params[param].optional and not settings.params.get(param):
            skipped = skipped or f'param "{param}" is not set, and there is one request for each of its values'
    return Asked(name, endpoint, endpoint.parents, used_names(pipeline, name, repeated), skipped)


def repeated(pipeline: Pipeline) -> Repeated:
    """The endpoints that are repeated for others."""
    found: dict[str, list[str]] = {}
    for name, endpoint in pipeline.endpoints.items():
        for above in endpoint.parents:
            found.setdefault(above, []).append(name)
    return found


def _below(repeated: Repeated, name: str) -> list[str]:
    """The endpoints that are repeated for an endpoint, at any depth."""
    found = [name]
    for above in found:
        found += [one for one in repeated.get(above, ()) if one not in found]
    return found[1:]


def used_names(pipeline: Pipeline, name: str, repeated: Repeated) -> dict[str, frozenset[str]]:
    """Alias -> fields, of every parent that the endpoint or one below it names."""
    found: dict[str, set[str]] = {}
    for one in [name, *_below(repeated, name)]:
        for text in templates_in(pipeline.endpoints[one]):
            for reference in template.compile(text).references:
                found.setdefault(reference.namespace, set()).add(reference.path[0] if reference.path else "*")
    return {alias: frozenset(fields) for alias, fields in found.items()}


def templates_in(value: Any) -> Iterator[Template]:
    """Every template inside a model, a list or a mapping."""
    return inside(value, Template)


def render(text: Template | str, scope: Mapping[str, Any], *, path: bool = False) -> Json:
    """A filled template; raises ConfigError where a name in it has no value."""
    try:
        return template.render(text, scope, where="path" if path else "text")
    except Mistake as mistake:
        raise ConfigError(f"{text}: {mistake}", mistake.fix) from None


@contextmanager
def one_of_many() -> Iterator[None]:
    """Where a name is null in the record that a unit is for, that unit is missing; the others go on."""
    try:
        yield
    except ConfigError as error:
        raise CollectionError(error.message, error.fix) from None


@contextmanager
def _field(name: str) -> Iterator[None]:
    """Say in which field of a request something cannot be sent."""
    try:
        yield
    except Mistake as mistake:
        raise ConfigError(f"{name}: {mistake}", mistake.fix) from None


def _pairs(fields: Mapping[str, Any], scope: Mapping[str, Any]) -> Pairs:
    """The fields of a query or a form; raises ConfigError for one that has no text."""
    found: list[tuple[str, str]] = []
    for name, value in fields.items():
        with _field(name):
            found += as_pairs(name, sent(value, scope))
    return tuple(found)


def _target(path: str, scope: Mapping[str, Any]) -> str:
    """The path or address that is asked; raises ConfigError where one template gives neither."""
    if not template.compile(path).whole:
        return str(render(path, scope, path=True))
    target = render(path, scope)
    if isinstance(target, str) and target:
        return target
    raise ConfigError(f"{path}: {jsontext.canonical(target)} is no path", WITHOUT)


def _filled(text: Template, scope: Mapping[str, Any]) -> Json:
    """A value that is sent; raises ConfigError where a field of a parent is null: without it all is asked for."""
    value = render(text, scope)
    named = [one for one in template.compile(text).references if one.namespace not in NAMESPACES]
    if value is None and named and not CHOSEN.search(text):
        name = named[0]
        fix = f"write ${{{name}|default('')}} to send an empty text, ${{{name} if {name}}} to leave it out"
        raise ConfigError(f"{text}: {name} is null or missing, and it is sent", fix)
    return value


def sent(value: Any, scope: Mapping[str, Any]) -> Json:
    """A value of a request with its templates filled; a field of a body whose template gives null is left out."""
    if isinstance(value, Template):
        value = _filled(value, scope)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Joined):
        filled = [sent(one, scope) for one in value.values]
        flat = [one for some in filled for one in (some if isinstance(some, list) else [some]) if one is not None]
        return value.join.join(map(as_text, flat)) if flat else None
    if isinstance(value, Mapping):
        found = {name: sent(one, scope) for name, one in value.items()}
        return {name: one for name, one in found.items() if one is not None or not isinstance(value[name], Template)}
    if isinstance(value, list):
        return [sent(one, scope) for one in value]
    return value


def _body(endpoint: Endpoint, scope: Mapping[str, Any]) -> tuple[Json, Media]:
    """The body of a request, and how it goes."""
    if endpoint.graphql:
        return {"query": endpoint.graphql.query, "variables": sent(endpoint.graphql.variables, scope)}, "json"
    if fields := endpoint.form or endpoint.multipart:
        _pairs(fields, scope)  # what has no text is found here, not where it is sent
        return sent(fields, scope), "form" if endpoint.form else "multipart"
    return sent(endpoint.body, scope), "json"


def _windowed(request: Request, endpoint: Endpoint, window: Window | None) -> Request:
    """The request with the bounds of its window, where the page says where they go."""
    send = endpoint.incremental.send if endpoint.incremental else None
    if send is None or window is None:
        return request
    for place, instant in ((send.from_, window.start), (send.until, window.until)):
        if place is not None:
            request = request.put(place, written(instant, send.format))
    return request
