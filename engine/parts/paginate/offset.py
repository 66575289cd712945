"""Each request says how many records to pass over."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from engine.core.errors import Json
from engine.core.kinds import Cursor, PageSize, Paginator, Served
from engine.core.select import Jmes
from engine.core.wire import Page, Place, Request
from engine.parts.paginate._totals import number, told


class Offset(Paginator):
    """Sends the number of records seen so far.

    Stops when `total` is reached; without it, or without `size`, at the first empty page. With `size` it also stops at
    a page shorter than the first: a first page below `size` may be all, or the most that this vendor gives.

    Example:
        endpoints:
          stats:
            get: /stats
            records: rows
            paginate: { offset: { send: query.offset, size: { send: query.limit, value: 500 }, total: answer.total } }
    """

    send: Place = Field(description="Where the offset goes: query.offset.")
    size: PageSize | None = Field(None, description="How many records a page shall have, and where to say so.")
    total: Jmes | None = Field(None, description="Where the answer says how many there are.")

    def start(self) -> Cursor:
        """From the first record; `length` is that of the first page, 0 before it."""
        return {"offset": 0, "length": 0}

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with page size and offset."""
        if self.size:
            request = request.put(self.size.send, self.size.value)
        return request.put(self.send, cursor["offset"])

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The offset behind this page."""
        seen, total = len(page.rows), self.declared(page)
        following = {"offset": cursor["offset"] + seen, "length": cursor["length"] or seen}
        if seen == 0 or (total is not None and following["offset"] >= total):
            return None
        return None if total is None and self.size and seen < cursor["length"] else following

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The offset behind a page of full size."""
        if self.size is None:
            return None
        following = cursor["offset"] + (cursor["length"] or self.size.value)
        return None if total is not None and following >= total else {**cursor, "offset": following}

    def declared(self, page: Page) -> int | None:
        """How many records the answer says there are."""
        return number(page, self.total)

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows from the offset on."""
        start = int(request.get(self.send) or 0)
        size = self.size.asked(request) if self.size else 50
        return Served(rows[start : start + size], *told(self.total, len(rows)))
