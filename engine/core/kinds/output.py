"""Outputs: tables written to one file, and what they may say of their run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from engine.core.kinds.part import Part

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class About:
    """What an output may say of the run it belongs to."""

    tool: str
    title: str
    run: str
    started_at: datetime
    simulated: bool
    notes: Sequence[str] = ()
    """What the reader must know: skipped endpoints, incomplete tables, rules that failed."""
    docs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Table -> column -> its `doc` on the page."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Table -> its `doc` on the page: what one row is."""
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Table -> column -> its declared type; a `json` column is a text that holds JSON."""
    sealed: bool = False
    """Whether the storage is encrypted: then nothing of the report may lie on a disk, not even for a moment."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Table -> a relative link from the report to the table's full file."""


class Output(Part):
    """A report: one or several tables written to one place."""

    kind: ClassVar[str] = "outputs"
    suffix: ClassVar[str]
    """The ending of its file, with the dot."""
    encrypt: bool = Field(
        True, description="Whether its file is encrypted where the storage is; false leaves it readable to all."
    )

    @abstractmethod
    def tables(self) -> Sequence[str]:
        """The tables it needs."""

    @abstractmethod
    def write(self, tables: Mapping[str, pl.LazyFrame], place: Path, about: About) -> None:
        """Write these tables to this file, in the order of their rows and from front to back: it may be a pipe.

        The same tables give the same bytes. Raises Mistake when the page asks for what is not there.
        """
