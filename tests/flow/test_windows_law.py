"""The law of windows: whatever breaks off and whatever the clock does, no instant is left out and no mark goes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.clock import rfc3339
from engine.core.values import Duration
from engine.core.window import Window
from engine.flow.ledger import Collection, Ledger, Mark
from engine.flow.windows import reached, until_of, windows
from engine.spec.foreach import Incremental

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, 400_000)
SPANS = st.sampled_from(["1s", "7s", "1m", "45m", "1h", "1d"])


@dataclass
class Run:
    """What a run meets: when it is, which of its windows break off, and whether it is killed before it is sealed."""

    after: int
    broken: set[int]
    killed: bool


RUNS = st.lists(
    st.builds(Run, st.integers(-50_000, 300_000), st.sets(st.integers(0, 6), max_size=3), st.booleans()), max_size=8
)


@st.composite
def incrementals(draw: st.DrawFn, /, **fixed: Any) -> Incremental:
    """Settings that belong together: a step is no shorter than the granularity."""
    granularity = draw(SPANS)
    steps = st.sampled_from([None, "3h", "1d", "36h"])
    settings = {
        "start": rfc3339(BEGIN + timedelta(seconds=draw(SECONDS))),
        "granularity": granularity,
        "step": draw(steps if granularity != "1d" else st.sampled_from([None, "1d", "36h"])),
        "until": draw(st.sampled_from(["0s", "90s", "2h"])),
        "bounds": draw(st.sampled_from(["half_open", "inclusive"])),
        "order": draw(st.sampled_from(["asc", "desc", "none"])),
    }
    return Incremental.model_validate({**settings, **fixed})


@dataclass
class Walk:
    """Runs one after another, with the mark that each finds and leaves."""

    incremental: Incremental
    now: datetime = BEGIN + timedelta(days=5)
    mark: datetime | None = None
    counted: list[Window] = field(default_factory=list)
    """The windows that a mark moved over."""

    def run(self, run: Run) -> None:
        """One run; what it reads has no time of its own."""
        self.now += timedelta(seconds=run.after)
        found = windows(self.incremental, self.incremental.start, self.mark, self.now)
        whole = [number not in run.broken for number in range(len(found))]
        untils = [until_of(self.incremental, one, None, whole=ok) for one, ok in zip(found, whole, strict=True)]
        if not run.killed:
            self.mark = reached(self.mark, zip(untils, whole, strict=True))
            self.counted += found[: whole.index(False) if False in whole else None]


def _granules(window: Window) -> range:
    """The steps of the vendor's time that a request for a window is answered with, as the vendor counts its bounds."""
    first, last = ((at - BEGIN) // window.granularity for at in (window.start, window.until))
    return range(first, last + 1 if window.inclusive else last)


@given(incrementals(overlap="0s"), RUNS)
def test_every_instant_is_in_exactly_one_window(incremental: Incremental, runs: list[Run]) -> None:
    walk = Walk(incremental)
    for run in runs:
        walk.run(run)
    read = [granule for window in walk.counted for granule in _granules(window)]
    assert list(range(read[0], read[0] + len(read)) if read else []) == read


@given(incrementals(), RUNS, st.sampled_from(["0s", "10m", "1d"]))
def test_a_run_begins_where_the_last_ended_less_the_overlap(
    incremental: Incremental, runs: list[Run], overlap: str
) -> None:
    walk = Walk(incremental.model_copy(update={"overlap": Duration(overlap)}))
    for run in runs:
        before = walk.mark
        walk.run(run)
        again = windows(walk.incremental, incremental.start, before, walk.now)
        if before and again:
            behind = before - walk.incremental.overlap.delta - again[0].start
            assert timedelta(0) <= behind < incremental.granularity.delta


@given(incrementals(), RUNS)
def test_no_mark_goes_back(incremental: Incremental, runs: list[Run]) -> None:
    walk, marks = Walk(incremental), list[datetime]()
    for run in runs:
        walk.run(run)
        marks += [walk.mark] if walk.mark else []
    assert sorted(marks) == marks


@given(
    incrementals(field="at", granularity="1s", until="0s", overlap="0s"),
    st.lists(SECONDS, max_size=20),
    st.lists(st.sets(st.integers(0, 4), max_size=2), max_size=5),
)
def test_every_record_comes_also_those_dated_in_the_future(
    incremental: Incremental, offsets: list[int], faults: list[set[int]]
) -> None:
    records = sorted({BEGIN + timedelta(seconds=offset) for offset in offsets})
    now, mark, came = BEGIN + timedelta(days=1), None, set[datetime]()
    for broken in [*faults, set[int](), set[int]()]:
        now += timedelta(days=2)
        untils = []
        for number, window in enumerate(windows(incremental, incremental.start, mark, now)):
            # This vendor knows no upper bound: it also gives what is dated ahead.
            listed = [at for at in records if window.start <= at]
            got = listed[: len(listed) // 2] if number in broken else listed
            came |= set(got)
            whole = number not in broken
            untils.append((until_of(incremental, window, max(got, default=None), whole=whole), whole))
        mark = reached(mark, untils)
    first = windows(incremental, incremental.start, None, now)[0].start
    assert {at for at in records if first <= at} <= came
    assert mark is not None
    assert mark <= now


@given(SECONDS, st.integers(1, 10**6), SPANS)
def test_the_halves_of_a_window_are_the_window(after: int, seconds: int, granularity: str) -> None:
    step, start = Duration(granularity).delta, BEGIN + timedelta(seconds=after)
    window = Window(start, start + timedelta(seconds=seconds), step)
    halves = window.halves(timedelta(0))
    if halves is None:
        assert window.end - window.start <= 2 * step
    else:
        first, second = halves
        assert (window.start, first.end, window.end) == (first.start, second.start, second.end)
        assert first.start < first.end < second.end


@settings(deadline=None, max_examples=30)  # a ledger of its own on the disk each time
@given(st.lists(st.tuples(st.integers(1, 40), st.sets(st.integers(0, 9))), max_size=8))
def test_there_is_at_most_one_mark_for_each_parent_that_was_there_lately(runs: list[tuple[int, set[int]]]) -> None:
    with TemporaryDirectory() as folder:
        ledger, now, seen = Ledger(Path(folder) / "engine.db"), BEGIN, dict[str, datetime]()
        for days, parents in runs:
            now += timedelta(days=days)
            seen |= {str(parent): now for parent in parents}
            marks = [Mark("window", str(parent), rfc3339(now), at=rfc3339(now)) for parent in parents]
            sealed = Collection(rfc3339(now), "things", True, 0, 0)
            ledger.seal("acme", sealed, marks, forget=rfc3339(now - timedelta(days=30)))
        lately = sorted(parent for parent, at in seen.items() if now - at <= timedelta(days=30))
        assert lately == sorted(mark.partition for mark in ledger.marks("acme"))
        ledger.close()
