"""The wish that a run end, as all of its threads hear it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.core.errors import Stopped

CANCELLED = "cancelled"
"""A run that shall end for good."""


def _nothing() -> None:
    """Nobody else wants to know."""


@dataclass
class Stop:
    """The wish that a run end; threads that wait hear it at once."""

    asked: threading.Event = field(default_factory=threading.Event)
    why: str = ""
    """What was heard of the run: that it was cancelled, or that another engine took over; empty for a mere stop."""
    then: Callable[[], None] = _nothing
    """Is called when a stop is asked for: the command line sees to it that the process ends soon."""

    def ask(self, why: str = "") -> None:
        """Ask for it."""
        self.why = self.why or why
        self.asked.set()
        self.then()

    def forget(self) -> None:
        """Let the next run go on."""
        self.why = ""
        self.asked.clear()

    def wait(self, seconds: float) -> None:
        """Wait so long; raises Stopped as soon as the run shall end."""
        if self.asked.wait(seconds) if seconds > 0 else self.asked.is_set():
            if self.why == CANCELLED:
                raise Stopped("the run was cancelled", "what was kept stays kept; the next run collects anew")
            raise Stopped("the run was stopped", "run it again: it goes on, and asks for nothing twice that was kept")
