"""Which time a partition is asked for, until when it was read, and where a list that begins with the newest ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from engine.core.errors import CollectionError, Json
from engine.core.times import first_instant, written
from engine.core.window import Window, floored
from engine.core.wire import Page
from engine.flow.kept import times_of
from engine.spec.foreach import Incremental


def end_of(incremental: Incremental, now: datetime) -> datetime:
    """Where the last window of a run ends."""
    return floored(now - incremental.until.delta, incremental.granularity.delta)


def windows(incremental: Incremental, start: str, mark: datetime | None, now: datetime) -> list[Window]:
    """The windows to ask for, each beginning where the one before ends; none where nothing can be new.

    They begin at the mark, less the overlap; without a mark at `start`. Raises Mistake where that is no time.
    """
    granularity = incremental.granularity.delta
    first = first_instant(start, now) if mark is None else mark - incremental.overlap.delta
    whole = Window(
        floored(first, granularity), end_of(incremental, now), granularity, incremental.bounds == "inclusive"
    )
    if whole.start >= whole.end:
        return []
    return list(whole.cut(incremental.step.delta)) if incremental.step else [whole]


def until_of(
    incremental: Incremental, window: Window, greatest: datetime | None, *, whole: bool, in_order: bool = True
) -> datetime | None:
    """Until when nothing is missing of a window; None where nobody knows.

    `greatest` is the latest time that came. A window that is whole is read up to that time, where records have one, as
    the vendor may show others late; where nothing came it is read up to its end. What is dated behind the window's end
    must not hide what comes before that time.
    """
    if whole:
        until = greatest or window.end
    elif incremental.order == "asc" and in_order and greatest:
        # One step earlier: others of the latest time may stand on the page that did not come.
        until = greatest - window.granularity
    else:
        return None
    return max(window.start, min(until, window.end))


def reached(mark: datetime | None, untils: Iterable[tuple[datetime | None, bool]]) -> datetime | None:
    """The mark behind the windows of a run, each with its `until_of` and whether it is whole: it never goes back."""
    for until, whole in untils:
        mark = max(filter(None, (mark, until)), default=None)
        if not whole:
            break
    return mark


def told(incremental: Incremental | None, window: Window) -> dict[str, Json]:
    """What a page's expressions see as `window`: its bounds in the form in which they are sent."""
    form = incremental.send.format if incremental and incremental.send else "iso"
    return {name: written(instant, form) for name, instant in window.scope().items()}


def newest_first(incremental: Incremental | None, window: Window | None) -> Callable[[Page], bool]:
    """Tells the last page of a list of which the vendor is not told the window, where its newest records come first."""
    if incremental is None or window is None or incremental.send or incremental.order != "desc":
        return lambda page: False
    before: list[datetime] = []

    def is_last(page: Page) -> bool:
        seen = before + times_of(incremental, page)
        if seen != sorted(seen, reverse=True):
            text = f"{page.request.describe()}: order: desc is said, and an older record stands before a newer one"
            raise CollectionError(text, "say order: none; then the whole list is read each time")
        before[:] = seen[-1:]
        return bool(seen) and seen[-1] < window.start

    return is_last
