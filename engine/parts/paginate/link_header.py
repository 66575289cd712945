"""The header Link of each answer names the address of the next page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from engine.core.errors import Json
from engine.core.kinds import Cursor, Served
from engine.core.values import Text
from engine.core.wire import Page, Request
from engine.parts.paginate._links import POSITION, absolute, follow, served_link
from engine.parts.paginate._listed import Listed


class LinkHeader(Listed):
    """Asks for the address that the header Link of each answer names, also among several links and in several headers.

    Method, headers and body are those of the first request, and it is signed as usual. Stops when no link has the
    relation, or when the link has the attributes of `unless`. Source: RFC 8288 section 3, GitHub, Sentry
    (`results="false"` on the last page).

    Misbehaving: A header that cannot be read is no end. It, a link back to an earlier page, and one to a host that is
    not allowed, or from https to http, leave the unit incomplete; nothing is sent to such a host. That a page was left
    out only `total` tells.

    Example:
        endpoints:
          issues:
            get: /issues
            paginate: { link_header: { unless: { results: "false" }, size: { send: query.limit, value: 100 } } }
    """

    rel: str = Field("next", min_length=1, description="The relation of the link to the next page.")
    unless: dict[str, Text] = Field(
        {}, description='Attributes of a link behind which there is nothing: `{ results: "false" }`.'
    )

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The first request with the page size; the later ones are what the links say."""
        return self.sized(request) if cursor is None else follow(request, cursor)

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The address in the header; raises Mistake where the header cannot be read."""
        link = page.links.get(self.rel.lower())
        if link is None or (self.unless and all(link.get(name.lower()) == one for name, one in self.unless.items())):
            return None
        return absolute(page, link["url"])

    def reduced(self, cursor: Cursor) -> None:
        """A link has the size of its pages in it."""
        return

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows behind so many, and a link; behind the last only where `unless` tells it."""
        size, at = self.served_size(request), int(request.get(POSITION) or 0)
        end = at + size
        page = self.served(rows[at:end], rows, size)
        if end >= len(rows) and not self.unless:
            return page
        about = self.unless if end >= len(rows) else dict.fromkeys(self.unless, "")
        words = "".join(f'; {name}="{value}"' for name, value in {"rel": self.rel, **about}.items())
        return replace(page, headers={**page.headers, "link": f"<{served_link(request, end)}>{words}"})
