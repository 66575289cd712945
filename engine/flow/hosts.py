"""Hosts that cannot be reached: after some requests in a row that were given up, the others are not tried in vain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.errors import CollectionError

MOST_IN_A_ROW = 5
"""So many requests, each with all its tries, find out that nobody answers."""
PROBE_SECONDS = 5.0
"""How often one more is tried all the same; when it comes through, so do all."""
Origin = tuple[str, str, int]


@dataclass
class _Dead:
    in_a_row: int = 0
    probe_at: float = 0.0
    """When one more may be tried."""
    why: str = ""


@dataclass
class Hosts:
    """Which hosts answer, as all threads of a run found out."""

    now: Callable[[], float]
    _dead: dict[Origin, _Dead] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, origin: Origin, asked: str) -> None:
        """Raise CollectionError where a request, in words, need not be tried."""
        if origin not in self._dead:  # mostly: that takes no lock
            return
        with self._lock:
            dead, now = self._dead.get(origin), self.now()
            if dead is None or dead.in_a_row < MOST_IN_A_ROW:
                return
            if now >= dead.probe_at:
                dead.probe_at = now + PROBE_SECONDS
                return
            text = f"{asked}: {dead.why}; not tried, as {dead.in_a_row} in a row before it were in vain"
        raise CollectionError(text, "try again later: what was kept stays kept", context={"request": asked})

    def failed(self, origin: Origin, why: str) -> None:
        """Hear that a request was given up because there was no connection."""
        with self._lock:
            dead = self._dead.setdefault(origin, _Dead())
            dead.in_a_row, dead.why = dead.in_a_row + 1, why
            dead.probe_at = max(dead.probe_at, self.now() + PROBE_SECONDS)

    def reached(self, origin: Origin) -> None:
        """Hear that a host answered."""
        if origin in self._dead:
            with self._lock:
                self._dead.pop(origin, None)
