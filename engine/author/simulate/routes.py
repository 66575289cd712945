"""Which records a request asks for: every unit's request, rendered as the crawler does, and what it leaves open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.author.simulate.form import Form
from engine.author.simulate.judge import instant
from engine.author.simulate.world import Unit, World
from engine.core import select
from engine.core.clock import read_instant, rfc3339
from engine.core.errors import Json, Mistake
from engine.core.filters import as_time
from engine.core.wire import Place, Request, as_text
from engine.flow.plan import Plan, Window, templates_in
from engine.spec.model import Endpoint

# Two windows that no real request has: what differs between them in a request is where a window goes.
WINDOW = Window(datetime(1971, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(1979, 8, 7, 16, 15, 14, tzinfo=UTC))
OTHER = Window(datetime(1982, 4, 5, 7, 8, 9, tzinfo=UTC), datetime(1987, 12, 11, 22, 33, 44, tzinfo=UTC))
FORMAT = re.compile(r"window\.(?:start|end)\s*\|\s*date\(\s*'([^']*)'")
Address = tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """The request of one unit: what must be in it, and where the bounds of a window stand."""

    unit: Unit
    address: tuple[str | None, ...]
    """Host and path, piece by piece; None for one that depends on the window."""
    wanted: Sequence[tuple[Place, str]]
    bounds: Sequence[tuple[Place, re.Pattern[str]]]

    def fits(self, request: Request) -> bool:
        """Whether the request asks for this unit."""
        return all(_has(request, place, value) for place, value in self.wanted)


@dataclass
class Routes:
    """Every route, found by method and address."""

    _exact: dict[tuple[str, Address], list[Route]] = field(default_factory=dict)
    _open: list[tuple[str, Route]] = field(default_factory=list)

    def add(self, method: str, route: Route) -> None:
        """Take a route in; the one that asks for most comes first."""
        if None in route.address:
            self._open.append((method, route))
            return
        found = self._exact.setdefault((method, tuple(str(piece) for piece in route.address)), [])
        found.append(route)
        found.sort(key=lambda one: -len(one.wanted))

    def find(self, request: Request) -> Route | None:
        """The route of a request, None where the vendor has nothing at this address."""
        address = pieces(request.url)
        here = self._exact.get((request.method, address), [])
        here = here or [r for method, r in self._open if method == request.method and _matches(r.address, address)]
        return next((route for route in here if route.fits(request)), None)


def routes(plan: Plan, world: World) -> Routes:
    """The routes of all units."""
    found = Routes()
    for unit in (one for units in world.units.values() for one in units if not one.asked.endpoint.file):
        found.add(*_route(plan, unit))
    return found


def _route(plan: Plan, unit: Unit) -> tuple[str, Route]:
    asked, run = unit.asked, {"id": "run-one", "started_at": WINDOW.end}
    one = plan.request(asked, unit.binding, run, WINDOW)
    two = plan.request(asked, unit.binding, {"id": "run-two", "started_at": OTHER.end}, OTHER)
    mine, theirs = pieces(one.url), pieces(two.url)
    address = tuple(a if a == b else None for a, b in zip(mine, theirs, strict=True))
    ignored = _paging(asked.endpoint)
    wanted, bounds = [], []
    for place, value in _values(one):
        if place in ignored:
            continue
        if (place, value) in set(_values(two)):
            wanted.append((place, value))
        elif pattern := _bound(value, asked.endpoint):
            bounds.append((place, pattern))
    return one.method, Route(unit, address, wanted, bounds)


def pieces(url: str) -> Address:
    """Host and path of an address, decoded piece by piece."""
    parts = urlsplit(url)
    return (parts.netloc.lower(), *(unquote(piece) for piece in parts.path.split("/") if piece))


def _matches(address: Sequence[str | None], given: Address) -> bool:
    return len(address) == len(given) and all(a in (None, b) for a, b in zip(address, given, strict=True))


def _values(request: Request) -> Iterator[tuple[Place, str]]:
    """Each value of query and body with its place."""
    for name, value in request.query:
        yield Place(f"query.{name}"), value
    yield from _below("body", request.body)


def _below(path: str, value: Json) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _below(f"{path}.{name}", one)
    elif path != "body" and value is not None:
        yield Place(path), as_text(value)


def _has(request: Request, place: Place, value: str) -> bool:
    if place.kind == "query":
        return (place.name, value) in request.query
    found = request.get(place)
    return found is not None and as_text(found) == value


def _paging(endpoint: Endpoint) -> set[str]:
    """Where the paginator puts what it sends."""

    def places(model: Any) -> Iterator[str]:
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, Place):
                yield value
            elif hasattr(type(value), "model_fields"):
                yield from places(value)

    return set(places(endpoint.paginate)) if endpoint.paginate else set()


def _bound(value: str, endpoint: Endpoint) -> re.Pattern[str] | None:
    """The form of a value with a window in it, which reads `start` and `end` out of others of its kind."""
    forms = ["", *FORMAT.findall(" ".join(templates_in(endpoint)))]
    pattern, found = re.escape(value), False
    for name, moment in (("start", WINDOW.start), ("end", WINDOW.end)):
        for text in dict.fromkeys([rfc3339(moment), *(as_time(moment, form) for form in forms)]):
            escaped = re.escape(text)
            if escaped in pattern and f"<{name}>" not in pattern:
                pattern, found = pattern.replace(escaped, f"(?P<{name}>.+?)", 1).replace(escaped, ".+?"), True
    return re.compile(pattern) if found else None


def within(route: Route, form: Form, request: Request) -> list[Json]:
    """The unit's records that lie in the window of the request, in the order that the page says."""
    rows, incremental = list(route.unit.rows), route.unit.asked.endpoint.incremental
    if incremental is None or not incremental.field:
        return rows
    read = select.compile(incremental.field)
    unit = next((u.column.unit for s in form.record.walk() for u in s.uses if u.column.path == incremental.field), None)
    dated = [(_instant(read.search(row), unit), row) for row in rows]
    for end, moment in _bounds(route, request).items():
        dated = [(at, row) for at, row in dated if at and (at >= moment if end == "start" else at <= moment)]
    if incremental.order != "none":
        dated.sort(key=lambda pair: pair[0] or WINDOW.start, reverse=incremental.order == "desc")
    return [row for _, row in dated]


def _bounds(route: Route, request: Request) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    forms = FORMAT.findall(" ".join(templates_in(route.unit.asked.endpoint)))
    for place, pattern in route.bounds:
        match = pattern.fullmatch(as_text(request.get(place) or ""))
        for name, text in (match.groupdict() if match else {}).items():
            moment = _read(text, forms)
            if moment:
                found[name] = moment
    return found


def _read(text: str, forms: Sequence[str]) -> datetime | None:
    try:
        return read_instant(text)
    except ValueError:
        pass
    for form in forms:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _instant(value: Json, unit: str | None) -> datetime | None:
    try:
        return None if value is None else instant(value, unit)
    except (ValueError, Mistake):
        return None
