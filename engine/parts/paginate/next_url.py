"""Each answer names the address of the next page."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from engine.core.errors import Json
from engine.core.kinds import Cursor, Served
from engine.core.select import Jmes, compile
from engine.core.wire import Page, Request
from engine.parts.paginate._links import POSITION, absolute, follow, served_link
from engine.parts.paginate._listed import Flagged, says_more_without


class NextUrl(Flagged):
    """Asks for the address that each answer names, with its query as it is; a relative one is read from the request.

    Method, headers and body are those of the first request, and it is signed as usual. Stops when the address is
    missing, null, false or empty, or where `has_more` is false. Source: RFC 3986 section 5, JSON:API (`links.next`),
    Salesforce (`nextRecordsUrl`).

    Misbehaving: A link to a host that is not allowed, or from https to http, is refused before anything is sent there;
    that, a link back to an earlier page, what is no address, and `has_more` without a link leave the unit incomplete.
    That a page was left out only `total` tells.

    Example:
        endpoints:
          profiles:
            get: /profiles
            records: data
            paginate: { next_url: { read: answer.links.next, size: { send: "query.page[size]", value: 100 } } }
    """

    read: Jmes = Field(description="Where the address is: answer.links.next, link.next.url.")

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The first request with the page size; the later ones are what the links say."""
        return self.sized(request) if cursor is None else follow(request, cursor)

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The address in the answer; raises CollectionError for what is none, or where more is said to follow."""
        found, more = page.read(self.read), self.more(page)
        if more is False:
            return None
        if found is None or found is False or found == "":
            if more:
                raise says_more_without(page, self.read)
            return None
        return absolute(page, found)

    def reduced(self, cursor: Cursor) -> None:
        """A link has the size of its pages in it."""
        return

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows behind so many; all at once where a link cannot be put to where it is read."""
        plain = (compile(self.read).plain or ("",))[0] in ("answer", "headers")
        size = self.served_size(request) if plain else max(1, len(rows))
        at = int(request.get(POSITION) or 0)
        end = at + size
        link = served_link(request, end) if end < len(rows) else None
        return self.served(rows[at:end], rows, size, (self.read, link), (self.has_more, end < len(rows)))
