"""Who may work on a tool: one holder at a time, with a number that only grows."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.core import commit
from engine.core.errors import LeaseLost, StorageError
from engine.flow.ledger import Holder, LeaseRecord, Ledger

BEAT_SECONDS = 5.0
"""So often a holder says that it is at work."""
EXPIRES_SECONDS = 60.0
"""A holder that was not heard of for so long is taken for asleep, and may be taken over."""
LOOK_SECONDS = 0.2
"""How often a run that waits for another of its tool looks again."""
CANCELLED, LOST = "cancelled", "lost"
"""What a holder may hear: somebody asked its run to end; another engine took over."""
WRITTEN = ("processed_data", "quarantine", "reports")
"""Where a holder writes by renaming what it has written."""
BOOT = Path("/proc/sys/kernel/random/boot_id")


def _nobody_else() -> None:
    """Where nobody else can work, nothing can be lost."""


@dataclass(frozen=True)
class Fence:
    """The number of a holder, by which what it writes is told from what others write."""

    number: int = 0
    check: Callable[[], None] = _nobody_else
    """Raises LeaseLost when somebody else took over."""


ALONE = Fence()


def _unheard(reason: str) -> None:
    """Where nobody listens, only the next change or rename tells of what was lost."""


@contextmanager
def held(
    root: Path,
    ledger: Ledger,
    tool: str,
    *,
    wait: Callable[[float], None] | None = None,
    heard: Callable[[str], None] = _unheard,
) -> Iterator[Fence]:
    """Be the only one who works on a tool; every change of the ledger inside is refused once another took over.

    While somebody else is at work it waits with `wait`, or without it raises StorageError. A kill sets the tool free at
    once for others on this machine, and for those elsewhere once they watched for EXPIRES_SECONDS. `heard` is told
    CANCELLED when somebody asked the run to end, and LOST when another engine took over, each once and from another
    thread.
    """
    watch = _Watch(root)
    while (taken := _take(root, ledger, tool, watch.is_over)) is None:
        while (lease := ledger.lease(tool)) and not watch.is_over(lease):
            if wait is None and not _is_doubtful(lease):
                text = f"another run of {tool} is going on in {root}: {lease}"
                raise StorageError(text, "wait until it has ended, or end it: engine cancel RUN")
            (wait or time.sleep)(LOOK_SECONDS)
    fence, lock = taken
    over = threading.Event()
    beats = threading.Thread(target=_beat, args=(ledger, tool, fence, heard, over), name=f"lease {tool}", daemon=True)
    beats.start()
    try:
        with ledger.fenced(tool, fence):
            yield Fence(fence, ledger.heed)
    finally:
        over.set()
        beats.join()
        with suppress(StorageError):  # it expires
            ledger.give_back(tool, fence)
        with suppress(OSError):
            _lock_place(root, tool, fence).unlink()
        lock.close()


def holder(root: Path, ledger: Ledger, tool: str) -> LeaseRecord | None:
    """Who works on a tool now, if anybody does, at a first look."""
    lease = ledger.lease(tool)
    if lease is None:
        return None
    is_over = _is_over_here(root, lease) if _is_here(lease) else lease.idle_seconds > EXPIRES_SECONDS
    return None if is_over else lease


class _Watch:
    """Whether a holder is dead or asleep, for who wants its place: no clock that is set, here or elsewhere, ends it."""

    def __init__(self, root: Path) -> None:
        self._root, self._since = root, 0.0
        self._seen: LeaseRecord | None = None

    def is_over(self, lease: LeaseRecord) -> bool:
        """On this machine it is known at once; elsewhere, a holder that does not beat while it is watched."""
        if _is_here(lease):
            return _is_over_here(self._root, lease)
        if self._seen is None or (self._seen.fence, self._seen.ticks) != (lease.fence, lease.ticks):
            self._seen, self._since = lease, time.monotonic()
        return time.monotonic() - self._since > EXPIRES_SECONDS


def _is_here(lease: LeaseRecord) -> bool:
    return lease.holder.machine == _machine()


def _is_over_here(root: Path, lease: LeaseRecord) -> bool:
    is_asleep = time.monotonic() - lease.ticks > EXPIRES_SECONDS
    return is_asleep or not _is_locked(_lock_place(root, lease.tool, lease.fence))


def _is_doubtful(lease: LeaseRecord) -> bool:
    """Whether a holder elsewhere seems to be silent for long, or to beat in the future: a clock may have been set."""
    return not _is_here(lease) and not 0 <= lease.idle_seconds <= EXPIRES_SECONDS


def _take(root: Path, ledger: Ledger, tool: str, is_over: Callable[[LeaseRecord], bool]) -> tuple[int, IO[str]] | None:
    """Its number and the open file that says that this process lives; nothing while somebody else is at work."""
    locks: list[IO[str]] = []
    forgotten = max(_locks(root, tool), default=0)
    me = Holder(_machine(), platform.node(), os.getpid())
    try:
        fence, before = ledger.take_lease(
            tool,
            me,
            is_over,
            lambda number: locks.append(_locked(_lock_place(root, tool, number))),
            behind=forgotten,
        )
    except BaseException:
        for lock in locks:
            lock.close()
        raise
    if not fence:
        return None
    if before or forgotten:
        _clear(root, tool, fence)
    return fence, locks[0]


def _beat(ledger: Ledger, tool: str, fence: int, heard: Callable[[str], None], over: threading.Event) -> None:
    """Say that the holder is at work, also after a while in which the ledger could not be reached."""
    told = False
    while not over.wait(BEAT_SECONDS):
        try:
            cancelled = ledger.beat(tool, fence)
        except LeaseLost:
            heard(LOST)
            return
        except StorageError:
            continue
        if cancelled and not told:
            heard(CANCELLED)
        told = cancelled


def _clear(root: Path, tool: str, fence: int) -> None:
    """Take away what holders before have written and not renamed: one of them may sleep, and rename it on waking.

    What holders behind this one write stays: this one may sleep in here.
    """
    for room in WRITTEN:
        for folder, folders, names in os.walk(root / room / tool):
            for name in names:
                if _is_unfinished(name, fence):
                    commit.point("unfinished", name)
                    with suppress(FileNotFoundError):
                        os.unlink(os.path.join(folder, name))
            for name in folders:
                if _is_unfinished(name, fence):
                    commit.point("unfinished", name)
                    shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    for number, lock in _locks(root, tool).items():
        if number < fence:
            lock.unlink(missing_ok=True)


def _locks(root: Path, tool: str) -> dict[int, Path]:
    """The lock files of holders that did not give their lease back, by number."""
    found = {
        lock.name.removeprefix(f"{tool}.").removesuffix(".lock"): lock
        for lock in (root / "locks").glob(f"{tool}.*.lock")
    }
    return {int(number): lock for number, lock in found.items() if number.isdigit()}


def _is_unfinished(name: str, fence: int) -> bool:
    """Whether a holder before this one writes it; one of an older engine may have no number."""
    number = name.removesuffix(".tmp").rpartition(".")[2]
    is_mine = number.isdigit() and int(number) >= fence
    return name.startswith(".") and name.endswith(".tmp") and not is_mine


def _machine() -> str:
    """What tells running kernels apart: processes under one see each other's file locks."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return platform.node()


def _lock_place(root: Path, tool: str, fence: int) -> Path:
    return root / "locks" / f"{tool}.{fence}.lock"


def _locked(place: Path) -> IO[str]:
    """A file that is locked as long as this process lives, and nobody can see before."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("w")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        fix = "make it a folder that can be written, or choose another with --storage"
        raise StorageError(f"{place.parent} cannot hold locks: {error.strerror}", fix) from error
    return file


def _is_locked(place: Path) -> bool:
    try:
        with place.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
