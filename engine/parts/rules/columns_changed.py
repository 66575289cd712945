"""Fields or columns that are new or gone since the last version of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.kinds import Rule, View


class ColumnsChanged(Rule):
    """The table has the columns that its last version had; with `other_columns` its records have the fields of then.

    What is new and what has vanished is told once: the next run compares with this one. A table that grows, by upsert
    or append, holds the fields of all its records, so that only new ones are told. The first version always passes.

    Example:
        - columns_changed: { level: warning }
    """

    def verdict(self, totals: Mapping[str, Any], view: View) -> str | None:
        """What is new and what has vanished."""
        if view.fields_before is None:
            return None
        before, now = set(view.fields_before), set(view.fields)
        changes = {"new": sorted(now - before), "gone": sorted(before - now)}
        said = [f"{word} since the last version: {', '.join(names)}" for word, names in changes.items() if names]
        return "; ".join(said) or None

    def suits(self, types: Mapping[str, str]) -> bool:
        """Always."""
        return True
