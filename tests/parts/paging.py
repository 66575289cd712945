"""Crawls a list that a paginator serves to itself, through the engine's own loop, and counts what is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from engine.core.errors import CollectionError, Json, Mistake
from engine.core.kinds import Paginator, Served
from engine.core.settle import Settling
from engine.core.window import Window
from engine.core.wire import Page, Request
from engine.flow.paging import Anew, Left, Paging
from engine.flow.raw import rows_in
from engine.spec.answers import Response
from tests.parts.tables import REGISTRY

BASE = Request("POST", "https://api.example.com/v1/things/{hole}", body={"filter": {"a": 1}})
MOST_REQUESTS = 2_000
MOST_CURSOR = 1_000
"""A cursor is kept with each page, so it must be small: so many bytes."""
TOO_LARGE = Response.model_validate({"when": {"status": 413}, "reduce_page": {}})
Answers = Callable[[Request], Page]


def paginator(word: str, settings: Any, params: Mapping[str, Json] | None = None) -> Paginator:
    """The paginator as a page names it, settled by its params."""
    value = word if settings is None else {word: settings}
    named = TypeAdapter(Paginator).validate_python(value, context={"registry": REGISTRY})
    part: Paginator = Settling(params or {}).of(named)
    return part


def answered(request: Request, served: Served) -> Page:
    """The page that is described, as bytes of an answer with its records below `data.rows`."""
    answer: dict[str, Any] = {"data": {"rows": list(served.rows)}}
    for (*above, last), value in served.answer.items():
        here = answer
        for key in above:
            here = here.setdefault(key, {})
        here[last] = value
    body = json.dumps(answer).encode()
    return Page(request, 200, served.headers, body, rows_in(body, "data.rows") or [])


def vendor_of(part: Paginator, rows: Sequence[Json], most: int = 10**6) -> Answers:
    """A vendor of these rows who pages as the part says, and gives at most so many at once."""

    def answer(request: Request) -> Page:
        size = getattr(part, "size", None)
        smaller = request.put(size.send, min(most, size.asked(request))) if size else request
        served = part.serve(smaller, rows)
        return answered(request, served)

    return answer


@dataclass
class Asks:
    """Asks a vendor; what may be fetched ahead is fetched at once, so that all of it counts."""

    answers: Answers
    eager: bool = True
    asked: int = 0
    coming: dict[str, Page] = field(default_factory=dict)

    def __call__(self, request: Request) -> Page:
        """The answer, asked for unless it is there already."""
        return self.coming.pop(request.fingerprint, None) or self._asked(request)

    def soon(self, requests: Iterator[Request]) -> None:
        """Ask for all of these."""
        for request in requests if self.eager else ():
            self.coming[request.fingerprint] = self._asked(request)

    def _asked(self, request: Request) -> Page:
        self.asked += 1
        assert self.asked <= MOST_REQUESTS, "the paging does not stop"
        return self.answers(request)


def crawled(
    part: Paginator, answers: Answers, window: Window | None = None, *, eager: bool = True
) -> tuple[list[Json], int]:
    """The rows of all pages that are kept, and how many requests that took. Raises CollectionError."""
    asks, found = Asks(answers, eager), list[Json]()
    paging = Paging(part, lambda _: BASE, asks, lambda page: page, window=window, responses=[TOO_LARGE])
    for turn in paging.turns():
        assert not isinstance(turn, Left)
        if isinstance(turn, Anew):
            found = []
            continue
        kept = json.dumps(turn.following)
        assert (turn.following, True) == (json.loads(kept), len(kept) < MOST_CURSOR)
        found += [json.loads(row) for row in turn.page.rows[turn.repeated :]]
    return found, asks.asked


def or_incomplete(part: Paginator, answers: Answers, window: Window | None = None) -> list[Json] | None:
    """The rows, or None where the crawl says that something is missing."""
    try:
        return crawled(part, answers, window, eager=False)[0]
    except (CollectionError, Mistake):
        return None
