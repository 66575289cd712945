"""The chapter of leases: who works on a tool, under which number, and when they were last heard of."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.core import commit
from engine.flow.ledger.book import Book, lost, told
from engine.flow.ledger.dialect import Hand
from engine.flow.ledger.records import Holder, LeaseRecord

HELD = """
SELECT fence, machine, host, pid, run, since, beat, now_seconds() - beat, ticks FROM leases WHERE tool=? AND held=1
"""
TAKEN = """
INSERT INTO leases (tool, fence, held, machine, host, pid, since, beat, ticks)
VALUES (?,1,1,?,?,?,now_seconds(),now_seconds(),?)
ON CONFLICT (tool) DO UPDATE SET fence=leases.fence+1, held=1, machine=excluded.machine, host=excluded.host,
  pid=excluded.pid, run='', since=excluded.since, beat=excluded.beat, ticks=excluded.ticks
"""
BEATEN = "UPDATE leases SET beat=now_seconds(), ticks=? WHERE tool=? AND fence=? AND held=1"


class Leases(Book):
    """One lease a tool; its number only grows."""

    def lease(self, tool: str) -> LeaseRecord | None:
        """The lease of a tool that was taken and not given back; whether its holder is alive is another question."""
        rows = self._ask(HELD, [tool])
        return _record(tool, *rows[0]) if rows else None

    def take_lease(
        self,
        tool: str,
        holder: Holder,
        is_over: Callable[[LeaseRecord], bool],
        begin: Callable[[int], None],
        behind: int = 0,
    ) -> tuple[int, LeaseRecord | None]:
        """Take the lease of a tool: its number, and the lease that was over and not given back.

        The number is 0 where another one holds it. `begin` is told the number before anybody else can see it. It is
        greater than `behind`, a number that was given out: a ledger that was damaged may have forgotten it.
        """
        with self._base.change() as hand:
            rows = hand.ask(HELD, [tool])
            before = _record(tool, *rows[0]) if rows else None
            if before and not is_over(before):
                return 0, before
            hand.do(TAKEN, [tool, holder.machine, holder.host, holder.pid, time.monotonic()])
            hand.do("UPDATE leases SET fence=? WHERE tool=? AND fence<?", [behind + 1, tool, behind + 1])
            fence = _fence(hand, tool)
            begin(fence)
        commit.point("lease taken")
        return fence, before

    def beat(self, tool: str, fence: int) -> bool:
        """Say that the holder is at work; gives whether somebody asked its run to end. Raises LeaseLost."""
        if not self._base.do(BEATEN, [time.monotonic(), tool, fence]):
            raise lost(self._base, tool)
        mine = "run=(SELECT run FROM leases WHERE tool=? AND fence=?)"
        self._base.do(f"UPDATE runs SET beat=now_seconds() WHERE {mine}", [tool, fence])
        return bool(self._ask(f"SELECT 1 FROM runs WHERE cancel=1 AND {mine}", [tool, fence]))

    def give_back(self, tool: str, fence: int) -> None:
        """Give the lease of a tool back, where it was not taken over."""
        with self._base.change() as hand:
            hand.do("UPDATE leases SET held=0, run='' WHERE tool=? AND fence=?", [tool, fence])


def _fence(hand: Hand, tool: str) -> int:
    return int(hand.ask("SELECT fence FROM leases WHERE tool=?", [tool])[0][0])


def _record(
    tool: str, fence: int, machine: str, host: str, pid: int, run: str, since: float, beat: float, *last: float
) -> LeaseRecord:
    return LeaseRecord(tool, fence, Holder(machine, host, pid), run, told(since), told(beat), *last)
