"""What a run will do, before it does it: endpoints and tables in order, requests filled as far as known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.core import template
from engine.core.clock import rfc3339
from engine.core.errors import ConfigError, Json, Mistake, nearest
from engine.core.kinds import Auth
from engine.core.order import ordered
from engine.core.settle import Settling, inside
from engine.core.template import Template
from engine.core.values import Secret
from engine.core.wire import Place, Request, as_pairs, request_to
from engine.spec.model import Endpoint, Parent, Pipeline

Binding = Mapping[str, Json]
"""Alias -> the fields of the parent record that are used below it."""


@dataclass(frozen=True)
class Settings:
    """What the page's names stand for in this run."""

    params: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)

    def scope(self) -> dict[str, Any]:
        """The namespaces `param` and `secret`."""
        return {"param": self.params, "secret": self.secrets}


@dataclass(frozen=True)
class Window:
    """The time span that an incremental request asks for, in UTC."""

    start: datetime
    end: datetime

    def scope(self) -> dict[str, datetime]:
        """The namespace `window`."""
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True)
class Asked:
    """An endpoint as it will be asked."""

    name: str
    endpoint: Endpoint
    needs: tuple[str, ...] = ()
    """The endpoints whose records it is repeated for."""
    alias: str | None = None
    used: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Alias -> fields of that parent that it or an endpoint below it names; `*` is the whole record."""
    skipped: str | None = None
    """Why it is left out, in the page's own words."""

    @property
    def parent(self) -> Parent | None:
        """What it is repeated for."""
        return self.endpoint.for_each[self.alias] if self.alias else None


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
        return auth.filled(self.settings.scope()) if auth else None

    def base_url(self, asked: Asked) -> str:
        """The address that the endpoint's path is added to."""
        own = asked.endpoint.base_url
        return str(render(own or self.pipeline.connection.base_url, self.settings.scope())).rstrip("/")

    def request(self, asked: Asked, binding: Binding, run: Mapping[str, Json], window: Window | None) -> Request:
        """The first request of a unit, unsigned; raises ConfigError when a name in it is null."""
        endpoint, connection = asked.endpoint, self.pipeline.connection
        scope = {**self.settings.scope(), **binding, "run": run, "window": window.scope() if window else {}}
        asked_path = endpoint.get or endpoint.post or Template("")
        path = str(render(asked_path, scope, path=not template.compile(asked_path).whole))
        url = path if path.startswith(("http://", "https://")) else self.base_url(asked) + path
        fields = {**connection.query, **endpoint.query}
        query = tuple(pair for name, value in fields.items() for pair in as_pairs(name, sent(value, scope)))
        headers = {name: render(value, scope) for name, value in {**connection.header, **endpoint.header}.items()}
        request = request_to(
            "GET" if endpoint.get else "POST",
            url,
            query=query,
            header=tuple((name, str(value)) for name, value in headers.items() if value is not None),
            body=sent(endpoint.body, scope),
        )
        return _windowed(request, endpoint, window)

    def add(self, asked: Asked, binding: Binding, run: Mapping[str, Json], window: Window | None) -> dict[str, Json]:
        """The fields put into each record of a unit."""
        scope = {**self.settings.scope(), **binding, "run": run, "window": window.scope() if window else {}}
        return {name: render(value, scope) for name, value in asked.endpoint.add.items()}


def plan(pipeline: Pipeline, settings: Settings, only: Iterable[str] = ()) -> Plan:
    """Put endpoints and tables in order, with what the page leaves to its params settled.

    Raises ConfigError when `only` names what the page does not have.
    """
    pipeline = Settling(known_params(pipeline, settings)).of(pipeline)
    endpoints = ordered({name: endpoint.parents for name, endpoint in pipeline.endpoints.items()}, "endpoints")
    wanted = _with_parents(pipeline, list(only)) if only else set(endpoints)
    asked = {name: _asked(pipeline, settings, name) for name in endpoints}
    for name in endpoints:
        above = [asked[need] for need in asked[name].needs]
        if above and all(one.skipped for one in above):
            asked[name] = Asked(name, asked[name].endpoint, asked[name].needs, asked[name].alias, {}, above[0].skipped)
    return Plan(
        pipeline, settings, tuple(asked[name] for name in endpoints if name in wanted), ordered_tables(pipeline)
    )


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


def _asked(pipeline: Pipeline, settings: Settings, name: str) -> Asked:
    endpoint = pipeline.endpoints[name]
    unless = endpoint.skip_unless
    skipped = unless.say if unless and settings.params.get(unless.param) is None else None
    alias = next(iter(endpoint.for_each), None)
    return Asked(name, endpoint, endpoint.parents, alias, used_names(pipeline, name), skipped)


def below(pipeline: Pipeline, name: str) -> list[str]:
    """The endpoints that are repeated for an endpoint, at any depth."""
    found = [name]
    for above in found:
        found += [one for one, endpoint in pipeline.endpoints.items() if above in endpoint.parents and one not in found]
    return found[1:]


def used_names(pipeline: Pipeline, name: str) -> dict[str, frozenset[str]]:
    """Alias -> fields, of every parent that the endpoint or one below it names."""
    found: dict[str, set[str]] = {}
    for one in [name, *below(pipeline, name)]:
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


def sent(value: Any, scope: Mapping[str, Any]) -> Json:
    """A query or body value with its templates filled; times as RFC 3339."""
    if isinstance(value, Template):
        value = render(value, scope)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {name: sent(one, scope) for name, one in value.items()}
    if isinstance(value, list):
        return [sent(one, scope) for one in value]
    return value


def _windowed(request: Request, endpoint: Endpoint, window: Window | None) -> Request:
    send = endpoint.incremental.send if endpoint.incremental else None
    if send is None or window is None:
        return request
    for place, instant in ((send.from_, window.start), (send.until, window.end)):
        if isinstance(place, Place):
            request = request.put(place, rfc3339(instant))
    return request
