"""Windows of time: what an incremental request asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """From `start` up to `end`, in UTC; the instant `end` itself belongs to the window behind it."""

    start: datetime
    end: datetime
    granularity: timedelta = timedelta(seconds=1)
    """The smallest step of the vendor's times."""
    inclusive: bool = False
    """Whether the vendor counts a record at the upper bound itself."""

    @property
    def until(self) -> datetime:
        """The upper bound as it is sent: the end, or the last instant before it where the vendor counts the bound."""
        return self.end - self.granularity if self.inclusive else self.end

    def scope(self) -> dict[str, datetime]:
        """The namespace `window`."""
        return {"start": self.start, "end": self.until}

    def cut(self, step: timedelta) -> Iterator[Window]:
        """The same time in windows of at most `step`, the earliest first, each beginning where the last one ends."""
        start = self.start
        while start < self.end:
            end = min(self.end, max(floored(start + step, self.granularity), start + self.granularity))
            yield replace(self, start=start, end=end)
            start = end

    def halves(self, smallest: timedelta) -> tuple[Window, Window] | None:
        """The two halves, cut at the granularity; None where the window is as short as `smallest` already."""
        middle = floored(self.start + (self.end - self.start) / 2, self.granularity)
        if self.end - self.start <= smallest or middle <= self.start:
            return None
        return replace(self, end=middle), replace(self, start=middle)


def floored(instant: datetime, granularity: timedelta) -> datetime:
    """The last step of the granularity that is not behind the instant; steps are counted from 1970 in UTC."""
    return EPOCH + (instant - EPOCH) // granularity * granularity
