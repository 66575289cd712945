"""Text on the screen: aligned tables, and nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 100_000
"""A line of a file or a pipe is a line, however long."""
MOST_LETTERS = 160
"""Of a reason beside a table or endpoint; it stands whole in `--json`, and below where it is an error."""
MOST_GAPS = 3
"""Gaps of one endpoint that a screen names; `--json` names all."""


def clean(text: Any) -> str:
    """The text without control characters: a vendor's record must not move the cursor."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in str(text))


@contextmanager
def heard() -> Iterator[None]:
    """What is printed inside changes no exit code, also where nobody reads it or its file is full."""
    try:
        yield
    except OSError:
        # What is left in the buffer must not complain at the end of the process, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def gaps(skipped: Sequence[str], missing: Sequence[str]) -> str:
    """Why something was left out or is missing: the first of each, and how many more there are."""
    said = []
    for word, texts in (("skipped", skipped), ("missing", missing)):
        said += [short(f"{word}: {text}") for text in texts[:MOST_GAPS]]
        said += [f"and {len(texts) - MOST_GAPS:,} more"] if len(texts) > MOST_GAPS else []
    return "; ".join(said)


def short(text: str) -> str:
    """The beginning of a text that is too long to stand beside others."""
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def called() -> str:
    """The command as it was called, so that a hint can be typed as it stands."""
    word = sys.argv[0]
    found = shutil.which("engine")
    if Path(word).name != "engine" or "/" not in word or (found and Path(found).resolve() == Path(word).resolve()):
        return "engine"
    return shlex.quote(os.path.relpath(word) if Path(word).is_relative_to(Path.cwd()) else word)


def count(number: int, what: str) -> str:
    """`1 page`, `1,234 pages`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
