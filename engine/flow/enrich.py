"""The steps that add to a table's rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from engine.core.kinds import Given, Step


def enrich(rows: pl.LazyFrame, steps: Sequence[Step], given: Given) -> pl.DataFrame:
    """The rows after all steps, in their order. Raises Mistake where a step asks for what is not there."""
    for step in steps:
        view = replace(given.view, columns=dict(rows.collect_schema()))
        rows = step.apply(rows, replace(given, view=view))
    return rows.collect()
