"""When a line of cron comes due by the clocks of a time zone; the only owner of cronsim."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import cache

from engine.core.errors import Mistake, nearest
from engine.core.values import Spelled

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
FIX = f'write {", ".join(FIELDS)}, such as "0 2 * * *" for each day at 02:00'


class Cron(Spelled):
    """Times in the five fields of cron, as Debian's cron reads them: `0 2 * * *`, `*/15 8-17 * * MON-FRI`."""

    pattern = r"\S+(\s+\S+){4}"
    says = "a time in the five fields of cron"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake where a field cannot be read, or the day never comes."""
        from cronsim import CronSim, CronSimError

        fields = list(re.finditer(r"\S+", text))
        if len(fields) != len(FIELDS):
            count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
            raise Mistake("cron", f'"{text}" has {count}, and cron has {len(FIELDS)}', FIX)
        try:
            CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            name = str(error).removeprefix("Bad ")
            field = fields[FIELDS.index(name)]
            raise Mistake("cron", f'"{field.group()}" is no {name} that comes', FIX, offset=field.start()) from None

    def after(self, instant: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The times behind an instant, in UTC.

        Where clocks go forward, a time that is left out comes as they have moved; where they go back, a time that
        comes twice is taken once. Lines with `*` in front of hour or minute go by the hours that really pass.
        """
        from cronsim import CronSim

        for local in CronSim(self, instant.astimezone(zone)):
            # Begun in the hour that comes twice, cronsim first gives times of its first pass, which are over.
            if (found := local.astimezone(UTC)) > instant:
                yield found


# Looks through all the folders of the system.
_zones = cache(zoneinfo.available_timezones)


class Zone(Spelled):
    """A time zone by its name: `Europe/Berlin`."""

    pattern = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*"
    says = "a time zone; write one such as Europe/Berlin"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when there is no such zone."""
        known = _zones()
        if text not in known:
            lower = {name.lower(): name for name in sorted(known)}
            near = nearest(text.lower(), list(lower))
            near = next((f'; did you mean "{name}"?' for word, name in lower.items() if f'"{word}"' in near), "")
            raise Mistake("timezone", f'no time zone is called "{text}"{near}', "write one such as Europe/Berlin")

    @property
    def info(self) -> tzinfo:
        """The zone with its changes of clocks."""
        return zoneinfo.ZoneInfo(self)
