"""What all benchmarks share: a process of its own for each thing that is measured, what it took, and tables."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
# A peak is what the system notes for a process, and it begins with that of the parent: this module stays small.
ENV = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", "PEPPER": "pepper"}


@dataclass(frozen=True)
class Case:
    """What the server gives, and how."""

    paging: str = "cursor"
    size: int = 1_000
    coding: str = "plain"
    shape: str = "flat"
    count: int = 100_000

    def __str__(self) -> str:
        return f"{self.paging}, {self.size:,} a page, {self.coding}, {self.shape}"

    def words(self) -> list[str]:
        """As the server takes it."""
        return [self.paging, str(self.size), self.coding, self.shape, str(self.count)]


@dataclass(frozen=True)
class Cost:
    """What one process took, with its children."""

    wall: float
    cpu: float
    peak_mb: float
    """Of the largest of its processes."""
    server_cpu: float = 0.0


class Failed(Exception):
    """Something that is measured did not do what it should."""


@contextmanager
def serving(case: Case) -> Iterator[str]:
    """The address of a server of such records, a process of its own."""
    words = [sys.executable, str(HERE / "server.py"), *case.words()]
    with started(words) as said:
        yield f"http://127.0.0.1:{said}"


@contextmanager
def started(words: Sequence[str]) -> Iterator[str]:
    """What a server says in its first line; it is killed behind."""
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENV)
    assert child.stdout
    try:
        yield child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def used(url: str) -> float:
    """The CPU seconds of a server until now."""
    with urllib.request.urlopen(f"{url}/used") as answer:
        return float(answer.read())


def run(words: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end; what it prints lies in the folder as `out` and `err`."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        began = time.perf_counter()
        child = subprocess.Popen([str(word) for word in words], stdout=out, stderr=err, env={**ENV, **(env or {})})
        try:
            _, status, taken = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            raise
        wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        last = (folder / "err").read_text(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"ended with {child.returncode}: {' '.join(last)}")
    unit = 1_024**2 if sys.platform == "darwin" else 1_024
    return Cost(wall, taken.ru_utime + taken.ru_stime, taken.ru_maxrss / unit)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def median(numbers: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(numbers)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [list(heads), ["---", *("--:" for _ in heads[1:])], *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def say(line: str = "") -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
