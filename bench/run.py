"""`just bench`: the engine beside the hand-written limit and its peers, in turn, and docs/performance.md made of it.

Without words a quick look of a few minutes; `--all` measures everything. What is measured is appended to
.bench/results.jsonl as it comes, so that one that was stopped loses nothing: `--resume` goes on with it, and `--write`
alone with nothing to measure (`--only none`) makes the document anew of what is there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import document
import envs
from measure import HERE, ROOT, Case, Cost, Failed, run, say, scratch, serving, used

RESULTS = ROOT / ".bench" / "results.jsonl"
OURS = ("limit", "bare", "full")
SCRIPTS: dict[str, list[str]] = {
    "startup": [],
    "fanout": [],
    "expressions": ["20000"],
    "rules": [],
    "excel": [],
    "growth": [],
    "durable": [],
    "seal": [],
}
"""Sections that a script measures by itself and prints as Markdown, and the words that it is given."""
SECTIONS = ("main", "large", "nested", "matrix", *SCRIPTS)
ALL = SECTIONS[:-2]
QUICK = ("main", "startup")
VARIED = (Case("page_number"), Case(size=100), Case(coding="gzip"), Case(shape="nested"))
"""What the peers are measured at, beside the main case: one thing changed at a time."""


@dataclasses.dataclass
class Session:
    """One bench: what is measured already, and until when it goes on."""

    started: str
    rounds: int
    ends: float
    done: set[str]
    environments: envs.Envs

    def key(self, section: str, case: Case | None, who: str, turn: int) -> str:
        """What says that something was measured."""
        return json.dumps([self.started, section, case.words() if case else [], who, turn])

    def note(self, section: str, case: Case | None, who: str, turn: int, **found: object) -> None:
        """Keep what was measured."""
        line = {"session": self.started, "section": section, "case": dataclasses.asdict(case) if case else None}
        with RESULTS.open("a") as file:
            file.write(json.dumps({**line, "who": who, "round": turn, **found}) + "\n")
        self.done.add(self.key(section, case, who, turn))

    def over(self) -> bool:
        """Whether its time is up."""
        return time.monotonic() > self.ends

    def compare(self, section: str, case: Case, names: Sequence[str]) -> None:
        """Measure some in turn, A B C A B C, at one server."""
        todo = [(turn, who) for turn in range(1, self.rounds + 1) for who in names]
        todo = [(turn, who) for turn, who in todo if self.key(section, case, who, turn) not in self.done]
        todo = [(turn, who) for turn, who in todo if who in (*OURS, "unique") or self.environments.python(who)]
        if not todo or self.over():
            return
        say(f"\n{section}: {case.count:,} records, {case}")
        with serving(case) as url:
            for turn, who in todo:
                if self.over():
                    say("the time is up")
                    return
                self._once(section, case, url, who, turn)

    def _once(self, section: str, case: Case, url: str, who: str, turn: int) -> None:
        with scratch() as folder:
            before = used(url)
            try:
                cost = run(self._words(who, url, case, folder), folder)
                rows = _rows(who, folder)
                if rows != case.count:
                    raise Failed(f"gave {rows:,} of {case.count:,} records")
            except Failed as failed:
                say(f"  {who:>8} {failed}")
                return
            cost = dataclasses.replace(cost, server_cpu=used(url) - before)
        say(f"  {turn} {who:>8} {_told(cost)}")
        self.note(section, case, who, turn, **dataclasses.asdict(cost))

    def _words(self, who: str, url: str, case: Case, folder: Path) -> list[str | Path]:
        given: list[str | Path] = [url, case.paging, str(case.size), case.shape, folder]
        if who == "limit":
            return [sys.executable, HERE / "limit.py", *given]
        if who in envs.PEERS:
            return [self.environments.python(who), HERE / "peers" / f"with_{who}.py", *given]
        return [sys.executable, HERE / "ours.py", who, *given]

    def script(self, section: str) -> None:
        """Run a script and keep the Markdown that it prints."""
        script = HERE / f"{section}.py"
        if self.key(section, None, "", 0) in self.done or self.over() or not script.exists():
            return
        say(f"\n{section}")
        with scratch() as folder:
            try:
                run([sys.executable, script, *SCRIPTS[section]], folder)
            except Failed as failed:
                say(f"  {failed}")
                return
            text = (folder / "out").read_text().strip()
        say(text)
        self.note(section, None, "", 0, text=text)


def _told(cost: Cost) -> str:
    return f"{cost.wall:8.2f} s {cost.cpu:8.2f} s CPU {cost.peak_mb:6.0f} MB   server {cost.server_cpu:.2f} s CPU"


def _rows(who: str, folder: Path) -> int:
    """How many records something gave."""
    match who:
        case "limit":
            return _parquet(folder / "*.parquet")
        case "dlt":
            return _parquet(folder / "lake" / "records" / "records" / "*.parquet")
        case "airbyte" | "singer":
            with (folder / "out").open("rb") as file:
                return sum(line.startswith((b'{"type":"RECORD"', b'{"type": "RECORD"')) for line in file)
        case _:
            return int((folder / "out").read_text())


def _parquet(files: Path) -> int:
    # in a process of its own, as this one stays small
    text = "import sys, polars; print(polars.scan_parquet(sys.argv[1]).select(polars.len()).collect().item())"
    done = subprocess.run([sys.executable, "-c", text, str(files)], stdout=subprocess.PIPE, text=True, check=False)
    return int(done.stdout or 0)


def sections(session: Session, records: int, with_peers: Sequence[str]) -> dict[str, Callable[[], None]]:
    """What each section measures."""

    def matrix() -> None:
        for case in every_case():
            some = dataclasses.replace(case, count=max(1_000, records // 10))
            session.compare("matrix", some, (*OURS, *(with_peers if case in VARIED else ())))

    main = Case(count=records)
    return {
        "main": lambda: session.compare("main", main, (*OURS, *with_peers)),
        "nested": lambda: session.compare("nested", dataclasses.replace(main, shape="nested"), OURS),
        "large": lambda: session.compare("large", Case(count=10 * records), ("limit", "unique")),
        "matrix": matrix,
        **{name: lambda name=name: session.script(name) for name in SCRIPTS},  # type: ignore[misc]
    }


def every_case() -> Iterator[Case]:
    """The variants, those first that the peers are measured at."""
    yield from VARIED
    for shape in ("flat", "nested"):
        for paging in ("cursor", "page_number"):
            for size in (1_000, 100):
                for coding in ("plain", "gzip"):
                    case = Case(paging, size, coding, shape)
                    if case not in VARIED:
                        yield case


@contextmanager
def opened(words: argparse.Namespace, with_peers: Sequence[str]) -> Iterator[Session]:
    """A session of its own, or with `--resume` the last one."""
    RESULTS.parent.mkdir(exist_ok=True)
    kept = document.lines(RESULTS)
    started = kept[-1]["session"] if words.resume and kept else datetime.now(UTC).isoformat(timespec="seconds")
    ends = time.monotonic() + (words.minutes * 60 if words.minutes else float("inf"))
    session = Session(started, words.rounds, ends, set(), envs.Envs(ROOT / ".bench" / "envs"))
    for one in kept:
        case = Case(**one["case"]) if one["case"] else None
        if one["section"] != "machine" and one["session"] == started:
            session.done.add(session.key(one["section"], case, one["who"], one["round"]))
    if not any(one["session"] == started for one in kept) and words.only != ["none"]:
        # with the versions of the peers, which are made before anything is measured
        given = {who: envs.PEERS[who].version for who in with_peers if session.environments.python(who)}
        session.note("machine", None, "", 0, **document.machine(), peers=given)
    yield session


def main() -> None:
    """Measure what is asked for, print it, and with `--write` put it into the document."""
    parser = argparse.ArgumentParser(
        prog="just bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--all", action="store_true", help="all but durable and seal, at full size (about half an hour)"
    )
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"some of {','.join(SECTIONS)}, or none")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument(
        "--records",
        type=int,
        help="of main and nested; large has ten times as many, matrix a tenth (1000000; quick: 200000)",
    )
    parser.add_argument("--no-peers", action="store_true", help="only the engine and the limit")
    parser.add_argument("--minutes", type=float, help="nothing new is begun after so long; --resume goes on")
    parser.add_argument("--resume", action="store_true", help="go on with the last session")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    words = parser.parse_args()
    if words.rounds < 1 or (words.minutes is not None and words.minutes <= 0):
        parser.error("--rounds and --minutes are more than 0")
    if words.records is not None and (words.records < 1_000 or words.records % 1_000):
        parser.error("--records is a whole number of thousands, as the server has pages of a thousand")
    names = words.only or (ALL if words.all else QUICK)
    if unknown := set(names) - {*SECTIONS, "none"}:
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    records = words.records or (1_000_000 if words.all or words.only else 200_000)
    with_peers = () if words.no_peers or not {"main", "matrix"} & set(names) else tuple(envs.PEERS)
    with opened(words, with_peers) as session:
        todo = sections(session, records, with_peers)
        try:
            for name in SECTIONS:
                if name in names:
                    todo[name]()
        except KeyboardInterrupt:
            say("\nstopped; --resume goes on")
    kept = document.lines(RESULTS)
    here = [one for one in kept if one["session"] == session.started]
    for name in ("machine", *SECTIONS):
        if text := document.section(name, kept if words.write else here):
            say(f"\n## {name}\n\n{text}")
    if words.write:
        document.write(ROOT / "docs" / "performance.md", kept, ("machine", *SECTIONS))


if __name__ == "__main__":
    main()
