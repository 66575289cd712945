"""The wish that a run end, as all of its threads hear it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from engine.core.errors import Stopped


@dataclass
class Stop:
    """The wish that a run end; threads that wait hear it at once."""

    asked: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> None:
        """Wait so long; raises Stopped as soon as the run shall end."""
        if self.asked.wait(seconds) if seconds > 0 else self.asked.is_set():
            raise Stopped("the run was stopped", "what was kept stays kept; run it again: it starts anew")
