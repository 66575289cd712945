"""How long a request must wait so that no rate limit is broken."""

from __future__ import annotations

import threading
from collections.abc import Sequence


class Limiter:
    """One rate limit, shared by all threads: at most `per_second` requests, `burst` at once after a pause.

    The generic cell rate algorithm: one number says when the next request is due.
    """

    def __init__(self, per_second: float, burst: int = 1) -> None:
        self._interval, self._slack = 1 / per_second, (burst - 1) / per_second
        self._due = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next place; gives how many seconds to wait for it."""
        with self._lock:
            wait = max(0.0, self._due - self._slack - now)
            self._due = max(self._due, now) + self._interval
            return wait


def reserve(limiters: Sequence[Limiter], now: float) -> float:
    """Take a place at every limit; gives the longest wait in seconds."""
    return max((limiter.reserve(now) for limiter in limiters), default=0.0)
