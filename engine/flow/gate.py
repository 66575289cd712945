"""How many requests may be under way at once: fewer while the vendor pushes back, more again when it has recovered."""

from __future__ import annotations

import threading
from collections.abc import Callable

LISTEN_SECONDS = 0.2
"""How often a request that waits here looks whether the run shall stop."""
GOOD_ANSWERS = 20
"""After so many in a row that nothing pushed back, one more may be under way."""


class Gate:
    """Lets at most `width` requests through at once, of `most` at best."""

    def __init__(self, most: int) -> None:
        self.most = self.width = most
        self._under_way = self._good = self._narrowed = 0
        self._changed = threading.Condition()

    def enter(self, heed: Callable[[], None]) -> int:
        """Wait for a place and take it; gives a ticket for `leave`. `heed` raises where the run shall end."""
        with self._changed:
            while self._under_way >= self.width:
                self._changed.wait(LISTEN_SECONDS)
                heed()
            self._under_way += 1
            return self._narrowed

    def leave(self, ticket: int, *, pushed_back: bool) -> None:
        """Give the place back, with how it went.

        Of all that was under way together only the first that was pushed back counts: they are one sign, not many.
        """
        with self._changed:
            if pushed_back and ticket == self._narrowed:
                self.width = max(1, min(self.width, self._under_way) // 2)
                self._narrowed += 1
            self._under_way -= 1
            self._good = 0 if pushed_back else self._good + 1
            if self._good >= GOOD_ANSWERS and self.width < self.most:
                self.width, self._good = self.width + 1, 0
            self._changed.notify_all()
