"""Each request says how many records to pass over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from pydantic import Field

from engine.core.errors import Json
from engine.core.kinds import Cursor, Served
from engine.core.window import Window
from engine.core.wire import Page, Place, Request
from engine.parts.paginate._listed import SMALLEST, Flagged


class Offset(Flagged):
    """Sends the number of records seen so far.

    Stops when `total` is reached or where `has_more` is false; where the answer does not say, at the first empty page,
    and with `size` also at a page shorter than `size.read` says, or without that shorter than the first: a first page
    below `size` may be all, or the most that this vendor gives. With `total` the pages behind a full first one are
    fetched ahead.

    Misbehaving: A total that is not met, one that shrinks, and records that stand on two pages are read once more, then
    the unit is incomplete; so it is at once where the vendor does not read the offset, or an empty page says that there
    are more. Records that go while the list is read are missed only with `total`; a total that is too small by whole
    pages is believed.

    Example:
        endpoints:
          stats:
            get: /stats
            records: rows
            paginate: { offset: { send: query.offset, size: { send: query.limit, value: 500 }, total: answer.total } }
    """

    counts: ClassVar[bool] = True

    send: Place = Field(description="Where the offset goes: query.offset.")

    def start(self, window: Window | None = None) -> Cursor:
        """From the first record; `length` is that of a full page, 0 while it is not known."""
        return {"offset": 0, "length": 0}

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with page size and offset."""
        return self.sized(request).put(self.send, cursor["offset"])

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The offset behind this page; raises CollectionError when an empty page says that there is more."""
        seen, more, total = len(page.rows), self.promised(page), self.declared(page)
        length = self.given(page) or cursor["length"]
        following = {"offset": cursor["offset"] + seen, "length": length or seen}
        if more is None and total is not None:
            more = seen > 0 and following["offset"] < total
        if more is None:
            more = seen >= max(1, length if self.size else 1)
        return following if more else None

    def ahead(self, cursor: Cursor, page: Page) -> Iterator[Cursor]:
        """With `total` all offsets behind a full page."""
        seen, total = len(page.rows), self.declared(page)
        full = self.given(page) or (self.size.value if self.size else seen)
        if total is not None and seen == full > 0:
            for offset in range(cursor["offset"] + full, total, full):
                yield {"offset": offset, "length": full}

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The offset behind a page of full size."""
        if self.size is None:
            return None
        following = cursor["offset"] + (cursor["length"] or self.size.value)
        return None if total is not None and following >= total else {**cursor, "offset": following}

    def reduced(self, cursor: Cursor) -> tuple[Self, Cursor] | None:
        """Half as many records from the same offset on."""
        half = self.size.value // 2 if self.size else 0
        return (self.of_size(half), {**cursor, "length": min(cursor["length"], half)}) if half >= SMALLEST else None

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows from the offset on."""
        size, at = self.served_size(request), int(request.get(self.send) or 0)
        return self.served(rows[at : at + size], rows, size, (self.has_more, at + size < len(rows)))
