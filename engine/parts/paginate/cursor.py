"""Each answer names the place where the next one begins."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from engine.core.errors import CollectionError, Json
from engine.core.kinds import Cursor as Position
from engine.core.kinds import Served
from engine.core.select import Jmes, compile
from engine.core.wire import Page, Place, Request
from engine.parts.paginate._listed import Flagged, says_more_without

OF_RECORDS = frozenset({"last", "rows"})


class Cursor(Flagged):
    """Reads a token from each answer, its headers or its last record, and sends it with the next request.

    Stops when the token is missing, null, false or empty, or where `has_more` is false; an empty page with a token is
    no end. A token of the last record alone ends only at an empty page, one request more. In a path, `/{token}` is left
    out of the first request. Source: AIP-158 (pageToken and nextPageToken), Stripe (starting_after and has_more), among
    many.

    Misbehaving: A token that came before, also A-B-A-B, a page that equals an earlier one, a last record without the
    key that leads on, and `has_more` without a token leave the unit incomplete. That a page was left out only `total`
    tells.

    Example:
        endpoints:
          groups:
            get: /envgroups
            records: environmentGroups
            paginate:
              cursor: { read: answer.nextPageToken, send: query.pageToken, size: { send: query.pageSize, value: 100 } }
    """

    read: Jmes = Field(description='Where the next token is: answer.meta.next, last.id, headers."x-next".')
    send: Place = Field(description="Where it goes in the request: query.cursor, body.pageToken, path.token.")

    def aim(self, request: Request, cursor: Position) -> Request:
        """The request with page size and token."""
        request = self.sized(request)
        return request if cursor is None and self.send.kind != "path" else request.put(self.send, cursor)

    def after(self, cursor: Position, page: Page) -> Position | None:
        """The token in the answer; raises CollectionError where it is missing and more follows, or cannot be sent."""
        more = self.more(page)
        if more is False:
            return None
        token = page.read(self.read)
        if token is None or token is False or token in ("", [], {}):
            if page.rows and compile(self.read).roots & OF_RECORDS:
                text = f"{page.request.describe()}: the last record has nothing at read: {self.read}"
                raise CollectionError(text, "correct read: it leads to the key of a record, as in last.id")
            if more:
                raise says_more_without(page, self.read)
            return None
        if isinstance(token, (dict, list)) and self.send.kind != "body":
            text = f"{page.request.describe()}: what stands at read: {self.read} is no single value"
            raise CollectionError(text, "read one value of it; only a body can take it whole")
        return token

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows behind a token; tokens are positions, or the last record's value where that is the cursor."""
        source, *path = compile(self.read).plain or ("",)
        size = self.served_size(request) if source in ("answer", "headers", "last") else max(1, len(rows))
        token = request.get(self.send)
        if source == "last":
            keys = [str(compile(".".join(path) or "@").search(row)) for row in rows]
            at = 0 if token is None else keys.index(str(token)) + 1
        else:
            at = int(token or 0)
        end = at + size
        more = end < len(rows)
        return self.served(rows[at:end], rows, size, (self.read, str(end) if more else None), (self.has_more, more))
