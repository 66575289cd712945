"""The pages of one unit, from its first request to the end that the paginator sees: no disk, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Protocol

from engine.core.errors import CollectionError, Json, Mistake
from engine.core.kinds import Cursor, Paginator
from engine.core.select import SelectError
from engine.core.values import Duration
from engine.core.window import Window
from engine.core.wire import Page, Request
from engine.flow.answer import UNSAID, said, verdict
from engine.flow.guard import Guard, Unsettled
from engine.flow.kept import Kept
from engine.spec.answers import Fail, ReducePage, Response, Skip, SplitWindow, Stop, Verb

MOST_SKIPPED_PAGES = 10
"""After so many skipped pages in a row a unit is given up: without a total, an offset has no end of its own."""

OUTDATED = (400, 404, 410)
"""With these vendors refuse a cursor that they do not know any more."""

MANY_SPLITS = 100
"""Each time that a window was split so often it is told: a long span makes many requests of one."""


@dataclass(frozen=True)
class Turn:
    """A page that shall be kept."""

    page: Page
    following: Cursor
    """The cursor behind it; None when it was the last."""
    repeated: int = 0
    """How many rows at its head the page before had too."""
    stopped: bool = False
    """Whether the list ends with it by what its records are, though more may follow."""
    cut: bool = False
    """Whether the list ends with it because max_pages says so."""
    total: int | None = None
    """How many records the vendor declared with it."""


@dataclass(frozen=True)
class Left:
    """Something that the page's author leaves out, in words."""

    scope: str
    say: str
    page: Page


@dataclass(frozen=True)
class Anew:
    """The list is begun once more: what came of it before, and what was left out, is not to be kept."""

    windows: tuple[Window | None, ...] = ()
    """The windows that it is read in from here on."""
    again: bool = False
    """Whether what came did not agree with itself: a second time that makes the unit incomplete."""


class Asks(Protocol):
    """Asks for pages, also for some that are needed soon."""

    def __call__(self, request: Request) -> Page:
        """The answer. Raises CollectionError."""

    def soon(self, requests: Iterator[Request]) -> None:
        """These will be asked for in this order: they may be fetched ahead. The iterator is drawn as needed."""


class Outdated(Exception):
    """The vendor refuses to go on behind what was kept; from its start the unit may be read."""


class _Split(Exception):
    """A window is asked for in halves."""

    def __init__(self, halves: Sequence[Window], smallest: Duration) -> None:
        super().__init__()
        self.halves, self.smallest = halves, smallest


