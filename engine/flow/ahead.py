"""Asks for the pages of one unit; those that are known to be needed soon are fetched by other threads meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from engine.core.clock import Clock
from engine.core.wire import Page, Pairs, Request
from engine.flow.pool import Pool

LISTEN_SECONDS = 0.2
"""How often somebody who waits looks whether the run shall stop."""


@dataclass
class Asking:
    """The requests of one unit, in the order of its pages.

    Fetching ahead changes no result: a page that was fetched is taken only when its very request is asked for.
    """

    fetch: Callable[[Request], Page]
    needed: Callable[[Request], None]
    """Hears of each request when its page is needed, not when it is fetched."""
    pool: Pool
    most: Callable[[], int]
    """How many pages may be ahead just now."""
    clock: Clock
    kept: Callable[[Request], Page | None] = lambda request: None
    """The answer that was kept before the run was interrupted, in the order of its unit."""
    _coming: dict[tuple[str, Pairs], Future[Page]] = field(default_factory=dict)
    _later: Iterator[Request] = field(default_factory=lambda: iter(()))

    def __call__(self, request: Request) -> Page:
        """The answer. Raises CollectionError."""
        self.needed(request)
        if kept := self.kept(request):
            return kept
        future = self._coming.pop(_key(request), None)
        if future is None:
            self._pass_over(request)
        self._draw()
        return self.fetch(request) if future is None else heard(future, self.clock)

    def soon(self, requests: Iterator[Request]) -> None:
        """These will be asked for in this order."""
        self._coming, self._later = {}, requests
        self._draw()

    def _pass_over(self, request: Request) -> None:
        """What is fetched now is not fetched ahead any more."""
        following = next(self._later, None)
        if following is not None and _key(following) != _key(request):
            self._later = chain([following], self._later)

    def _draw(self) -> None:
        while len(self._coming) < self.most() and (request := next(self._later, None)) is not None:
            self._coming[_key(request)] = self.pool.submit(partial(self.fetch, request))


def heard(future: Future[Page], clock: Clock) -> Page:
    """What a future gives; raises Stopped also while it hangs."""
    clock.wait(0)
    while not future.done():
        wait([future], LISTEN_SECONDS)
        clock.wait(0)
    return future.result()


def _key(request: Request) -> tuple[str, Pairs]:
    return request.fingerprint, request.header
