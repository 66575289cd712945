"""Each request says how many records to pass over."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from engine.core.errors import Json
from engine.core.kinds import Cursor, PageSize, Paginator, Served
from engine.core.select import Jmes, compile
from engine.core.wire import Page, Place, Request


class Offset(Paginator):
    """Sends the number of records seen so far.

    Stops when `total` is reached; without it at the first page shorter than `size`, or without `size` at the first
    empty page.

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
        """From the first record."""
        return 0

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with page size and offset."""
        if self.size:
            request = request.put(self.size.send, self.size.value)
        return request.put(self.send, cursor)

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The offset behind this page."""
        seen, total = len(page.rows), self.declared(page)
        if seen == 0 or (total is not None and cursor + seen >= total):
            return None
        if total is None and self.size and seen < self.size.value:
            return None
        return cursor + seen

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The offset behind a page of full size."""
        following = cursor + self.size.value if self.size else None
        return None if following is None or (total is not None and following >= total) else following

    def declared(self, page: Page) -> int | None:
        """How many records the answer says there are."""
        total = page.read(self.total) if self.total else None
        return int(total) if isinstance(total, (int, str)) and str(total).isdigit() else None

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows from the offset on."""
        start = int(request.get(self.send) or 0)
        size = self.size.asked(request) if self.size else 50
        path = (compile(self.total).plain or ())[1:] if self.total else ()
        return Served(rows[start : start + size], answer={".".join(path): len(rows)} if path else {})
