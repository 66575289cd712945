"""Each request names a span of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.core.clock import read_instant, rfc3339
from engine.core.errors import CollectionError, Json, Mistake
from engine.core.kinds import Cursor, Paginator, Served
from engine.core.select import Jmes, compile
from engine.core.template import Template
from engine.core.times import TimeFormat, first_instant, instant_of, written
from engine.core.values import Duration
from engine.core.window import Window
from engine.core.wire import Page, Place, Request


class Bounds(BaseModel):
    """Where the bounds of a window go."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")
    from_: Place = Field(alias="from", description="The place of the lower bound.")
    until: Place = Field(description="The place of the upper bound.")
    format: TimeFormat = Field(TimeFormat("iso"), description="iso, date, epoch_s, epoch_ms, or a pattern: `%m/%d/%Y`.")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class TimeWindow(Paginator):
    """Walks a time in windows, one answer each: that of the endpoint's incremental, or from `start` to `until`.

    Stops where the time ends, also behind windows without records. Windows are fetched ahead. With `most` an answer of
    so many records counts as cut off: its window is asked for again in two halves.

    Misbehaving: An answer that was cut off and whose window cannot be halved leaves the unit incomplete, and so does a
    record from outside its window where `field` says its time, or a page that equals an earlier one: the vendor does
    not read the bounds.

    Example:
        endpoints:
          orders:
            get: /orders
            records: orders
            incremental: { field: created_at, start: 90d }
            paginate:
              time_window: { send: { from: query.since, until: query.before }, step: 1d, most: 1000, field: created_at }
    """

    timed: ClassVar[bool] = True

    send: Bounds = Field(description="Where the bounds of each window go, and in which form.")
    step: Duration = Field(description="How long a window is: 1d.")
    begin: Template | None = Field(
        None,
        alias="start",
        description="Where the time starts that is walked, if not incremental: a time, or `30d` ago.",
    )
    until: Template = Field(
        Template("0s"), description="Where that time ends: a time, or so long ago; now unless said."
    )
    bounds: Literal["half_open", "inclusive"] = Field(
        "half_open",
        description="Whether the vendor counts a record at the upper bound itself: with inclusive the bound that is "
        "sent lies one granularity before the next window.",
    )
    granularity: Duration = Field(Duration("1s"), description="The smallest step of the vendor's times.")
    most: int | None = Field(
        None, ge=2, description="The most records that the vendor gives at once: an answer with so many was cut off."
    )
    field: Jmes | None = Field(
        None,
        description="The record's time: one that lies outside of its window by more than a granularity is an error.",
    )
    read_format: Annotated[list[TimeFormat], BeforeValidator(_listed)] = Field(
        [TimeFormat("iso")], description="The forms in which the field comes, tried in this order."
    )

    def span(self, now: datetime) -> Window | None:
        """From `start` to `until`; None without a start."""
        if self.begin is None:
            return None
        start, end = first_instant(str(self.begin), now), first_instant(str(self.until), now)
        return Window(min(start, end), end)

    def start(self, window: Window | None = None) -> Cursor:
        """The first window: `until` holds the upper bounds that are asked for next, `end` is that of the whole."""
        if window is None:
            fix = "give the endpoint incremental, or time_window a start"
            raise Mistake("paginate", "time_window does not know which time to walk", fix)
        first = next(self._span(window.start, window.end).cut(self.step.delta), window)
        return {"from": rfc3339(window.start), "until": [rfc3339(first.end)], "end": rfc3339(window.end)}

    def aim(self, request: Request, cursor: Cursor) -> Request:
        """The request with the bounds of the window."""
        window, form = self._window(cursor), self.send.format
        until = max(window.start, window.until)
        return request.put(self.send.from_, written(window.start, form)).put(self.send.until, written(until, form))

    def after(self, cursor: Cursor, page: Page) -> Cursor | None:
        """The window behind this one, or its first half; raises CollectionError where no half is left."""
        self._check(cursor, page)
        if not self._cut(page):
            return self._next(cursor)
        if (halves := self._halves(cursor)) is None:
            text = f"{page.request.describe()}: {len(page.rows)} records, which is the most that the vendor gives"
            raise CollectionError(f"{text}, in the smallest window", "name a smaller granularity, or more filters")
        return halves

    def repeated(self, cursor: Cursor, page: Page) -> int:
        """All of them where the answer was cut off: its window is asked for again."""
        return len(page.rows) if self._cut(page) else 0

    def ahead(self, cursor: Cursor, page: Page) -> Iterator[Cursor]:
        """All windows behind this one."""
        following = self._next(cursor)
        while following is not None:
            yield following
            following = self._next(following)

    def past(self, cursor: Cursor, total: int | None) -> Cursor | None:
        """The window behind this one."""
        return self._next(cursor)

    def _cut(self, page: Page) -> bool:
        return self.most is not None and len(page.rows) >= self.most

    def _span(self, start: datetime, end: datetime) -> Window:
        return Window(start, end, self.granularity.delta, self.bounds == "inclusive")

    def _window(self, cursor: Cursor) -> Window:
        return self._span(read_instant(cursor["from"]), read_instant(cursor["until"][0]))

    def _next(self, cursor: Cursor) -> Cursor | None:
        start, *later = cursor["until"]
        if not later:
            rest = self._span(read_instant(start), read_instant(cursor["end"]))
            later = [rfc3339(one.end) for one in islice(rest.cut(self.step.delta), 1)]
        return {**cursor, "from": start, "until": later} if later else None

    def _halves(self, cursor: Cursor) -> Cursor | None:
        """The first half of a window, with the second one behind it."""
        halves = self._window(cursor).halves(self.granularity.delta)
        return {**cursor, "until": [rfc3339(halves[0].end), *cursor["until"]]} if halves else None

    def _check(self, cursor: Cursor, page: Page) -> None:
        """Raise CollectionError for a record from outside of the window."""
        if self.field is None:
            return
        window, slack = self._window(cursor), self.granularity.delta
        for at in map(self._time, page.read("rows")):
            if at and not window.start - slack <= at <= window.end + slack:
                text = f"{page.request.describe()}: a record of {rfc3339(at)} does not lie in the window"
                raise CollectionError(text, "check where the bounds are sent: the vendor does not seem to read them")

    def _time(self, row: Json) -> datetime | None:
        found = compile(self.field or "@").search(row)
        try:
            return None if found is None else instant_of(found, self.read_format)
        except ValueError as error:
            raise CollectionError(f"{self.field}: {error}", "correct field or read_format of time_window") from None

    def serve(self, request: Request, rows: Sequence[Json]) -> Served:
        """The rows whose `field` lies in the window; without one all of them."""
        if self.field is None:
            return Served(rows)
        form = [self.send.format]
        start, until = (instant_of(request.get(place), form) for place in (self.send.from_, self.send.until))
        last = until if self.bounds == "inclusive" else until - timedelta.resolution
        return Served([row for row in rows if (at := self._time(row)) and start <= at <= last][: self.most])
