"""How long a request must wait so that no rate limit is broken, and until when a collection may go on at all."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from engine.core.errors import CollectionError

LOCK = threading.Lock()
SET_BACK_SECONDS = 1.0
"""So far back is a clock that was set; less is another thread that looked at it a moment earlier."""


class Limiter:
    """One rate limit, shared by all threads: at most `per_second` requests, `burst` at once after a pause.

    The generic cell rate algorithm: one number says when the next request is due. Without a rate it only holds back
    what the vendor asked to hold back.
    """

    def __init__(self, per_second: float = math.inf, burst: int = 1) -> None:
        self.interval, self.slack = 1 / per_second, (burst - 1) / per_second
        self.due = self.seen = self.out_until = 0.0

    def hold(self, until: float) -> None:
        """Give no place before that time, in seconds since the epoch; also to those who have one already."""
        with LOCK:
            self.out_until = max(self.out_until, until)


def reserve(limiters: Sequence[Limiter], now: float) -> float:
    """Take one place that every limit allows; gives how many seconds to wait for it.

    One lock and one place for all: with a place of its own at each, a request held back by one limit would come too
    early for another.
    """
    with LOCK:
        for limiter in limiters:
            if now < limiter.seen - SET_BACK_SECONDS:  # the places move along, else all would wait for the old time
                limiter.due += now - limiter.seen
                limiter.out_until += now - limiter.seen
                limiter.seen = now
            limiter.seen = max(limiter.seen, now)
        at = max(now, _free_at(limiters))
        for limiter in limiters:
            if limiter.interval:  # without a rate, a place that another limit put off must not put off the next one
                limiter.due = max(limiter.due, at) + limiter.interval
        return at - now


def free_at(limiters: Sequence[Limiter]) -> float:
    """When the next place of these limits is free, in seconds since the epoch; 0 without any."""
    with LOCK:
        return _free_at(limiters)


def _free_at(limiters: Sequence[Limiter]) -> float:
    return max([0.0, *(max(limiter.due - limiter.slack, limiter.out_until) for limiter in limiters)])


@dataclass(frozen=True)
class Deadline:
    """When a collection ends, whatever is still under way."""

    at: float = math.inf
    """In seconds since the epoch."""
    said: str = ""
    """How the page says it: `24h`."""

    def passed(self, what: str) -> CollectionError:
        """The words for what did not come in time."""
        return CollectionError(
            f"{what} did not come within the {self.said} that the collection may take",
            "raise connection.deadline, or ask for less at once",
        )
