"""Who may work on a tool: one holder at a time, with a number that only grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nobody_else() -> None:
    """Where nobody else can work, nothing can be lost."""


@dataclass(frozen=True)
class Fence:
    """The number of a holder, by which what it writes is told from what others write."""

    number: int = 0
    check: Callable[[], None] = _nobody_else
    """Raises LeaseLost when somebody else took over."""


ALONE = Fence()
