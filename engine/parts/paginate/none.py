"""One request has everything."""

from collections.abc import Sequence

from engine.core.errors import Json
from engine.core.kinds import Cursor, Paginator, Served
from engine.core.wire import Page, Request


class None_(Paginator):
    """One page. Stops after it.

    Misbehaving: What stands on further pages is not seen: where the answer says how many records there are, say
    `next_url`, `offset` or another word, with `total`.

    Example:
        endpoints:
          environments: { get: /environments, paginate: none }
    """

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request itself."""
        return request

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """Nothing follows."""
        return None

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """All rows."""
        return Served(rows)
