"""Files of a merged table in whose span of keys nothing came: they stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import polars as pl

from engine.flow.sort import Key, Run, Sorter, order

Stays = tuple[Path, Key | None, Key | None]
"""A file, the key that its span begins with, and the one that the next begins with."""


def pieces(sorter: Sorter, there: Mapping[Path, object]) -> Iterator[pl.DataFrame | Path]:
    """All rows in key order; instead of those in a file of these that stays as it is, the file.

    A row that was read early and dropped lies in its run all the same, where it would touch a file. A table that goes
    on with files takes all pages that were read, or none: `EarlyTable.is_made_of`, exactly.
    """
    if sorter.drops:
        there = {}
    if sorter.waiting and sorter.runs:
        sorter.spill()
    files = [run for run in sorter.runs if run.path in there]
    came = [run for run in sorter.runs if run.path not in there]
    stays = [one for one in _spans(files) if not any(sorter.holds(run, *one[1:]) for run in came)]
    low: Key | None = None
    for path, start, end in stays:
        if low != start:
            yield from sorter.merged(low, start)
        yield path
        low = end
    if low is not None or not stays:
        yield from sorter.merged(low, None)


def _spans(files: list[Run]) -> list[Stays]:
    """Each file with its span; none where they do not lie one behind the other."""
    ascend = all(order(one.last) < order(following.first) for one, following in pairwise(files))
    if not files or not ascend:
        return []
    starts = [None, *(run.first for run in files[1:])]
    return list(zip((run.path for run in files), starts, [*starts[1:], None], strict=True))
