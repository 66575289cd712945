"""Each answer names the place where the next one begins."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from engine.core.errors import Json
from engine.core.kinds import Cursor as Position
from engine.core.kinds import PageSize, Paginator, Served
from engine.core.select import Jmes, compile
from engine.core.wire import Page, Place, Request


class Cursor(Paginator):
    """Reads a token from each answer and sends it with the next request.

    Stops when the token is missing, null or empty. A token that comes a second time ends the unit incomplete.
    Source: AIP-158 (pageToken and nextPageToken), among many.

    Example:
        endpoints:
          groups:
            get: /envgroups
            records: environmentGroups
            paginate:
              cursor: { read: answer.nextPageToken, send: query.pageToken, size: { send: query.pageSize, value: 100 } }
    """

    read: Jmes = Field(description='Where the next token is: answer.meta.next, last.id, headers."x-next".')
    send: Place = Field(description="Where it goes in the request: query.cursor, body.pageToken.")
    size: PageSize | None = Field(None, description="How many records a page shall have, and where to say so.")

    def aim(self, request: Request, cursor: Position) -> Request:
        """The request with page size and token."""
        if self.size:
            request = request.put(self.size.send, self.size.value)
        return request if cursor is None else request.put(self.send, cursor)

    def after(self, cursor: Position, page: Page) -> Position | None:
        """The token in the answer."""
        token = page.read(self.read)
        return None if token is None or token == "" else token

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows behind a token; tokens are positions, or the last record's value where that is the cursor."""
        size = self.size.asked(request) if self.size else 50
        source, *path = compile(self.read).plain or ("answer", "next")
        keys = [compile(".".join(path)).search(row) for row in rows] if source == "last" else []
        token = request.get(self.send)
        start = 0 if token is None else ([str(key) for key in keys].index(str(token)) + 1 if keys else int(token))
        page = rows[start : start + size]
        more = start + size < len(rows)
        token = str(start + size) if more else ""
        if source == "headers":
            return Served(page, headers={path[0]: token} if more else {})
        return Served(page, answer={} if source == "last" or not more else {".".join(path): token})
