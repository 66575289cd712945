"""How long a command takes to start: warm, with its files out of memory, and where nothing was compiled yet.

`python bench/startup.py` prints a Markdown table; each number is the median of ten, in the last columns of three. Cold
means: before each start the system is asked to forget every file of Python, of the environment and of the engine
(`posix_fadvise`, which any user may do; what another process holds in memory stays). Nothing compiled means: with an
empty folder for compiled modules, as right behind an installation that compiled none.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import measure

TIMES, FEW = 10, 3
ENGINE = Path(sys.executable).with_name("engine")
PLAIN = """
version: 1
tool: plain
connection: { base_url: "https://api.example.com" }
endpoints:
  orders: { get: /orders, records: data, paginate: { cursor: { read: answer.next, send: query.cursor } } }
tables:
  orders:
    from: orders
    key: id
    columns:
      id: { path: id, type: string }
      owner: { path: owner.email, type: string }
      total: { path: total, type: float }
    validate: [{ required: [id, owner] }, { range: { column: total, min: 0 } }]
"""
TYPED = (
    PLAIN
    + """
    enrich: [{ derive: { large: total > 100 } }]
  owners: { sql: "SELECT owner, SUM(total) AS total FROM orders GROUP BY owner" }
"""
)


def homes() -> Iterator[Path]:
    """Where what a start reads lies."""
    yield from {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    yield measure.ROOT / "engine"


def forget(files: list[Path]) -> None:
    """Ask the system to drop files from memory."""
    for path in files:
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def started(words: list[str], before: Callable[[], None], *, compiled: bool = True) -> tuple[float, float]:
    """The median of the wall and the CPU seconds of some starts."""
    found = []
    for _ in range(TIMES if compiled else FEW):
        with measure.scratch() as folder:
            before()
            env = {} if compiled else {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
            found.append(measure.run(words, folder, env))
    return measure.median(one.wall for one in found), measure.median(one.cpu for one in found)


def main() -> None:
    """Print one row for each command."""
    files = [path for home in homes() for path in home.rglob("*") if path.is_file()]
    rows = []
    with measure.scratch() as folder:
        pages = {"plain": PLAIN, "typed": TYPED}
        for name, text in pages.items():
            (folder / f"{name}.yaml").write_text(text)
        for name, words in {
            "`engine --help`": ["--help"],
            "`engine lint` of one page": ["lint", str(folder / "plain.yaml")],
            "`engine lint` where SQL has to be typed": ["lint", str(folder / "typed.yaml")],
            "`engine lint` of the longest page, with SQL": ["lint", str(measure.ROOT / "pipelines" / "apigee.yaml")],
        }.items():
            command = [str(ENGINE), *words]
            with measure.scratch() as place:
                measure.run(command, place)  # what was not compiled yet is now
            warm = started(command, lambda: None)
            cold = started(command, lambda: forget(files)) if hasattr(os, "posix_fadvise") else (0.0, 0.0)
            first = started(command, lambda: None, compiled=False)
            rows.append([name, *(f"{1000 * one:.0f}" for one in (*warm, *cold, *first))])
    heads = ["ms", "warm", "CPU", "cold", "CPU", "nothing compiled", "CPU"]
    measure.say(measure.table(heads, rows))


if __name__ == "__main__":
    main()
