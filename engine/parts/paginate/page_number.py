"""Each request names the number of a page."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from engine.core.errors import CollectionError, Json, Mistake
from engine.core.kinds import Cursor, PageSize, Paginator, Served
from engine.core.select import Jmes
from engine.core.wire import Page, Place, Request
from engine.parts.paginate._totals import number, told

SIZE = 50
"""How many records the vendor's side gives where nobody says a size."""


class PageNumber(Paginator):
    """Counts pages.

    Stops when `total` records have come, at the last of `total_pages`, or where `has_more` is false. Where the answer
    does not say: at the first empty page, and with `size` also at a page shorter than the first: a first page below
    `size` may be all, or the most that this vendor gives. An empty page that says that there are more ends the unit
    incomplete.

    Example:
        endpoints:
          apis:
            get: /apis
            records: list
            paginate:
              page_number: { send: query.page, size: { send: query.perPage, value: 100 }, total: answer.num }
    """

    send: Place = Field(description="Where the number goes: query.page.")
    first: int = Field(1, ge=0, alias="start", description="The number of the first page.")
    size: PageSize | None = Field(None, description="How many records a page shall have, and where to say so.")
    total: Jmes | None = Field(None, description="Where the answer says how many records there are.")
    total_pages: Jmes | None = Field(None, description="Where the answer says how many pages there are.")
    has_more: Jmes | None = Field(None, description="Where the answer says whether another page follows.")

    @model_validator(mode="after")
    def _one_end(self) -> PageNumber:
        if sum(one is not None for one in (self.total, self.total_pages, self.has_more)) > 1:
            text = "the end is read from one of total, total_pages and has_more"
            raise Mistake("paginate", text, "keep total where there is one: it also proves that nothing is missing")
        return self

    def start(self) -> Cursor:
        """The first page; `seen` counts the records before a page, `length` is that of the first one, 0 before it."""
        return {"page": self.first, "seen": 0, "length": 0}

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with page size and number."""
        if self.size:
            request = request.put(self.size.send, self.size.value)
        return request.put(self.send, cursor["page"])

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The next number; raises CollectionError when an empty page says that there is more."""
        seen = cursor["seen"] + len(page.rows)
        more = self._more(cursor["page"], seen, page)
        if more is None:
            more = len(page.rows) >= max(1, cursor["length"] if self.size else 1)
        length = cursor["length"] or len(page.rows)
        return {"page": cursor["page"] + 1, "seen": seen, "length": length} if more else None

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The number behind a page of full size."""
        seen = cursor["seen"] + (cursor["length"] or (self.size.value if self.size else 0))
        return None if total is not None and seen >= total else {**cursor, "page": cursor["page"] + 1, "seen": seen}

    def declared(self, page: Page) -> int | None:
        """How many records the answer says there are."""
        return number(page, self.total)

    def _more(self, at: int, seen: int, page: Page) -> bool | None:
        """Whether the answer says that another page follows; None where it does not say."""
        if self.has_more:
            found = page.read(self.has_more)
            if found is None:
                return None
            more = bool(found) and str(found).lower() != "false"
            if more and not page.rows:  # some vendors say so behind the end, for ever
                text = f"{page.request.describe()}: page {at} is empty and says that there are more"
                raise CollectionError(text, "take has_more out: then an empty page is the last")
            return more
        if (pages := number(page, self.total_pages)) is not None:
            return at - self.first + 1 < pages
        total = self.declared(page)
        return None if total is None else bool(page.rows) and seen < total

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows of the page with that number."""
        size = self.size.asked(request) if self.size else SIZE
        at = (int(request.get(self.send) or self.first) - self.first) * size
        said = (
            (self.total, len(rows)),
            (self.total_pages, -(-len(rows) // size)),
            (self.has_more, at + size < len(rows)),
        )
        answer, headers = next((told(path, value) for path, value in said if path), ({}, {}))
        return Served(rows[at : at + size], answer, headers)
