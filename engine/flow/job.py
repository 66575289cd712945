"""Exports: a request makes the vendor work, others ask how far it is, and then the files are fetched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from engine.core import jsontext, redact, template
from engine.core.clock import Clock
from engine.core.errors import CollectionError, Json
from engine.core.events import Sink, Waiting
from engine.core.select import SelectError
from engine.core.settle import inside
from engine.core.values import Duration
from engine.core.wire import Page, Request, as_text, request_to
from engine.flow.plan import Asked, Plan, one_of_many, sent, templates_in
from engine.spec.collect import Endpoint
from engine.spec.job import Ask, Create, Fetch, Job, Poll

TOKEN = re.compile(r"token|secret|passw|signature|credential|cookie|session", re.IGNORECASE)
"""What has such a name lets somebody in."""
OPENS = re.compile(r"\?.*=|//[^/?#]*@")
"""An address that may do so: one with a query, or with a name and password."""
WHOLE = "*"
"""In the place of names: everything."""


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
    kept: Mapping[str, Json] | None = None
    """What `keep` kept of a job before: that one is not created again."""
    keep: Callable[[Page, Mapping[str, Json]], None] = lambda page, needed: None
    """Keeps what the requests behind an answer need of it: what was created is never created twice."""

    def ready(self) -> tuple[Page | None, dict[str, Json]] | None:
        """The page that names the files and what `${job.…}` stands for; None where there is nothing to fetch.

        Raises CollectionError where it is not ready in time, and from Failed where it never will be.
        """
        job = self.asked.endpoint.job
        assert job
        named: dict[str, Json] = dict(self.kept or {})
        page = None
        if job.create and self.kept is None:
            page = self.ask(self.request(job.create, named), "create")
            named = _named(page, job.create.read, "id")
            needed = keepable(self.asked.endpoint, job, page, named)
            if needed is not None:
                self.keep(page, needed)
        if job.poll:
            page = self._polled(job.poll, named)
            if job.poll.empty and _read(page, job.poll.empty, "empty"):
                return None
            named |= _named(page, job.poll.read, "result")
        if job.locate:
            page = self.ask(self.request(job.locate, named), "locate")
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
            return replace(request, body=sent(ask.body, scope), hides_query=_hides(ask))

    def _polled(self, poll: Poll, named: Mapping[str, Json]) -> Page:
        request = self.request(poll, named)
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
        return page

    def _wait(self, every: Duration) -> None:
        self.emit(Waiting(self.asked.name, every.seconds, "the export is not ready"))
        self.clock.wait(every.seconds)


def keepable(endpoint: Endpoint, job: Job, page: Page, named: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """What is needed of the answer that created a job behind it, to be written down.

    None where that is the answer itself, or holds what must not be kept: what signs requests, an address that lets
    somebody in, a cookie, a field that is redacted. Such a job is created once more where its run was killed.
    """
    create, fetch, later = job.create, job.fetch, [one for word, one in job.steps.items() if word != "create"]
    if not (job.poll or job.locate) and (fetch.urls or (fetch.decode and fetch.decode.by)):
        return None
    wanted, in_headers = _wanted(later), _wanted([one.header for one in later])
    needed = named if WHOLE in wanted else {name: value for name, value in named.items() if name in wanted}
    words = f"{create.read if create else ''} {' '.join(needed)}"
    is_open = TOKEN.search(words) or in_headers & {*needed, WHOLE} or any(map(OPENS.search, inside(needed, str)))
    if needed and (is_open or any(_bare(page, create, endpoint).get(name) != one for name, one in needed.items())):
        return None
    return needed


def _wanted(value: Any) -> set[str]:
    """The names that templates in it read of the job."""
    every = (one for text in templates_in(value) for one in template.compile(text).references)
    return {one.path[0] if one.path else WHOLE for one in every if one.namespace == "job"}


def _bare(page: Page, create: Create | None, endpoint: Endpoint) -> Mapping[str, Json]:
    """What is read of the answer where all that is redacted is taken out of it, at any depth."""
    body = page.body
    with suppress(jsontext.NoJson):
        answer = jsontext.read(body) if body.strip() and endpoint.redact else None
        for rule in endpoint.redact:
            answer = redact.redact(answer, f"**.{rule.path.removeprefix('**.')}", redact.drop)
        body = jsontext.write(answer) if answer is not None else body
    try:
        return _named(replace(page, body=body), create.read if create else None, "id")
    except CollectionError:
        return {}


def _hides(ask: Ask) -> bool:
    """Whether query and body are from a job's answer, or its whole address is: who knows them may often do the same."""
    first, *_ = (*template.compile(ask.way[1] or "").pieces, "")
    is_the_vendors = not isinstance(first, str) and any(one.namespace == "job" for one in first.references)
    return is_the_vendors or bool(_wanted([ask.query, ask.body]))


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
