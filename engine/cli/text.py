"""Text for a person: short, and nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
