"""What the ways through one long list have in common: the size of a page, and what an answer says of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from engine.core.errors import CollectionError, Json
from engine.core.kinds import Cursor, PageSize, Paginator, Served
from engine.core.select import Jmes, compile
from engine.core.wire import Page, Request

SIZE = 50
"""How many records the vendor's side gives where nobody says a size."""
SMALLEST = 2
"""A page of one record cannot be told from a repeat."""


class Listed(Paginator):
    """One list in pages of some size."""

    size: PageSize | None = Field(None, description="How many records a page shall have, and where to say so.")
    total: Jmes | None = Field(
        None,
        description="Where the answer says how many records there are in all; what came must agree with it.",
    )

    def sized(self, request: Request) -> Request:
        """The request with the page size."""
        return request.put(self.size.send, self.size.value) if self.size else request

    def of_size(self, value: int) -> Self:
        """The same with pages of so many records."""
        return self.model_copy(update={"size": self.size and self.size.model_copy(update={"value": value})})

    def reduced(self, cursor: Cursor) -> tuple[Self, Cursor] | None:
        """Half as many records from the same cursor on."""
        half = self.size.value // 2 if self.size else 0
        return (self.of_size(half), cursor) if half >= SMALLEST else None

    def declared(self, page: Page) -> int | None:
        """How many records the answer says there are."""
        return number(page, self.total)

    def given(self, page: Page) -> int | None:
        """How many records the answer says that a page has, at most those asked for."""
        said = number(page, self.size.read) if self.size else None
        return min(said, self.size.value) if said and self.size else None

    def served_size(self, request: Request) -> int:
        """The vendor's side: how many records a page has."""
        return self.size.asked(request) if self.size else SIZE

    def served(self, page: Sequence[Json], rows: Sequence[Json], size: int, *more: tuple[str | None, Json]) -> Served:
        """The vendor's side: a page, with what it says of the whole list, and more values at their paths."""
        answer: dict[tuple[str, ...], Json] = {}
        headers: dict[str, str] = {}
        for path, value in ((self.total, len(rows)), (self.size and self.size.read, size), *more):
            root, *keys = (compile(path).plain if path else None) or ("",)
            if root == "headers" and value is not None:
                headers[".".join(keys)] = str(value).lower() if isinstance(value, bool) else str(value)
            elif root == "answer" and keys:
                answer[tuple(keys)] = value
        return Served(page, answer, headers)


class Flagged(Listed):
    """A list whose answers may say whether another page follows."""

    has_more: Jmes | None = Field(None, description="Where the answer says whether another page follows.")

    def more(self, page: Page) -> bool | None:
        """Whether the answer says that another page follows; None where it does not say."""
        found = page.read(self.has_more) if self.has_more else None
        return None if found is None else bool(found) and str(found).lower() != "false"

    def promised(self, page: Page) -> bool | None:
        """The same of a list that is counted; raises CollectionError where an empty page says that there is more."""
        more = self.more(page)
        if more and not page.rows:  # some vendors say so behind the end, for ever
            text = f"{page.request.describe()}: the page is empty and says that there are more"
            raise CollectionError(text, "take has_more out: then an empty page is the last")
        return more


def number(page: Page, path: str | None) -> int | None:
    """The whole number at a path, also where it is written as a text; None where there is none."""
    found = page.read(path) if path else None
    return int(found) if isinstance(found, (int, str)) and str(found).isdecimal() else None


def says_more_without(page: Page, path: str) -> CollectionError:
    """The error of an answer that says that more follows, and not where."""
    text = f"{page.request.describe()}: the answer says that more follows, and has nothing at read: {path}"
    return CollectionError(text, "correct read, or has_more")
