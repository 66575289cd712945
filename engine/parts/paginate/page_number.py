"""Each request names the number of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.core.errors import Json, Mistake
from engine.core.kinds import Cursor, Served
from engine.core.select import Jmes
from engine.core.window import Window
from engine.core.wire import Page, Place, Request
from engine.parts.paginate._listed import SMALLEST, Flagged, number


class PageNumber(Flagged):
    """Counts pages.

    Stops when `total` records have come, at the last of `total_pages`, or where `has_more` is false. Where the answer
    does not say: at the first empty page, and with `size` also at a page shorter than `size.read` says, or without
    that shorter than the first: a first page below `size` may be all, or the most that this vendor gives. With `total`
    or `total_pages` the pages behind a full first one are fetched ahead.

    Misbehaving: A total that is not met, one that shrinks, and records that stand on two pages are read once more, then
    the unit is incomplete; so it is at once where the vendor does not read the number, or an empty page says that there
    are more. Records that go while the list is read are missed only with `total`; a total that is too small by whole
    pages is believed.

    Example:
        endpoints:
          apis:
            get: /apis
            records: list
            paginate:
              page_number: { send: query.page, size: { send: query.perPage, value: 100 }, total: answer.num }
    """

    counts: ClassVar[bool] = True

    send: Place = Field(description="Where the number goes: query.page, path.page.")
    first: int = Field(1, ge=0, alias="start", description="The number of the first page.")
    total_pages: Jmes | None = Field(None, description="Where the answer says how many pages there are.")

    @model_validator(mode="after")
    def _one_end(self) -> PageNumber:
        if self.total_pages and self.has_more:
            text = "the end is read from one of total_pages and has_more"
            raise Mistake("paginate", text, "keep total_pages: it lets pages be fetched ahead")
        return self

    def start(self, window: Window | None = None) -> Cursor:
        """The first page; `seen` counts the records before it, `length` is that of a full page, 0 while not known."""
        return {"page": self.first, "seen": 0, "length": 0}

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with page size and number; a reduced page keeps its size in the cursor, which counts by it."""
        if self.size:
            request = request.put(self.size.send, cursor.get("size", self.size.value))
        return request.put(self.send, cursor["page"])

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The next number; raises CollectionError when an empty page says that there is more."""
        rows, more = len(page.rows), self.promised(page)
        length = self.given(page) or cursor["length"]
        seen, pages, total = cursor["seen"] + rows, number(page, self.total_pages), self.declared(page)
        if more is None and pages is not None:
            more = cursor["page"] - self.first + 1 < pages
        if more is None and total is not None:
            more = rows > 0 and seen < total
        if more is None:
            more = rows >= max(1, length if self.size else 1)
        return {**cursor, "page": cursor["page"] + 1, "seen": seen, "length": length or rows} if more else None

    def ahead(self, cursor: Cursor, page: Page) -> Iterator[Cursor]:
        """With `total_pages`, or with `total` behind a full page, all numbers."""
        rows, total, pages = len(page.rows), self.declared(page), number(page, self.total_pages)
        full = self.given(page) or (cursor.get("size", self.size.value) if self.size else rows)
        if pages is None and total is not None and rows == full > 0:
            pages = cursor["page"] - self.first + 1 - (cursor["seen"] + rows - total) // full
        for further in range(1, (pages or 0) - (cursor["page"] - self.first)):
            seen = cursor["seen"] + further * full
            yield {**cursor, "page": cursor["page"] + further, "seen": seen, "length": full}

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The number behind a page of full size."""
        seen = cursor["seen"] + (cursor["length"] or (self.size.value if self.size else 0))
        return None if total is not None and seen >= total else {**cursor, "page": cursor["page"] + 1, "seen": seen}

    def reduced(self, cursor: Cursor) -> tuple[Self, Cursor] | None:
        """About half as many records a page, so many that a page begins where this one does.

        None where no such number is left, or where nobody knows how long the pages before were.
        """
        asked = cursor.get("size", self.size.value) if self.size else 0
        full, before = cursor["length"] or asked, cursor["page"] - self.first
        if before and full < asked and not (self.size and self.size.read):
            return None
        for size in range(full // 2, SMALLEST - 1, -1):
            if before * full % size == 0:
                at = self.first + before * full // size
                return self.of_size(size), {**cursor, "page": at, "length": cursor["length"] and size, "size": size}
        return None

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows of the page with that number."""
        size = self.served_size(request)
        at = (int(request.get(self.send) or self.first) - self.first) * size
        pages, more = -(-len(rows) // size), at + size < len(rows)
        return self.served(rows[at : at + size], rows, size, (self.total_pages, pages), (self.has_more, more))
