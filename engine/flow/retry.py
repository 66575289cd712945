"""When a request is tried again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_SECONDS = 3600.0
"""A vendor may name a longer wait than ours, but not for ever."""


@dataclass(frozen=True)
class Policy:
    """Tries of one request: so many, and at most so much waiting of our own choice in all."""

    tries: int = 5
    budget_seconds: float = 30.0

    def wait_seconds(self, attempt: int, waited_seconds: float, chance: float, named: float | None) -> float | None:
        """Seconds until the next try after `attempt` (from 1); None to give up.

        `named` is the wait the vendor asked for. Ours doubles from half a second, with half of it left to chance, so
        that threads do not come back together.
        """
        if attempt >= self.tries:
            return None
        if named is not None:
            return min(named, LONGEST_SECONDS)
        wait = 0.5 * 2 ** (attempt - 1) * (0.5 + chance / 2)
        return wait if waited_seconds + wait <= self.budget_seconds else None


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """What `Retry-After` says: seconds, or a date. Source: RFC 9110 section 10.2.3."""
    if not text:
        return None
    if text.strip().replace(".", "", 1).isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)
