"""Commit points: the instants at which something begins to survive a kill. The crash test ends the process at them."""

from __future__ import annotations

from collections.abc import Callable

hear: Callable[[str, str], None] | None = None
"""Is told the name of each point that is reached, and what it is about; nobody listens but the crash test."""
naming = ""
"""In a crash test the key that rows in quarantine are named with: what its runs leave is compared byte for byte."""


def point(name: str, about: str = "") -> None:
    """Say that a commit point is reached, such as "frame kept" or "file renamed", and of which file."""
    if hear is not None:
        hear(name, about)
