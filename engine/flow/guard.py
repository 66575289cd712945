"""What must not happen while a unit is paged: a cursor or a page that comes twice, a total that is not met."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from engine.core import jsontext
from engine.core.errors import CollectionError
from engine.core.kinds import Cursor, Paginator
from engine.core.wire import Page, Request


@dataclass
class Guard:
    """The pages of one unit, watched."""

    cursors: set[str] = field(default_factory=set)
    bodies: set[bytes] = field(default_factory=set)
    total: int | None = None

    def check(
        self, request: Request, page: Page, following: Cursor, paginator: Paginator | None, repeated: int = 0
    ) -> None:
        """Raise CollectionError when paging goes in a circle; `repeated` rows at the page's head may come again."""
        if paginator is None:
            return
        self.total = paginator.declared(page) if self.total is None else self.total
        mark = jsontext.canonical(following)
        if following is not None and mark in self.cursors:
            raise CollectionError(
                f"{request.describe()}: the cursor {mark[:80]} came a second time",
                "the vendor pages in a circle; report it there",
            )
        self.cursors.add(mark)
        rows = page.rows[repeated:]
        digest = hashlib.blake2b(b"\n".join(rows), digest_size=16).digest()
        if rows and digest in self.bodies:
            raise CollectionError(
                f"{request.describe()}: the page equals an earlier one",
                "check where the paginator sends its cursor: the vendor does not seem to read it",
            )
        self.bodies.add(digest)

    def complete(self, rows: int, request: Request) -> None:
        """Raise CollectionError when fewer or more rows came than the vendor declared."""
        if self.total is not None and self.total != rows:
            raise CollectionError(
                f"{request.describe()}: the vendor declared {self.total} records, {rows} came",
                "collect again; if it stays, take total out",
            )
