"""Each request names the record at which the page begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from engine.core.errors import CollectionError, Json
from engine.core.kinds import Cursor, PageSize, Served
from engine.core.select import Jmes, compile
from engine.core.wire import Page, Place, Request
from engine.parts.paginate._listed import Listed


class StartKey(Listed):
    """Sends the key of the last record; where that is inclusive, the next page repeats it and the repeat is dropped.

    Stops at an empty page, or when only the repeated record comes back: a short page may be one that the vendor cut.
    Source: Apigee's count and startKey.

    Misbehaving: A key that came before, a page that equals an earlier one, and a last record without a key leave the
    unit incomplete. A named record that is gone is no trouble. That a page was left out only `total` tells.

    Example:
        endpoints:
          products:
            get: /apiproducts
            records: apiProduct
            paginate: { start_key: { read: last.name, send: query.startKey, size: { send: query.count, value: 1000 } } }
    """

    read: Jmes = Field(description="Where the key of the last record is: last.name.")
    send: Place = Field(description="Where it goes: query.startKey.")
    size: PageSize = Field(description="How many records a page shall have, and where to say so; at least 2.")
    inclusive: bool = Field(True, description="Whether the page begins with the named record itself.")

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with page size and key."""
        request = self.sized(request)
        return request if cursor is None and self.send.kind != "path" else request.put(self.send, cursor)

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The key of the last record; raises CollectionError where it has none: that would look like the end."""
        if len(page.rows) <= self.repeated(cursor, page):
            return None
        if (key := page.read(self.read)) is None:
            text = f"{page.request.describe()}: the last record has nothing at read: {self.read}"
            raise CollectionError(text, "correct read: it leads to the key of a record, as in last.name")
        return key

    def repeated(self, cursor: Cursor, page: Page) -> int:
        """One, when the page begins with the record that the page before ended with."""
        if not self.inclusive or cursor is None or not page.rows:
            return 0
        return int(replace(page, rows=page.rows[:1]).read(self.read) == cursor)

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows from the named one on."""
        path = ".".join((compile(self.read).plain or ("last", "@"))[1:])
        keys = [str(compile(path or "@").search(row)) for row in rows]
        key, size = request.get(self.send), self.served_size(request)
        start = 0 if key is None else keys.index(str(key)) + (0 if self.inclusive else 1)
        return self.served(rows[start : start + size], rows, size)
