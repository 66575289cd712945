"""What an answer tells of the vendor's rate limit: that no requests are left, and when there are new ones."""

from __future__ import annotations

import re
from typing import Literal

from engine.core.errors import Json, Mistake
from engine.core.select import SelectError
from engine.core.wire import Page
from engine.flow.retry import LONGEST_SECONDS, instant
from engine.spec.collect import Learn

REMAINING = [(prefix, f"{prefix}remaining") for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-")]
ITEM = re.compile(r";\s*([rt])\s*=\s*(\d+)")
OLD = re.compile(r"\b(remaining|reset)\s*=\s*(\d+)")
EPOCH_SECONDS, EPOCH_MS = 1e9, 1e11
"""From here on a number is no time from now: a time since the epoch in seconds (2001), in milliseconds (1973)."""
TOO_FAR_SECONDS = 400 * 86400.0
"""No limit is that long: it is a number that means something else."""


def used_up_until(learn: Learn | Literal["standard", "off"], page: Page, now: float) -> float | None:
    """Until when nothing more may be asked, in seconds since the epoch, at most an hour from now.

    None where requests are left, and where the answer does not say it or says nonsense.
    """
    if learn == "off":
        return None
    at = _standard(page, now) if learn == "standard" else _named(learn, page, now)
    return None if at is None or not now < at < now + TOO_FAR_SECONDS else min(at, now + LONGEST_SECONDS)


def _named(learn: Learn, page: Page, now: float) -> float | None:
    try:
        left = instant(page.read(learn.remaining), "epoch_s", now)
        return instant(page.read(learn.reset), learn.as_, now) if left == 0 else None
    except (Mistake, SelectError):
        return None


def _standard(page: Page, now: float) -> float | None:
    """Sources: IETF draft-ietf-httpapi-ratelimit-headers (three headers, from -08 on one), GitHub, Okta."""
    headers = page.headers
    none = [prefix for prefix, name in REMAINING if name in headers and instant(headers[name], "epoch_s", now) == 0]
    found = [_guessed(headers.get(f"{prefix}reset"), now) for prefix in none]
    if text := headers.get("ratelimit"):
        pairs = [dict(OLD.findall(text)), *(dict(ITEM.findall(item)) for item in text.split(","))]
        for left, reset in ((one.get("r", one.get("remaining")), one.get("t", one.get("reset"))) for one in pairs):
            if left is not None and int(left) == 0:
                found.append(instant(reset, "seconds", now))
    return max((at for at in found if at is not None), default=None)


def _guessed(value: Json, now: float) -> float | None:
    """A reset as vendors write it: seconds from now, seconds or milliseconds since the epoch, or a time."""
    number = instant(value, "epoch_s", now)
    if number is None:
        return instant(value, "iso", now) or instant(value, "http_date", now)
    form = "epoch_ms" if number >= EPOCH_MS else "epoch_s" if number >= EPOCH_SECONDS else "seconds"
    return instant(value, form, now)
