"""The daemon: starts the runs that schedules ask for, each in a process of its own, until it is stopped.

A process of its own, because a run may be killed for its memory or die in native code, and neither may end the
daemon; because it stops in the midst of a long computation; and because its memory is given back when it ends.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engine.app import log
from engine.app.problem import block
from engine.app.schedule import Planned, planned, ready, wakes
from engine.core.clock import Clock, rfc3339
from engine.core.errors import ConfigError, EngineError, Stopped, StorageError
from engine.flow import storage
from engine.flow.ledger import OPEN, Due, Ledger

if TYPE_CHECKING:
    from engine.app.engine import Engine

LOOK_SECONDS = 5.0
"""How often pages are looked at for changes, and the clock for jumps."""
END_SECONDS = 0.2
"""How often runs that are going on are looked at."""
PATIENCE_SECONDS = 1.4
"""How long runs may take to end once they are asked to; their own patience is shorter."""
SAID_LINES = 20
"""So much of what a run said is told when it did not go well."""


@dataclass(frozen=True)
class Running:
    """A run that is going on."""

    due: Due
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    began: float


@dataclass
class Daemon:
    """Runs the schedules of pages."""

    engine: Engine
    tools: Sequence[str | Path]
    """Pages or tools; none for all there are."""
    start: Callable[[str, str, str], Sequence[str]]
    """Page, schedule and due time -> the command of the run."""
    say: Callable[[str], None]
    running: list[Running] = field(default_factory=list)
    pages: dict[Path, tuple[int, list[Planned]]] = field(default_factory=dict)
    """Page -> when it was written, and its schedules."""
    troubles: set[str] = field(default_factory=set)
    """What is wrong at this look."""
    known: set[str] = field(default_factory=set)
    """What was wrong at the look before: it is not told again."""

    @property
    def clock(self) -> Clock:
        """The engine's, or the real one."""
        return self.engine.clock or Clock(time.time, self.engine.stop.wait, random.random)

    def run(self) -> None:
        """Run schedules until asked to stop. Raises ConfigError when no page has any."""
        there = self.engine.storage
        storage.open_storage(there.root, simulated=False, seal=there.seal)
        ledger = self.engine.storage.ledger()
        try:
            plans = self._plans()
            if not plans:
                raise ConfigError("no page here has schedules", "write the section schedules on a page")
            self._tell(f"daemon started with {', '.join('/'.join(plan.key) for plan in plans)}")
            while True:
                self.clock.wait(self._look(ledger))
        except Stopped:
            self._tell("daemon stops")
        finally:
            self._end()
            ledger.close()

    def _look(self, ledger: Ledger) -> float:
        """Note what has ended, start what is due; gives the seconds until the next look."""
        self.known, self.troubles = self.troubles, set()
        try:
            for one in [one for one in self.running if one.process.poll() is not None]:
                self._ended(one, ledger)
            plans, now = self._plans(), self.clock.instant()
            done = self._done(plans, ledger, now)
            for plan, at in ready(plans, done, {one.due.tool for one in self.running}, now):
                self._begin(plan, at)
        except (EngineError, OSError) as error:  # a full disk, a locked ledger, no memory for a process: all may pass
            self._trouble(error if isinstance(error, EngineError) else StorageError(str(error), "it is tried again"))
            return LOOK_SECONDS
        if self.running:
            return END_SECONDS
        moment = wakes(plans, done)
        return min(LOOK_SECONDS, max(0.0, (moment - now).total_seconds())) if moment else LOOK_SECONDS

    def _done(self, plans: Sequence[Planned], ledger: Ledger, now: datetime) -> dict[tuple[str, str], datetime]:
        """How far the times of each schedule are done; those of a new one up to now."""
        known = {key: taken.clock for key, taken in ledger.taken().items()}
        for plan in plans:
            if known.get(plan.key) != plan.schedule.clock:
                ledger.meet(*plan.key, plan.schedule.clock, now)
        return {key: taken.until for key, taken in ledger.taken().items()}

    # --- pages

    def _plans(self) -> list[Planned]:
        """The schedules of all pages as they are now; a page with mistakes has none until it is mended."""
        found: list[Planned] = []
        for tool in self.tools or self.engine.tools():
            try:
                found += self._schedules(self.engine.find(tool))
            except EngineError as error:
                self._trouble(error)
        return found

    def _schedules(self, page: Path) -> list[Planned]:
        written = page.stat().st_mtime_ns
        if self.pages.get(page, (None,))[0] != written:
            self.pages[page] = written, []  # also of a page with mistakes: they are told once
            self.pages[page] = written, planned(self.engine.page(page))
        return self.pages[page][1]

    # --- runs

    def _begin(self, plan: Planned, at: datetime) -> None:
        page = next(page for page, (_, plans) in self.pages.items() if plan in plans)
        due, said = Due(*plan.key, at), tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the run goes on
        process = subprocess.Popen(
            self.start(str(page), plan.name, rfc3339(at)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C reaches the daemon alone, which tells its runs once
        )
        self.running.append(Running(due, process, said, time.monotonic()))
        self._tell(f"{_name(due)}: started ({'+'.join(plan.schedule.run)})")

    def _ended(self, one: Running, ledger: Ledger) -> None:
        """Tell how a run ended; one that could not note it is noted here: it was killed, or was none yet."""
        code, now = one.process.returncode, rfc3339(self.clock.instant())
        last = ledger.newest(one.due.tool)
        cut = last.run if last and last.schedule == one.due.schedule and last.status in OPEN else None
        ledger.take(one.due, status="interrupted" if cut else "failed", ended_at=now, run=cut)
        self.running.remove(one)
        taken = ledger.taken()[one.due.tool, one.due.schedule]
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"{taken.status} (exit {code})"
        run = f", run {taken.run}" if taken.run else ""
        self._tell(f"{_name(one.due)}: {how} in {time.monotonic() - one.began:,.1f} s{run}")
        with one.said as said:
            said.seek(0)
            if code:
                for line in said.read().decode(errors="replace").splitlines()[-SAID_LINES:]:
                    self.say(f"  | {line}")
        if code < 0:  # it could not record that itself
            fix = (
                f"it goes on at its next time, or now: engine resume {cut}" if cut else "it runs again at its next time"
            )
            self._record(EngineError(f"{_name(one.due)} was {how}", fix), one.due.tool)

    def _end(self) -> None:
        """Ask what is going on to end, and see that it does; it stays due."""
        for one in self.running:
            _signal(one.process, signal.SIGTERM)
        latest = time.monotonic() + PATIENCE_SECONDS
        for one in self.running:
            try:
                one.process.wait(max(0.0, latest - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(one.process, signal.SIGKILL)
                one.process.wait()
            one.said.close()
            whole = one.process.returncode >= 0 and one.process.returncode != Stopped.exit_code
            self._tell(f"{_name(one.due)}: {'ended' if whole else 'interrupted, it stays due and goes on'}")

    # --- words

    def _tell(self, text: str) -> None:
        self.say(f"{rfc3339(self.clock.instant().replace(microsecond=0))} {text}")

    def _trouble(self, error: EngineError) -> None:
        text = block(error)
        if text not in self.known | self.troubles:
            self._tell(text)
            self._record(error, "")
        self.troubles.add(text)

    def _record(self, error: EngineError, tool: str) -> None:
        context = {"tool_name": tool, "collection_type": "daemon"}
        log.write(self.engine.config.storage, log.record(error, at=self.clock.instant(), context=context))


def _name(due: Due) -> str:
    return f"{due.tool}/{due.schedule} of {rfc3339(due.at)}"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To a run and whatever it started; one that has ended meanwhile is no error."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
