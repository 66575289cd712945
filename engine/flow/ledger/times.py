"""Times of the database's clock, as texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from engine.core.clock import rfc3339


@overload
def told(seconds: float) -> str: ...
@overload
def told(seconds: float | None) -> str | None: ...
def told(seconds: float | None) -> str | None:
    """Seconds since 1970 as a time of the day in UTC; null where there are none."""
    return None if seconds is None else rfc3339(datetime.fromtimestamp(round(seconds), UTC))
