"""A page, its vendor, and what an undisturbed run of it leaves: what the tests of faults are held against."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.author.crash.job import Ended, Job
from engine.author.crash.left import different
from engine.author.crash.nursery import Nursery
from tests.crash.scenes import is_data, line
from tests.crash.words import Words, job, page

PATIENCE_SECONDS = 60
BUSY = "is going on"


@dataclass
class Bench:
    """Runs the page in processes of their own, in the storage of one test."""

    vendor: Words
    folder: Path
    page: Path
    nursery: Nursery
    base: Ended
    asked: Counter[str]
    """The requests of an undisturbed run."""
    began: int = 0

    @property
    def storage(self) -> Path:
        """The storage's folder."""
        return self.folder / "storage"

    def at(self, folder: Path) -> Bench:
        """The same in another folder, with a vendor who was asked nothing."""
        self.vendor.forget()
        return replace(self, folder=folder, began=len(self.vendor.log))

    def job(self, database: str = "", **changes: Any) -> Job:
        """A run in the storage, with its ledger in a file or in this database."""
        config = {"storage": str(self.storage), **({"database_url": database} if database else {})}
        return job(self.page).but(config=config, **changes)

    def run(self, database: str = "", **changes: Any) -> Ended:
        """Do a run in a process of its own; gives how it ended."""
        return self.nursery.run(self.job(database, **changes))

    def take_over(self, **changes: Any) -> Ended:
        """Run again and again until the lease of another one has run out."""
        until = time.monotonic() + PATIENCE_SECONDS
        while BUSY in (ended := self.run(**changes)).error:
            assert time.monotonic() < until
        return ended

    def differs(self, ended: Ended) -> list[str]:
        """What is not as an undisturbed run leaves it, how it ended included."""
        how = [] if ended.exit_code == self.base.exit_code and not ended.error else [f"{ended.exit_code} {ended.error}"]
        return [*how, *different(self.base.left, ended.left)]

    def asked_again(self) -> int:
        """How many requests came beyond those of an undisturbed run."""
        return (self._now() - self.asked).total()

    def not_asked(self) -> int:
        """How many requests of an undisturbed run never came."""
        return (self.asked - self._now()).total()

    def _now(self) -> Counter[str]:
        return Counter(line(asked) for asked, _ in self.vendor.log[self.began :] if is_data(asked))


@contextmanager
def opened(folder: Path, **changes: Any) -> Iterator[Bench]:
    """A bench whose page ran once, elsewhere; the others take over what that process had loaded."""
    with Words(20) as vendor, Nursery() as nursery:
        place = page(folder, vendor, lists=False, **changes)
        base = nursery.run(job(place).but(config={"storage": str(folder / "undisturbed")}))
        assert base.error == "", base.error
        nursery.load(base.modules)
        yield Bench(vendor, folder, place, nursery, base, Counter(line(asked) for asked, _ in vendor.log))
