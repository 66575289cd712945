"""Lints of pages and requests: places that a request does not have, words that change nothing, and what is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from engine.core.errors import Mistake
from engine.core.kinds import Paginator
from engine.core.settle import Choice
from engine.core.wire import Place
from engine.spec.collect import BODIES, Endpoint
from engine.spec.lint.look import Found, Look, leaves, options
from engine.spec.read import Loc

OF_REQUESTS = ("paginate", "query", "header", *BODIES, "decode")
"""The words of an endpoint that a job has for each of its requests."""


def places_that_are_not_there(look: Look) -> Iterator[Found]:
    """Something is sent to a place that the request does not have."""
    for name, endpoint in look.pipeline.endpoints.items():
        for word in ("paginate", "incremental"):
            for path, place in leaves(getattr(endpoint, word), ("endpoints", name, word)):
                if isinstance(place, Place) and (mistake := _missing(place, endpoint)):
                    yield Found(path, mistake)


def _missing(place: Place, endpoint: Endpoint) -> Mistake | None:
    if place.kind == "path" and "{" + place.name + "}" not in f"{endpoint.base_url or ''}{endpoint.path}":
        message = f"the path has no {{{place.name}}} to put this in"
        return Mistake("place", message, f"write {{{place.name}}} in the path, or send it to query.{place.name}")
    if place.kind == "body" and endpoint.method == "GET":
        return Mistake("place", "a GET has no body", f"write post: instead of get:, or send it to query.{place.name}")
    return None


def bodies_of_get(look: Look) -> Iterator[Found]:
    """A GET has a body."""
    for name, endpoint in look.pipeline.endpoints.items():
        for word in BODIES if endpoint.method == "GET" and not endpoint.job else ():
            if getattr(endpoint, word):
                message = f"{word} is sent with post, put or patch; a GET has no body"
                yield Found(("endpoints", name, word), Mistake("body", message, "write post: /path"), key=True)


def words_of_requests(look: Look) -> Iterator[Found]:
    """A job has words about one request, and does not say which of its requests they are for."""
    for name, endpoint in look.pipeline.endpoints.items():
        paged = endpoint.job is not None and endpoint.job.fetch.urls is None
        for word in OF_REQUESTS if endpoint.job else ():
            if word in endpoint.model_fields_set and getattr(endpoint, word) and not (paged and word == "paginate"):
                message = f"{word} is of one request, and a job has several"
                fix = "take it out: files are read whole" if word == "paginate" else f"write {word} in create or fetch"
                yield Found(("endpoints", name, word), Mistake("job", message, fix), key=True)


def windows_of_paging(look: Look) -> Iterator[Found]:
    """Pages are windows of time, and the endpoint has none."""
    for name, endpoint in look.pipeline.endpoints.items():
        for one in options(endpoint.paginate):
            if one.word == "time_window" and not endpoint.incremental and not one.model_fields_set & {"begin"}:
                message = "there is no window to page through without incremental"
                mistake = Mistake(
                    "window", message, "write start: 30d in time_window, or add incremental: { start: 30d }"
                )
                yield Found(("endpoints", name, "paginate"), mistake, key=True)


def senseless_allowances(look: Look) -> Iterator[Found]:
    """`allow` names what cannot happen with this paginator."""
    for path, paginator in _paginators(look):
        for number, word in enumerate(paginator.allow):
            if why := _cannot(paginator, word):
                message = f"{word} cannot happen here: {why}"
                yield Found((*path, "allow", number), Mistake("allow", message, "take it out"), "warning")


def _cannot(paginator: Paginator, word: str) -> str | None:
    if word == "changing_total" and not getattr(paginator, "total", None):
        return "no total is read"
    if word == "drift" and not paginator.counts:
        return "these pages are no places in a list that moves"
    if word == "repeated_cursor" and paginator.counts:
        return "the engine counts the pages itself"
    if word == "empty_pages" and paginator.timed:
        return "the number of pages is known"
    return None


def cut_lists(look: Look) -> Iterator[Found]:
    """`max_pages` leaves out what is behind: no mistake, but whoever reads the tables must know."""
    for path, paginator in _paginators(look):
        if paginator.max_pages:
            message = f"what is behind page {paginator.max_pages} is left out"
            mistake = Mistake("max-pages", message, "take max_pages out where everything is wanted")
            yield Found((*path, "max_pages"), mistake, "note")


def _paginators(look: Look) -> Iterator[tuple[Loc, Paginator]]:
    """Every paginator with its place, those of choices too."""
    for name, endpoint in look.pipeline.endpoints.items():
        yield from below(endpoint.paginate, ("endpoints", name, "paginate"))


def below(part: Paginator | None, path: Loc) -> Iterator[tuple[Loc, Paginator]]:
    """The paginator with the path of its settings, or those of its options."""
    if part is None:
        return
    path = (*path, part.word)
    if isinstance(part, Choice):
        for name, option in part.options.items():
            yield from below(cast(Paginator, option), (*path, "options", name))
    else:
        yield path, part
