"""Which unit a request asks for: every unit's requests, rendered as the crawler does, and what they leave open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.author.simulate.world import Unit, World
from engine.core import jsontext, template
from engine.core.errors import Json
from engine.core.times import TimeFormat, instant_of, written
from engine.core.window import Window
from engine.core.wire import Place, Request, as_text
from engine.flow.plan import Plan, sent, templates_in
from engine.spec.collect import Endpoint
from engine.spec.job import Ask

# Two of what no real request has: what differs between them in a request is where a window or a job goes.
WINDOW = Window(datetime(1971, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(1979, 8, 7, 16, 15, 14, tzinfo=UTC))
OTHER = Window(datetime(1982, 4, 5, 7, 8, 9, tzinfo=UTC), datetime(1987, 12, 11, 22, 33, 44, tzinfo=UTC))
JOB, OTHER_JOB = "simulated-job-one", "simulated-job-two"
FORMAT = re.compile(r"window\.(?:start|end)\s*\|\s*date\(\s*'([^']*)'")
FORMS = ("iso", "epoch_ms", "epoch_s", "date")
Said = Sequence[tuple[str, str]]
"""Each value of a request with its place; the pieces of the address are `at.0`, which is the host, `at.1` and so on."""


@dataclass(frozen=True)
class End:
    """One end of a window, as a request says it."""

    at: datetime
    form: TimeFormat

    def cut(self, at: datetime) -> datetime:
        """A time as far as the form tells it."""
        return instant_of(written(at, self.form), [self.form])


@dataclass(frozen=True)
class Bound:
    """Where an end of a window, or both, or a job stand in a request."""

    place: str
    number: int
    """Which of the values at this place it is."""
    pattern: re.Pattern[str]
    forms: Mapping[str, TimeFormat]
    """How each end is written."""

    def read(self, said: Said) -> dict[str, str] | None:
        """The texts of `start` and `end`, and of `job`, none where nothing is said; None for what is no such value."""
        here = [text for place, text in said if place == self.place]
        if self.number >= len(here):
            return {}
        match = self.pattern.fullmatch(here[self.number])
        return match.groupdict() if match else None

    def ends(self, said: Said) -> Iterator[tuple[str, End]]:
        """`start` and `end` where they are times."""
        for name, text in (self.read(said) or {}).items():
            with suppress(ValueError, KeyError):
                yield name, End(instant_of(text, [self.forms[name]]), self.forms[name])


@dataclass(frozen=True)
class Route:
    """One request of a unit: what must be in it, and where it leaves something open."""

    unit: Unit
    ask: Ask | None
    """The request of a job; None for that of a list."""
    method: str
    wanted: frozenset[tuple[str, str]]
    bounds: Sequence[Bound]
    first: frozenset[tuple[str, str]]
    """What stands where the paginator sends, before it sends anything."""
    holes: Mapping[str, tuple[str, re.Pattern[str]]]
    """Piece of the address -> what the paginator puts there, and how to read it out."""
    pieces: int
    """How many the address has."""

    def fits(self, method: str, said: Said, pairs: Set[tuple[str, str]]) -> bool:
        """Whether a request is this one; `pairs` is what it says in any order."""
        pieces = sum(place.startswith("at.") for place, _ in pairs)
        here = (method, pieces) == (self.method, self.pieces) and self.wanted <= pairs
        return here and all(bound.read(said) is not None for bound in self.bounds)


@dataclass(frozen=True)
class Found:
    """What a request asks for."""

    request: Request
    """With what the paginator put into the address at its places."""
    unit: Unit
    ask: Ask | None
    """The request of a job; None for that of a list."""
    ends: Mapping[str, End]
    """`start` and `end` of the window."""
    job: str
    """The name of the export; empty where the request has none."""


@dataclass
class Group:
    """The units of an endpoint that are asked for together: they differ in one alias."""

    alias: str
    units: list[Unit] = field(default_factory=list)
    _common: frozenset[tuple[str, str]] = frozenset()
    """What stands in the request for each of them."""
    _places: set[str] = field(default_factory=set)
    """Where their requests differ."""

    def add(self, unit: Unit, route: Route) -> None:
        """Take a unit in, with the request for it alone."""
        common = self._common & route.wanted if self.units else route.wanted
        self._places |= {place for place, _ in (route.wanted | self._common) - common}
        self.units, self._common = [*self.units, unit], common

    def asked(self, said: Said, pairs: Set[tuple[str, str]]) -> Unit | None:
        """The unit that stands for all that a request names, in the order in which it names them."""
        if not self._common <= pairs:
            return None
        if len(self.units) == 1:
            return self.units[0]
        text = "\0".join(text for place, text in said if place in self._places)
        named: dict[int, Unit] = {}
        for unit in sorted(self.units, key=lambda one: -len(self._name(one))):  # where "12" is named, "1" is not
            name = self._name(unit)
            if (at := text.find(name)) >= 0:
                named[at], text = unit, text[:at] + "\0" * len(name) + text[at + len(name) :]
        found = [named[at] for at in sorted(named)]
        members = [one for unit in found for one in unit.binding[self.alias]]
        rows = tuple(row for unit in found for row in unit.rows)
        return replace(found[0], binding={**found[0].binding, self.alias: members}, rows=rows) if found else None

    def _name(self, unit: Unit) -> str:
        [member] = unit.binding[self.alias]
        return jsontext.canonical(member) if isinstance(member, (dict, list)) else as_text(member)


@dataclass
class Routes:
    """Every route, found by method and address."""

    plan: Plan
    _exact: dict[tuple[str, frozenset[tuple[str, str]]], list[Route]] = field(default_factory=dict)
    _open: list[Route] = field(default_factory=list)
    _groups: dict[str, Group] = field(default_factory=dict)

    def add(self, unit: Unit) -> None:
        """Take the requests of a unit in; the one that asks for most comes first."""
        group = next((alias for alias, parent in unit.asked.parents.items() if parent.group), None)
        for number, route in enumerate(self._of(unit)):
            if group and not number:  # what comes behind it names the job
                others = {alias: one for alias, one in unit.binding.items() if alias != group}
                key = f"{unit.asked.name} {jsontext.canonical(others)}"
                self._groups.setdefault(key, Group(group)).add(unit, route)
                continue
            address = frozenset(pair for pair in route.wanted if pair[0].startswith("at."))
            exact = self._exact.setdefault((route.method, address), [])
            here = exact if len(address) == route.pieces else self._open
            here.append(route)
            here.sort(key=lambda one: -len(one.wanted))

    def find(self, request: Request) -> Found | None:
        """What a request asks for, None where the vendor has nothing at this address."""
        said = list(values(request))
        pairs = set(said)
        address = frozenset(pair for pair in pairs if pair[0].startswith("at."))
        here = [*self._exact.get((request.method, address), []), *self._open]
        grouped = (route for group in self._groups.values() for route in self._of(group.asked(said, pairs)))
        for routes in (here, grouped):
            if route := next((one for one in routes if one.fits(request.method, said, pairs)), None):
                return _found(route, request, said)
        return None

    def _of(self, unit: Unit | None) -> Iterator[Route]:
        """The routes of a unit: of its list, or of the requests of its job."""
        if unit is None:
            return
        job = unit.asked.endpoint.job
        asks: list[Ask | None] = [*job.steps.values()] if job else [None]
        for ask in asks:
            if ask is None or ask.get or ask.post or ask.put:
                one, two = self._request(unit, ask, WINDOW, JOB), self._request(unit, ask, OTHER, OTHER_JOB)
                yield _route(unit, ask, one, two)
                for place in sorted(_paging(unit.asked.endpoint)):
                    if f"{{{place.name}}}" in one.url:  # a first page may come without it
                        yield _route(unit, ask, one.put(place, None), two.put(place, None))

    def _request(self, unit: Unit, ask: Ask | None, window: Window, job: str) -> Request:
        asked, run = unit.asked, {"id": job, "started_at": window.end}
        if ask is None:
            return self.plan.request(asked, unit.binding, run, window)
        named = dict.fromkeys(job_fields(asked.endpoint), job)
        scope = {**self.plan.scope(unit.binding, run, window), "job": named}
        request = self.plan.compose(asked, scope, *ask.way, ask.query, ask.header)
        return replace(request, body=sent(ask.body, scope))


def routes(plan: Plan, world: World) -> Routes:
    """The routes of all units."""
    found = Routes(plan)
    for unit in (one for units in world.units.values() for one in units if not one.asked.endpoint.file):
        found.add(unit)
    return found


def _route(unit: Unit, ask: Ask | None, one: Request, two: Request) -> Route:
    """What two requests for the same unit have in common, and what each of them has of its own."""
    endpoint = unit.asked.endpoint
    mine, theirs, paging = list(values(one)), set(values(two)), _paging(endpoint)
    wanted, first, bounds, holes = set[tuple[str, str]](), set[tuple[str, str]](), [], {}
    seen = Counter[str]()
    for place, text in mine:
        number, seen[place] = seen[place], seen[place] + 1
        hole = next((one for one in paging if place.startswith("at.") and f"{{{one.name}}}" in text), None)
        if hole:
            pattern = re.escape(text).replace(re.escape(f"{{{hole.name}}}"), "(.+)")
            holes[place] = (hole.name, re.compile(pattern))
        elif place in paging:
            first.add((place, text))
        elif (place, text) in theirs:
            wanted.add((place, text))
        elif bound := _bound(place, number, text, endpoint):
            bounds.append(bound)
    pieces = sum(place.startswith("at.") for place, _ in mine)
    return Route(unit, ask, one.method, frozenset(wanted), bounds, frozenset(first), holes, pieces)


def _found(route: Route, request: Request, said: Said) -> Found:
    """What the request leaves open in its route."""
    ends = dict(pair for bound in route.bounds for pair in bound.ends(said))
    job = next((text for bound in route.bounds if (text := (bound.read(said) or {}).get("job"))), "")
    holes = ((route.holes[place], text) for place, text in said if place in route.holes)
    path = ((name, match.group(1)) for (name, pattern), text in holes if (match := pattern.fullmatch(text)))
    request = replace(request, path=tuple(path))
    for place, _ in route.first.intersection(said):
        request = request.put(Place(place), None)
    return Found(request, route.unit, route.ask, ends, job)


def job_fields(endpoint: Endpoint) -> list[str]:
    """What templates read of a job."""
    read = (one for text in templates_in(endpoint) for one in template.compile(text).references)
    return sorted({one.path[0] for one in read if one.namespace == "job" and one.path} | {"id"})


def values(request: Request) -> Iterator[tuple[str, str]]:
    """Each value of a request with its place."""
    parts = urlsplit(request.url)
    pieces = (parts.netloc.lower(), *(unquote(piece) for piece in parts.path.split("/") if piece))
    yield from ((f"at.{number}", piece) for number, piece in enumerate(pieces))
    yield from ((f"query.{name}", text) for name, text in request.query)
    for name, text in request.header:
        if name.lower() == "cookie":
            yield from ((f"cookie.{k.strip()}", v) for k, _, v in (one.partition("=") for one in text.split(";")))
        else:
            yield f"header.{name.lower()}", text.strip()
    yield from _below("body", request.body)


def _below(path: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _below(f"{path}.{name}", one)
    elif value is not None:
        for one in value if isinstance(value, list) else [value]:
            yield path, jsontext.canonical(one) if isinstance(one, (dict, list)) else as_text(one)


def _paging(endpoint: Endpoint) -> set[Place]:
    """Where the paginator puts what it sends."""

    def places(model: Any) -> Iterator[Place]:
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, Place):
                yield Place(value.lower()) if value.kind == "header" else value
            elif hasattr(type(value), "model_fields"):
                yield from places(value)

    return set(places(endpoint.paginate)) if endpoint.paginate else set()


def _bound(place: str, number: int, text: str, endpoint: Endpoint) -> Bound | None:
    """The form of a value with a window or a job in it, which reads them out of others of its kind."""
    send = endpoint.incremental.send if endpoint.incremental else None
    said = [*([send.format] if send else []), *FORMAT.findall(" ".join(templates_in(endpoint))), *FORMS]
    pattern, forms = re.escape(text).replace(re.escape(JOB), "(?P<job>.+)", 1), dict[str, TimeFormat]()
    for name, moment in (("start", WINDOW.start), ("end", WINDOW.end)):
        texts = {re.escape(as_text(written(moment, form))): form for form in map(TimeFormat, said)}
        for escaped in sorted(texts, key=len, reverse=True):  # a date is the beginning of many a time
            if escaped in pattern:
                pattern = pattern.replace(escaped, f"(?P<{name}>.+?)", 1).replace(escaped, ".+?")
                forms[name] = texts[escaped]
                break
    return Bound(place, number, re.compile(pattern), forms) if forms or JOB in text else None
