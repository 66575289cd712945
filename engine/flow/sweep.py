"""How far the units of an endpoint came in one run, and what that says of the endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.core import jsontext
from engine.core.kinds import Cursor
from engine.flow.ledger import UnitRecord
from engine.flow.plan import Asked, Window
from engine.flow.units import Unit
from engine.spec.model import Incremental


@dataclass
class Progress:
    """How far a unit came."""

    pages: int = 0
    rows: int = 0
    cursor: Cursor = None
    greatest: datetime | None = None
    """The latest time seen in the incremental field."""
    in_order: bool = True
    """Whether none of these times was before an earlier one."""
    request: str = ""
    """What was asked for last."""
    missing: str = ""
    failure: Exception | None = None
    """What made it missing."""
    skipped: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether all came that was asked for."""
        return not self.missing and not self.skipped

    def see(self, times: Sequence[datetime]) -> None:
        """Note the times of a page's records."""
        seen = [*([self.greatest] if self.greatest else []), *times]
        self.in_order = self.in_order and seen == sorted(seen)
        self.greatest = max(seen, default=None)


@dataclass
class Sweep:
    """All units of one endpoint in one run."""

    asked: Asked
    units: list[Unit]
    ended: dict[str, Progress] = field(default_factory=dict)
    stopped: str = ""
    """The words with which an answer skipped the endpoint as a whole."""
    above: tuple[str, ...] = ()
    """What its parents are missing, or why it could not be swept at all."""
    left_out: tuple[str, ...] = ()
    """Why its parents were left out, where nothing is left to ask for."""

    def lost(self) -> list[Unit]:
        """The units of which something is missing."""
        return [unit for unit in self.units if unit.name in self.ended and self.ended[unit.name].missing]

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be fetched, in words, each once."""
        own = [progress.missing for progress in self._in_order() if progress.missing]
        return tuple(dict.fromkeys([*self.above, *own]))

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was left out, in the page's own words, each once."""
        own = [text for progress in self._in_order() for text in progress.skipped]
        return tuple(dict.fromkeys([*([self.asked.skipped] if self.asked.skipped else self.left_out), *own]))

    def _in_order(self) -> list[Progress]:
        return [self.ended[unit.name] for unit in self.units if unit.name in self.ended]


def until_of(incremental: Incremental | None, window: Window, progress: Progress) -> datetime | None:
    """Until when nothing is missing of a window; None where nobody knows."""
    if progress.is_whole:
        return progress.greatest if incremental and incremental.field else window.end
    if incremental is None or incremental.order != "asc" or not progress.in_order or progress.skipped:
        return None
    # A second earlier: others of the latest time may stand on the page that did not come.
    return progress.greatest - timedelta(seconds=1) if progress.greatest else None


def record_of(unit: Unit, progress: Progress) -> UnitRecord:
    """What the ledger keeps of a unit."""
    status = "incomplete" if progress.missing else "skipped" if progress.skipped else "succeeded"
    note = progress.missing or "; ".join(progress.skipped)
    return UnitRecord(
        unit.name, jsontext.plain(unit.binding), progress.pages, progress.rows, progress.cursor, status, note
    )
