"""What must not happen while a list is paged: circles, pages that come twice, records that move, totals not met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from engine.core import jsontext, select
from engine.core.errors import CollectionError
from engine.core.kinds import Cursor, Paginator
from engine.core.wire import Page, Request
from engine.flow.kept import Kept

MOST_EMPTY_PAGES = 1_000
MOST_KNOWN = 100_000
"""So many hashes of records take about ten megabytes."""
READS_IT = "check where the paginator sends its cursor: the vendor does not seem to read it; "


class Unsettled(Exception):
    """What came does not agree with itself, as when the list moved; to read it once more may settle that."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass
class Guard:
    """The pages of one list, watched from the first to the last; `allow` on the page turns a watch off."""

    paginator: Paginator
    rows: int = 0
    total: int | None = None
    """What the vendor declared last."""
    cursors: set[int] = field(default_factory=set)
    bodies: set[int] = field(default_factory=set)
    before: frozenset[int] = frozenset()
    """The records of the page before, by their hashes, where the list may move."""
    known: set[int] = field(default_factory=set)
    """Records of earlier pages: all of the first MOST_KNOWN, as a list whose order has ties gives some of them again on
    any page; then the last of each page, which moves to a later one however many come in before it."""
    empty: int = 0
    """How many pages without records came in a row."""
    marks: Callable[[Page], Sequence[bytes]] = attrgetter("rows")
    """By what the records of a page are known: a page that was kept without some of their fields has only these."""
    said: int | None = None
    """What the vendor declared with the page that was looked at last."""

    def check(self, request: Request, page: Page, following: Cursor, repeated: int = 0) -> Cursor:
        """The cursor behind the page; `repeated` rows at its head come again by design.

        Raises CollectionError when paging goes in a circle, Unsettled when the list moves while it is read.
        """
        rows = self.marks(page)
        rows = rows[repeated:] if repeated else rows
        self.said = page.meta.total if isinstance(page, Kept) else self.paginator.declared(page)
        self.rows += len(rows)
        self._same_page(request, rows)
        self._same_rows(request, rows)
        self._shrunk(request)
        self._empty(request, rows, following)
        return self._circle(request, following)

    def _circle(self, request: Request, following: Cursor) -> Cursor:
        if following is None:
            return None
        text = jsontext.canonical(following)
        mark = hash(text)
        if mark in self.cursors:
            if "repeated_cursor" in self.paginator.allow:
                return None
            raise CollectionError(
                f"{request.describe()}: the cursor {text[:80]} came a second time",
                "the vendor pages in a circle, report it there; if it repeats the cursor at the end of each list, say "
                "allow: [repeated_cursor] in paginate",
            )
        self.cursors.add(mark)
        return following

    def _same_page(self, request: Request, rows: Sequence[bytes]) -> None:
        digest = hash(select.together(rows))
        if rows and digest in self.bodies and "repeated_page" not in self.paginator.allow:
            raise CollectionError(
                f"{request.describe()}: the page equals an earlier one",
                f"{READS_IT}if its pages may really be equal, say allow: [repeated_page] in paginate",
            )
        self.bodies.add(digest)

    def _same_rows(self, request: Request, rows: Sequence[bytes]) -> None:
        """Records that stand on two pages: the list moves while it is read, so that others may stand on none."""
        if not self.paginator.counts or {"drift", "repeated_page"} & set(self.paginator.allow):
            return
        here = frozenset(map(hash, rows))
        twice, where = len(here & self.before), "the page before"
        if not twice:
            twice, where = len(here & self.known), "an earlier page"
        if twice:
            raise Unsettled(
                f"{request.describe()}: {twice} of its records stood on {where} as well, so that others may be missing",
                "the list moves while it is read: sort it by something that does not change; if equal records are "
                "right, say allow: [drift] in paginate",
            )
        self.before = here
        self.known.update(here if len(self.known) < MOST_KNOWN else map(hash, rows[-1:]))

    def _empty(self, request: Request, rows: Sequence[bytes], following: Cursor) -> None:
        """Raise CollectionError where a list goes on for ever without records, each page with a cursor of its own."""
        self.empty = 0 if rows or following is None else self.empty + 1
        if self.empty == MOST_EMPTY_PAGES and not (self.paginator.timed or "empty_pages" in self.paginator.allow):
            raise CollectionError(
                f"{request.describe()}: {self.empty:,} pages in a row have no records, and more are said to follow",
                "name where the end is said (has_more, stop_when); if there may really be so many, say "
                "allow: [empty_pages] in paginate",
            )

    def _shrunk(self, request: Request) -> None:
        total = self.said
        if total is None:
            return
        if self.total is not None and total < self.total and self.paginator.counts and not self._may_change:
            raise Unsettled(
                f"{request.describe()}: the vendor declared {self.total} records first and {total} now, so that others "
                "may have moved to a page that was read before",
                "collect again; if the number is only an estimate, say allow: [changing_total] in paginate",
            )
        self.total = total

    def complete(self, request: Request) -> None:
        """Raise Unsettled when fewer or more rows came than the vendor declared last."""
        if self.total is not None and self.total != self.rows and not self._may_change:
            raise Unsettled(
                f"{request.describe()}: the vendor declared {self.total} records, {self.rows} came",
                "collect again; if the number is only an estimate, say allow: [changing_total] in paginate",
            )

    @property
    def _may_change(self) -> bool:
        return "changing_total" in self.paginator.allow
