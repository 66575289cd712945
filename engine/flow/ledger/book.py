"""What every chapter of the ledger stands on: one query, or one transaction in which the run still holds its lease."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import overload

from engine.core import commit
from engine.core.clock import rfc3339
from engine.core.errors import Json, LeaseLost
from engine.flow.ledger.dialect import Database, Hand, Row, Value
from engine.flow.ledger.records import Due
from engine.flow.seal import Seal

NOTHING = ("null", "[]", "{}", '""')
"""What says nothing, and need not be sealed."""

OVER = 0
"""The number of no holder: who had one has given it back."""


class Book:
    """A ledger's connection; `fence` names the lease of whoever writes, and nothing is written without it."""

    _base: Database
    _due: Due | None
    _seal: Seal
    _fence: tuple[str, int] | None = None

    def close(self) -> None:
        """Close the connection."""
        self._base.close()

    def _ask(self, sql: str, values: Iterable[Value] = ()) -> list[Row]:
        return self._base.ask(sql, values)

    def _shut(self, value: Json, about: str) -> str:
        """A value as the ledger keeps it, sealed where the storage has a key; `about` says whose it is."""
        text = packed(value)
        return text if text in NOTHING else self._seal.text(text, about)

    def _opened(self, text: str | None, about: str) -> Json:
        """What was shut; null where nothing was. Raises StorageError."""
        return unpacked(text) if not text or text in NOTHING else unpacked(self._seal.plain(text, about))

    @contextmanager
    def _change(self) -> Iterator[Hand]:
        """One transaction. Raises LeaseLost where another engine took over the tool."""
        with self._base.change() as hand:
            if self._fence:
                _heed(hand, *self._fence)
            yield hand
            commit.point("ledger changed")
        commit.point("ledger committed")

    # --- the lease of who writes

    @contextmanager
    def fenced(self, tool: str, fence: int) -> Iterator[None]:
        """Every change inside is that of this holder, and is refused once another one took over, and behind it.

        A thread that was given up may still want to change something then.
        """
        self._fence = tool, fence
        try:
            yield
        finally:
            self._fence = tool, OVER

    def heed(self) -> None:
        """Raise LeaseLost where another engine took over the tool that this ledger writes of."""
        if self._fence:
            _heed(self._base, *self._fence)


def packed(value: Json) -> str:
    """A value as the ledger keeps it."""
    return "null" if value is None else "{}" if value == {} else json.dumps(value)  # mostly, and ten times as fast


def unpacked(text: str | None) -> Json:
    """What was packed; null where nothing was."""
    return json.loads(text) if text else None


@overload
def told(seconds: float) -> str: ...
@overload
def told(seconds: float | None) -> str | None: ...
def told(seconds: float | None) -> str | None:
    """Seconds since 1970, by the clock of the database, as a time of the day in UTC; null where there are none."""
    return None if seconds is None else rfc3339(datetime.fromtimestamp(round(seconds), UTC))


def _heed(hand: Hand | Database, tool: str, fence: int) -> None:
    if not hand.ask("SELECT 1 FROM leases WHERE tool=? AND fence=? AND held=1", [tool, fence]):
        raise lost(hand, tool)


def lost(hand: Hand | Database, tool: str) -> LeaseLost:
    """The error of a holder whose place was taken."""
    rows = hand.ask("SELECT host, pid, run FROM leases WHERE tool=? AND held=1", [tool])
    who = "another engine, which is done by now,"
    for host, pid, run in rows:
        who = f"process {pid} on {host}" + (f", with run {run}," if run else "")
    text = f"{who} took over {tool}, as this engine was not heard of for too long"
    return LeaseLost(text, f"nothing more of this run is published; look at the other: engine runs {tool}")
