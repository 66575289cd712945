"""How long a request must wait so that no rate limit is broken."""

from __future__ import annotations

import threading
from collections.abc import Sequence

LOCK = threading.Lock()
SET_BACK_SECONDS = 1.0
"""So far back is a clock that was set; less is another thread that looked at it a moment earlier."""


class Limiter:
    """One rate limit, shared by all threads: at most `per_second` requests, `burst` at once after a pause.

    The generic cell rate algorithm: one number says when the next request is due.
    """

    def __init__(self, per_second: float, burst: int = 1) -> None:
        self.interval, self.slack = 1 / per_second, (burst - 1) / per_second
        self.due = self.seen = 0.0


def reserve(limiters: Sequence[Limiter], now: float) -> float:
    """Take one place that every limit allows; gives how many seconds to wait for it.

    One lock and one place for all: with a place of its own at each, a request held back by one limit would come too
    early for another.
    """
    with LOCK:
        for limiter in limiters:
            if now < limiter.seen - SET_BACK_SECONDS:  # the places move along, else all would wait for the old time
                limiter.due += now - limiter.seen
                limiter.seen = now
            limiter.seen = max(limiter.seen, now)
        at = max([now, *(limiter.due - limiter.slack for limiter in limiters)])
        for limiter in limiters:
            limiter.due = max(limiter.due, at) + limiter.interval
        return at - now
