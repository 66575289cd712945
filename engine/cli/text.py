"""Text on the screen: aligned tables, and nothing in it that a terminal would obey."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200


def clean(text: Any) -> str:
    """The text without control characters: a vendor's record must not move the cursor."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in str(text))


def console() -> Console:
    """Standard output; what goes into a pipe is not cut to a terminal's width."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> Table:
    """Rows below their heads, the columns `right` aligned to the right."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        justify = "right" if head in right else "left"
        made.add_column(head, justify=justify, no_wrap=head in right, overflow="fold")  # type: ignore[arg-type]  # rich names no type for it
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else clean(cell) for cell in row))
    return made


def count(number: int, what: str) -> str:
    """`1 page`, `1,234 pages`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
