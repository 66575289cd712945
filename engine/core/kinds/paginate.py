"""How one page leads to the next, and what the vendor's side answers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from engine.core.errors import Json
from engine.core.kinds.part import Part
from engine.core.select import Jmes
from engine.core.window import Window
from engine.core.wire import Page, Place, Request

Cursor = Json
"""Where a paginator stands, as plain JSON, so that the ledger can keep it."""
Allowed = Literal["changing_total", "drift", "empty_pages", "repeated_cursor", "repeated_page"]


@dataclass(frozen=True)
class Served:
    """A page as the simulator would answer it: its records, and values at paths of the answer or headers."""

    rows: Sequence[Json]
    answer: Mapping[tuple[str, ...], Json] = field(default_factory=dict)
    """Keys down into the answer -> value."""
    headers: Mapping[str, str] = field(default_factory=dict)


class PageSize(BaseModel):
    """How many records a page shall have."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")
    send: Place = Field(description="Where the number goes: query.limit.")
    value: int = Field(ge=2, description="The number; best the largest the vendor allows.")
    read: Jmes | None = Field(
        None, description="Where the answer says how many it really gives, where the vendor shrinks pages."
    )

    def asked(self, request: Request) -> int:
        """The number that a request asks for: the vendor's side."""
        return int(request.get(self.send) or self.value)


class Paginator(Part):
    """How one page leads to the next. Crawling what it serves gives back exactly the rows."""

    kind: ClassVar[str] = "paginate"
    counts: ClassVar[bool] = False
    """Whether its pages are places in a list that may move while it is read, as with offsets and page numbers."""

    timed: ClassVar[bool] = False
    """Whether it walks the window itself, telling the vendor, and so knows its own end."""

    stop_when: Jmes | None = Field(
        None, description="JMESPath over the page that is true on the last one: ``length(rows) < `10` ``."
    )
    max_pages: int | None = Field(
        None, ge=1, description="At most so many pages; what is behind them is left out, and the report says so."
    )
    allow: list[Allowed] = Field(
        [],
        description="What this vendor really does, so that it is no fault: changing_total (the number it declares is "
        "not met), drift (records move between pages), empty_pages (more than a thousand without records in a row), "
        "repeated_cursor (a cursor that came before is the end), repeated_page (two pages with the same records).",
    )

    def span(self, now: datetime) -> Window | None:
        """The time that it walks where its endpoint has no incremental; None where it walks none. Raises Mistake."""
        return None

    def start(self, window: Window | None = None) -> Cursor:
        """The cursor of the first page; `window` is the time that the unit asks for, where it has one."""
        return None

    @abstractmethod
    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request for the page at a cursor."""

    @abstractmethod
    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The cursor behind this page; None when it was the last. A first cursor is never None's equal: see `start`."""

    def ahead(self, cursor: Cursor, page: Page) -> Iterator[Cursor]:
        """The cursors behind this page that are known without seeing the pages between, nearest first."""
        return iter(())

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The cursor behind a page that cannot be had; None when only that page could tell, or when it was the last.

        `total` is what earlier pages declared.
        """
        return None

    def reduced(self, cursor: Cursor) -> tuple[Self, Cursor] | None:
        """The paginator with pages half as large, and the same place in its count; None where that cannot be."""
        return None

    def declared(self, page: Page) -> int | None:
        """How many records the vendor says there are, where it says so."""
        return None

    def repeated(self, cursor: Cursor, page: Page) -> int:
        """How many rows at the head of the page do not count: the page before had them, or they are asked for again."""
        return 0

    @abstractmethod
    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The vendor's side: the page that answers a request, out of all rows."""
