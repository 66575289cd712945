"""Time and chance as values that are handed in, so that a run can be repeated exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Clock:
    """What time it is, how to wait, and a number between 0 and 1."""

    now: Callable[[], float]
    """Seconds since the epoch."""
    wait: Callable[[float], None]
    """Waits so many seconds; raises Stopped as soon as the run is asked to stop."""
    random: Callable[[], float]

    def instant(self) -> datetime:
        """The time in UTC."""
        return datetime.fromtimestamp(self.now(), UTC)


def rfc3339(instant: datetime) -> str:
    """`2026-01-02T03:04:05Z`, with a fraction only where there is one."""
    text = instant.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def read_instant(text: str) -> datetime:
    """A time written in RFC 3339 or ISO 8601; UTC where no offset is given. Raises ValueError."""
    found = datetime.fromisoformat(text.strip())
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
