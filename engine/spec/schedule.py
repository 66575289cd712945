"""The section `schedules`: when a page runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.core.cron import Cron, Zone
from engine.core.errors import Mistake
from engine.core.values import Duration, EndpointName

Work = Literal["collect", "process", "report"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Schedule(BaseModel):
    """When the page runs by itself, where `engine daemon` runs: at the times of a cron line, or every so long."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    cron: Cron | None = Field(None, description="Minute, hour, day of month, month, day of week: `0 2 * * *`.")
    timezone: Zone | None = Field(
        None, description="The clocks that cron goes by, such as Europe/Berlin; UTC if unset."
    )
    every: Duration | None = Field(
        None, description="Or: every so long, counted from 1970 in UTC, so that `1h` is at each full hour."
    )
    run: list[Work] = Field(["collect", "process", "report"], min_length=1, description="What is done.")
    only: list[EndpointName] = Field([], description="Only these endpoints, with those above them.")
    jitter: Duration = Field(
        Duration("0s"), description="Starts up to so much later: the same for the same time, another for the next."
    )

    @model_validator(mode="after")
    def _one_clock(self) -> Schedule:
        if bool(self.cron) == bool(self.every):
            raise Mistake("schedule", "a schedule has cron or every", 'write cron: "0 2 * * *", or every: 1h')
        if self.every and self.timezone:
            raise Mistake("schedule", "every goes by no clock of a zone", "take timezone out, or write cron")
        if self.every and (self.every.seconds < 1 or self.every.seconds % 1):
            raise Mistake("schedule", f"every: {self.every} is not in whole seconds", "write 1s or more")
        if self.only and "collect" not in self.run:
            raise Mistake("schedule", "only says what is collected, and nothing is", "add collect to run")
        return self

    @property
    def clock(self) -> str:
        """Its times in words: `0 2 * * * Europe/Berlin`, `every 1h`."""
        return f"{self.cron} {self.timezone or 'UTC'}" if self.cron else f"every {self.every}"

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The times it comes due behind an instant, in UTC, without jitter."""
        if self.cron:
            yield from self.cron.after(instant, self.timezone.info if self.timezone else UTC)
        elif self.every:
            step = self.every.delta
            at = EPOCH + ((instant - EPOCH) // step + 1) * step
            while True:
                yield at
                at += step