@dataclass
class Paging:
    """Reads one list. Once more from the start where what came does not agree with itself; then it is incomplete."""

    paginator: Paginator | None
    request_of: Callable[[Window | None], Request]
    """The first request, for a window."""
    ask: Asks
    read: Callable[[Page], Page]
    """The page with its records; raises CollectionError for a refusal."""
    window: Window | None = None
    told: Callable[[Window], dict[str, Json]] = Window.scope
    """What a page's expressions see as `window`."""
    ending: Callable[[Window | None], Callable[[Page], bool]] = lambda window: lambda page: False
    """For each reading of a list: tells whether a page is its last one by what its records are."""
    responses: Sequence[Response] = ()
    scope: dict[str, Json] = field(default_factory=dict)
    """What the words of response rules may name, besides the answer."""
    note: Callable[[str], None] = lambda text: None
    """Hears what takes long, in words."""
    met: Callable[[Page, int, str], None] = lambda page, rule, say: None
    """Hears of each answer that is no page and moves the list on: the number of its response rule, and its words."""
    marks: Callable[[Page], Sequence[bytes]] = attrgetter("rows")
    """By what the records of a page are known."""
    begun: Anew | None = None
    """How its last reading began, where that was not its first."""

    def turns(self) -> Iterator[Turn | Left | Anew]:
        """Every page to be kept, in order, and what is left out. Raises CollectionError where something is missing."""
        windows = list(self.begun.windows if self.begun else ()) or [self.window]
        at, again, splits = 0, bool(self.begun and self.begun.again), 0
        while at < len(windows):
            begun = False
            try:
                for turn in self._list(windows[at]):
                    begun = True
                    yield turn
                at += 1
                continue
            except _Split as split:
                splits += 1
                if splits % MANY_SPLITS == 0:
                    self.note(f"split_window: {splits:,} splits so far, down to windows of {split.smallest} (smallest)")
                windows[at : at + 1] = split.halves
                if not begun:  # the windows before it stay as they were read
                    continue
            except Unsettled as unsettled:
                if again:
                    raise CollectionError(f"{unsettled}; it was read twice", unsettled.fix) from unsettled
                again = True
            at = 0
            yield Anew(tuple(windows), again)

    def _list(self, window: Window | None) -> Iterator[Turn | Left]:
        base, paginator = self.request_of(window), self.paginator
        if paginator is None:
            yield from self._one(base, window)
            return
        cursor, guard = paginator.start(window), Guard(paginator, marks=self.marks)
        pages, skipped, left, told, is_last = 0, 0, False, False, self.ending(window)
        page: Page | None = None
        while True:
            request = paginator.aim(base, cursor)
            page = self._asked(request, goes_on=pages > 0 and isinstance(page, Kept))
            verb = self._verb(page, window)
            if isinstance(verb, Stop):
                self._note_met(page, verb)
                return
            if isinstance(verb, ReducePage):
                paginator, cursor = _reduced(paginator, cursor, verb, request)
                self._note_met(page, verb)
                continue
            if isinstance(verb, Skip):
                yield self._left(verb, page)
                left, skipped = True, skipped + 1
                cursor = paginator.past(cursor, guard.total) if verb.scope == "page" else None
                if cursor is None:
                    return
                _not_for_ever(request, skipped, guard.total)
                continue
            pages, skipped = pages + 1, 0
            turn = self._turn(page, window, paginator, cursor, guard, is_last)
            turn = replace(turn, cut=turn.cut or (turn.following is not None and pages == paginator.max_pages))
            yield replace(turn, following=None) if turn.cut else turn
            if turn.cut:
                yield Left("unit", f"max_pages: {pages} pages were read, and more follow", page)
                return
            if turn.following is None:
                if not left and not turn.stopped:
                    guard.complete(request)
                return
            if not (told or paginator.stop_when or isinstance(page, Kept)):
                ahead = islice(paginator.ahead(cursor, turn.page), (paginator.max_pages or 10**9) - pages)
                self.ask.soon(map(partial(paginator.aim, base), ahead))
                told = True
            cursor = turn.following

    def _turn(
        self,
        page: Page,
        window: Window | None,
        paginator: Paginator,
        cursor: Cursor,
        guard: Guard,
        is_last: Callable[[Page], bool],
    ) -> Turn:
        """The page with what its paginator finds in it, or found when it was kept. May raise Unsettled."""
        if isinstance(page, Kept):
            is_last(page)  # it compares each page with the one before
            meta = page.meta
            following = guard.check(page.request, page, meta.cursor, meta.skip)
            return Turn(page, following, meta.skip, meta.stopped, meta.cut, meta.total)
        page = replace(self.read(page), window=self.told(window) if window else {})
        stopped, repeated = _is_true(paginator.stop_when, page) or is_last(page), paginator.repeated(cursor, page)
        following = guard.check(page.request, page, None if stopped else paginator.after(cursor, page), repeated)
        return Turn(page, following, repeated, stopped, total=guard.said)

    def _asked(self, request: Request, *, goes_on: bool) -> Page:
        """The answer; raises Outdated where the vendor does not know any more the place at which the kept pages end."""
        page = self.ask(request)
        if goes_on and not isinstance(page, Kept) and page.status in OUTDATED and not verdict(self.responses, page):
            raise Outdated(f"{request.describe()}: status {page.status}")
        return page

    def _one(self, request: Request, window: Window | None) -> Iterator[Turn | Left]:
        page = self.ask(request)
        verb = self._verb(page, window)
        if isinstance(verb, Skip):
            yield self._left(verb, page)
        elif isinstance(verb, ReducePage):
            raise CollectionError(f"{request.describe()}: there is no page that could be reduced", "take the rule out")
        elif isinstance(verb, Stop):
            self._note_met(page, verb)
        else:
            yield Turn(page if isinstance(page, Kept) else self.read(page), None)

    def _verb(self, page: Page, window: Window | None) -> Skip | Stop | ReducePage | None:
        """What the page's rules say of an answer; raises CollectionError where they say that it is an error."""
        if isinstance(page, Kept):
            rule = page.meta.aside.get("rule")
            verb = None if rule is None else self.responses[rule].verb
        else:
            verb = verdict(self.responses, page)
        asked = page.request.describe()
        if isinstance(verb, Fail):
            raise CollectionError(f"{asked}: {said(verb.say, page, self.scope)}", "the page says so in responses")
        if isinstance(verb, SplitWindow):
            halves = window.halves(timedelta(seconds=verb.smallest.seconds)) if window else None
            if window is None or halves is None:
                why = "there is no window to split" if window is None else f"its window is {verb.smallest} or shorter"
                raise CollectionError(f"{asked}: status {page.status}, and {why}", "allow smaller windows, or skip it")
            self._note_met(page, verb)
            raise _Split(halves, verb.smallest)
        return verb if isinstance(verb, (Skip, Stop, ReducePage)) else None

    def _left(self, skip: Skip, page: Page) -> Left:
        if isinstance(page, Kept):
            return Left(skip.scope, page.meta.aside["say"], page)
        say = said(skip.say, page, self.scope)
        if UNSAID in say and skip.scope != "page":  # a page is named in any case
            say = f"{page.request.describe()}: {say}"
        self._note_met(page, skip, say)
        return Left(skip.scope, say, page)

    def _note_met(self, page: Page, verb: Verb, say: str = "") -> None:
        if not isinstance(page, Kept):
            self.met(page, next(number for number, one in enumerate(self.responses) if one.verb is verb), say)


def _reduced(paginator: Paginator, cursor: Cursor, verb: ReducePage, request: Request) -> tuple[Paginator, Cursor]:
    size = getattr(getattr(paginator, "size", None), "value", None)
    smaller = paginator.reduced(cursor) if size is not None and size > verb.smallest else None
    if smaller is None:
        why = "its pages have no size" if size is None else f"{size} records a page cannot be reduced"
        raise CollectionError(f"{request.describe()}: smaller pages are asked for, and {why}", "skip it, or name size")
    return smaller


def _is_true(expression: str | None, page: Page) -> bool:
    """Whether `stop_when` holds; raises CollectionError where it cannot be told."""
    try:
        return bool(page.read(expression)) if expression else False
    except (SelectError, Mistake) as error:
        text = f"{page.request.describe()}: stop_when cannot be told: {error}"
        raise CollectionError(text, "write it so that it also holds where a list is missing") from None


def _not_for_ever(request: Request, skipped: int, total: int | None) -> None:
    if skipped == max(MOST_SKIPPED_PAGES, total or 0):
        raise CollectionError(
            f"{request.describe()}: {skipped} pages in a row were skipped, and more may follow",
            "name total, where the vendor says how many records there are",
        )
