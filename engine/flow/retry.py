"""When a request is tried again, and after how long."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from engine.core.clock import read_instant
from engine.core.errors import Json, Mistake
from engine.core.select import SelectError
from engine.core.wire import Page
from engine.spec.answers import Retry, Wait

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
PUSHING = frozenset({429, 503})
"""The statuses with which a vendor asks for fewer requests."""
LONGEST_SECONDS = 3600.0
"""A vendor may name a longer wait than ours, but not for ever."""
LONGEST_OWN_SECONDS = 30.0
"""Ours doubles up to here."""


@dataclass(frozen=True)
class Policy:
    """Tries of one request: so many, and at most so much waiting of our own choice in all."""

    tries: int = 5
    budget_seconds: float = 30.0

    def wait_seconds(self, attempt: int, waited_seconds: float, chance: float, named: float | None) -> float | None:
        """Seconds until the next try after `attempt` (from 1); None to give up. `named`: what the vendor asked for."""
        if attempt >= self.tries:
            return None
        if named is not None:
            return min(named, LONGEST_SECONDS)
        wait = doubled(attempt, chance)
        return wait if waited_seconds + wait <= self.budget_seconds else None


def doubled(attempt: int, chance: float) -> float:
    """Our own wait after so many tries, in seconds: it doubles from half a second.

    Half of it is left to chance, so that threads do not come back together.
    """
    return min(0.5 * 2.0 ** min(attempt - 1, 10), LONGEST_OWN_SECONDS) * (0.5 + chance / 2)


def ruled(verb: Retry | Wait, page: Page, attempt: int, chance: float, now: float) -> float | None:
    """Seconds until the next try as a response rule has it; None when its tries are used up."""
    if attempt >= verb.times:
        return None
    if isinstance(verb, Retry):
        return verb.wait.seconds if verb.wait else doubled(attempt, chance)
    try:
        at = instant(page.read(verb.until), verb.as_, now)
    except (Mistake, SelectError):
        at = None
    return doubled(attempt, chance) if at is None else min(max(at - now, 0.0), verb.at_most.seconds)


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """What `Retry-After` says: seconds, the longest where it came twice, or a date. Source: RFC 9110 section 10.2.3."""
    found = [instant(one, "seconds", now) for one in (text or "").split(",")]
    at = max((one for one in found if one is not None), default=instant(text, "http_date", now))
    return None if at is None else max(0.0, at - now)


def instant(value: Json, form: str, now: float) -> float | None:
    """The time that a value of an answer means, in seconds since the epoch; None where it means none.

    Its form is one of the words of `wait.as`.
    """
    text = str(value).strip()
    try:
        if form == "iso":
            return read_instant(text).timestamp()
        if form == "http_date":
            when = parsedate_to_datetime(text)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        number = float(text)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or number < 0:
        return None
    number = number / 1000 if form in ("ms", "epoch_ms") else number
    return number if form in ("epoch_s", "epoch_ms") else now + number
