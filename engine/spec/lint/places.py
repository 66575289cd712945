"""Lints of places in a request: two things that are sent to one, and a credential beside the sign-in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.core.errors import Mistake
from engine.core.kinds import Auth
from engine.core.wire import Place
from engine.spec.collect import Endpoint
from engine.spec.lint.look import Found, Look, leaves, options
from engine.spec.lint.paging import below
from engine.spec.read import Loc

FIRST = ("cursor", "start_key")
"""Paginators that put nothing into the first request: what the page says at `send` goes with that one alone."""
Told = dict[str, str]
"""Place -> the word that sends something there."""


def places_told_twice(look: Look) -> Iterator[Found]:
    """Paging or a window sends something to a place that something else is sent to."""
    signed = {_key(place): "auth" for one in options(look.pipeline.connection.auth) for place in _signed(one)}
    for name, endpoint in look.pipeline.endpoints.items():
        told = {**dict(_written(endpoint)), **signed}
        if endpoint.incremental:
            yield from _twice(endpoint.incremental.send, ("endpoints", name, "incremental", "send"), told)
        for path, one in below(endpoint.paginate, ("endpoints", name, "paginate")):
            others = dict(told)
            if one.word in FIRST and others.get(key := _key(one.send)) != "auth":  # type: ignore[attr-defined]
                others.pop(key, None)
            yield from _twice(one, path[:-1], others)


def _twice(value: Any, path: Loc, told: Told) -> Iterator[Found]:
    """The places in a value that are told already; the others are from now on."""
    for at, place in leaves(value, path):
        if not isinstance(place, Place):
            continue
        if word := told.get(_key(place)):
            message = f"{word} sends something to {place} already"
            yield Found(at, Mistake("place", message, f"take it out of {word}, or send this elsewhere"))
        told.setdefault(_key(place), str(path[2]))


def _key(place: Place) -> str:
    """A place, as it is the same: names of headers know no capitals."""
    return place.lower() if place.kind == "header" else str(place)


def _signed(auth: Auth) -> Iterator[Place]:
    """Where a sign-in puts something."""
    yield from (place for _, place in leaves(auth, ()) if isinstance(place, Place))
    yield from getattr(auth, "also", ())


def _written(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """The places that the page itself fills, with their words; null leaves a place out."""
    for name in endpoint.header:
        yield f"header.{name}".lower(), "header"
    yield from ((f"query.{name}", "query") for name, value in endpoint.query.items() if value is not None)
    for word in ("body", "form", "multipart"):
        yield from ((f"body{place}", word) for place in _fields(getattr(endpoint, word)))
    if endpoint.graphql:
        yield from ((f"body.variables{place}", "graphql") for place in _fields(endpoint.graphql.variables))


def _fields(value: Any) -> Iterator[str]:
    """The dotted path of each field of a body, however deep."""
    for name, one in value.items() if isinstance(value, Mapping) else ():
        if one is not None:
            yield f".{name}"
            yield from (f".{name}{below}" for below in _fields(one))


def credentials_beside_auth(look: Look) -> Iterator[Found]:
    """A header Authorization stands beside auth."""
    auth = [one for one in options(look.pipeline.connection.auth) if one.word != "none"]
    headers: dict[Loc, Mapping[str, Any]] = {("connection",): look.pipeline.connection.header}
    for name, endpoint in look.pipeline.endpoints.items():
        headers["endpoints", name] = endpoint.header
    for at, header in headers.items() if auth else ():
        for name in header:
            if name.lower() == "authorization":
                message = f"{name} is a header of auth, which signs requests in already"
                fix = "take the header out, or auth"
                yield Found((*at, "header", name), Mistake("place", message, fix), key=True)
