"""The screen, and aligned tables on it; what prints neither does without rich, which takes long to load."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from engine.cli.text import clean

PIPE_WIDTH = 100_000
"""A line of a file or a pipe is a line, however long."""


class Screen(Console):
    """A console whose reader may go away."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which ends quietly: rich would end with 1."""
        raise BrokenPipeError


def console() -> Console:
    """Standard output; what goes into a pipe is not cut to a terminal's width."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Screen(highlight=False, markup=False, emoji=False, width=width)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Sequence[str] = (),
    fold: bool = True,
    widest: int | None = None,
) -> Table:
    """Rows below their heads, the columns `right` aligned to the right; what is too wide is folded or cut.

    No column is wider than `widest`, also where a line may be longer.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        side: Literal["left", "right"] = "right" if head in right else "left"
        whole = not fold or head in right
        made.add_column(head, justify=side, no_wrap=whole, overflow="fold" if fold else "ellipsis", max_width=widest)
    for row in rows:
        made.add_row(*(clean(cell) for cell in row))
    return made
