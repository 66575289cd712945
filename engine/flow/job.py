"""Exports: a request makes the vendor work, others ask how far it is, and then the files are fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from engine.core.clock import Clock
from engine.core.errors import CollectionError, Json
from engine.core.events import Sink, Waiting
from engine.core.select import SelectError
from engine.core.values import Duration
from engine.core.wire import Page, Request, as_text, request_to
from engine.flow.plan import Asked, Plan, one_of_many, sent
from engine.spec.job import Ask, Fetch, Poll


class Failed(Exception):
    """The vendor will never make this export ready."""


@dataclass
class Export:
    """One export of one unit."""

    plan: Plan
    asked: Asked
    scope: Mapping[str, Json]
    """What templates may name, besides the job."""
    ask: Callable[[Request, str], Page]
    """Gives the answer of a request of the job, whose status is a success; the word is its step."""
    clock: Clock
    emit: Sink
    kept: Callable[[Request, str], Page | None] = lambda request, step: None
    """The answer of a step that was kept before."""
    keep: Callable[[Page, str], None] = lambda page, step: None
    """Keeps the answer of a step that the job goes on with: what was created is never created twice."""

    def ready(self, *, anew: bool = False) -> tuple[Page | None, dict[str, Json]] | None:
        """The page that names the files and what `${job.…}` stands for; None where there is nothing to fetch.

        What was kept is not asked for again; `anew` that is only what created the job. Raises CollectionError where it
        is not ready in time, and from Failed where it never will be.
        """
        job = self.asked.endpoint.job
        assert job
        named: dict[str, Json] = {}
        page = None
        if job.create:
            request = self.request(job.create, named)
            before = self.kept(request, "create")
            page = before or self.ask(request, "create")
            named = _named(page, job.create.read, "id")
            if before is None:
                self.keep(page, "create")
        if job.poll:
            page = self._polled(job.poll, named, anew=anew)
            if job.poll.empty and _read(page, job.poll.empty, "empty"):
                return None
            named |= _named(page, job.poll.read, "result")
        if job.locate:
            request = self.request(job.locate, named)
            before = None if anew else self.kept(request, "locate")
            page = before or self.ask(request, "locate")
            if before is None:
                self.keep(page, "locate")
        return page, named

    def files(self, fetch: Fetch, page: Page | None, named: Mapping[str, Json]) -> Iterator[Request]:
        """The requests for the files."""
        if fetch.urls is None:
            yield self.request(fetch, named)
            return
        assert page
        found = _read(page, fetch.urls, "urls")
        for url in found if isinstance(found, list) else [found]:
            if not isinstance(url, str) or not url:
                text = f"{page.request.describe()}: urls: {fetch.urls} leads to {url!r}, which is no address"
                raise CollectionError(text, "correct urls: it leads to the address of a file, or to a list of them")
            with one_of_many():
                headers = {name: sent(value, {**self.scope, "job": named}) for name, value in fetch.header.items()}
            # who has such an address may often read the file: what follows its question mark is not shown
            yield request_to("GET", urljoin(page.request.url, url), header=_header(headers), hides_query=True)

    def request(self, ask: Ask, named: Mapping[str, Json]) -> Request:
        """A request of the job, unsigned; raises CollectionError when a name in it is null."""
        scope = {**self.scope, "job": named}
        with one_of_many():
            request = self.plan.compose(self.asked, scope, *ask.way, ask.query, ask.header)
            return replace(request, body=sent(ask.body, scope))

    def _polled(self, poll: Poll, named: Mapping[str, Json], *, anew: bool) -> Page:
        request = self.request(poll, named)
        before = None if anew else self.kept(request, "poll")
        if before:
            return before
        until = self.clock.now() + poll.deadline.seconds
        while True:
            page = self.ask(request, "poll")
            if poll.empty and _read(page, poll.empty, "empty"):
                break
            if poll.failed and _read(page, poll.failed, "failed"):
                text = f"{request.describe()}: the vendor says that the export failed{_sentence(page)}"
                raise CollectionError(text, "look at the vendor why, and collect again") from Failed()
            if _read(page, poll.done, "done"):
                break
            if self.clock.now() + poll.every.seconds > until:
                text = f"{request.describe()}: the export was not ready after {poll.deadline}"
                raise CollectionError(text, "raise poll.deadline, or ask for less at once")
            self._wait(poll.every)
        self.keep(page, "poll")
        return page

    def _wait(self, every: Duration) -> None:
        self.emit(Waiting(self.asked.name, every.seconds, "the export is not ready"))
        self.clock.wait(every.seconds)


def _named(page: Page, read: str | None, word: str) -> dict[str, Json]:
    """What an answer gives to the requests behind it."""
    if read is None:
        return {}
    found = _read(page, read, "read")
    if found is None:
        text = f"{page.request.describe()}: the answer has nothing at read: {read}, which the job goes on with"
        raise CollectionError(text, "correct read in job")
    return dict(found) if isinstance(found, dict) else {word: found}


def _read(page: Page, path: str, word: str) -> Any:
    try:
        return page.read(path)
    except (SelectError, ValueError) as error:
        raise CollectionError(f"{page.request.describe()}: {word}: {error}", f"correct {word} in job") from None


def _sentence(page: Page) -> str:
    """What the vendor says of it, where it says it in one of the usual places."""
    found = _read(page, "answer.error.message || answer.message || answer.error || answer.reason", "failed")
    return f": {found}"[:300] if isinstance(found, str) else ""


def _header(headers: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    return tuple((name, as_text(value)) for name, value in headers.items() if value is not None)
