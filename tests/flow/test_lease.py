"""Leases: one holder of a tool at a time, in threads and processes, in SQLite and in PostgreSQL, also past a sleep."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from engine.core.errors import LeaseLost, StorageError
from engine.flow import lease
from engine.flow.lease import Fence, held, holder
from engine.flow.ledger import Holder, Ledger, RunRecord, dialect
from engine.flow.writing import replace_json, writing
from tests.servers import Postgres

Opened = Callable[..., Ledger]


def _wait_until(what: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holders that tell often that they are there."""
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)


@pytest.fixture
def asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every holder counts as asleep at once."""
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", -1.0)


# --- behind it


def test_a_thread_that_was_given_up_changes_nothing_behind_the_lease(tmp_path: Path, opened: Opened) -> None:
    ledger = opened()
    with held(tmp_path, ledger, "acme") as fence:
        ledger.keep("acme", "token", "a")
    for act in (fence.check, lambda: ledger.keep("acme", "token", "b")):
        with pytest.raises(LeaseLost):
            act()
    with held(tmp_path, ledger, "acme") as fence:
        fence.check()
        assert "a" == ledger.kept("acme", "token")


# --- one at a time


def test_who_comes_second_is_told_who_is_at_work(tmp_path: Path, opened: Opened) -> None:
    first, second = opened(), opened()
    with held(tmp_path, first, "acme"):
        first.begin_run(RunRecord("r1", "acme", "collect"))
        with pytest.raises(
            StorageError, match=r"another run of acme is going on in .*: run r1, process \d+ on"
        ) as raised:
            held(tmp_path, second, "acme").__enter__()
    assert 5 == raised.value.exit_code
    with held(tmp_path, second, "acme") as fence:
        assert 2 == fence.number


def test_who_may_wait_comes_after(tmp_path: Path, opened: Opened) -> None:
    first, second, waits = opened(), opened(), list[float]()
    with ExitStack() as stack:
        stack.enter_context(held(tmp_path, first, "acme"))

        def wait(seconds: float) -> None:
            waits.append(seconds)
            stack.close()

        with held(tmp_path, second, "acme", wait=wait) as fence:
            assert ([0.2], 2) == (waits, fence.number)


def test_another_tool_may_be_worked_on_meanwhile(tmp_path: Path, opened: Opened) -> None:
    with held(tmp_path, opened(), "a"), held(tmp_path, opened(), "b"):
        assert ["a.1.lock", "b.1.lock"] == sorted(path.name for path in (tmp_path / "locks").iterdir())
    assert [] == list((tmp_path / "locks").iterdir())


def test_it_is_known_who_is_at_work(tmp_path: Path, opened: Opened) -> None:
    ledger = opened()
    assert None is holder(tmp_path, ledger, "acme")
    with held(tmp_path, ledger, "acme"):
        ledger.begin_run(RunRecord("r1", "acme", "collect"))
        found = holder(tmp_path, opened(), "acme")
        assert found is not None
        assert ("r1", 1) == (found.run, found.fence)
    assert None is holder(tmp_path, ledger, "acme")


def test_a_run_has_the_number_of_its_holder(tmp_path: Path, opened: Opened) -> None:
    ledger = opened()
    for begin in (lambda: ledger.begin_run(RunRecord("r1", "acme", "collect")), lambda: ledger.reopen_run("r1")):
        with held(tmp_path, ledger, "acme") as fence:
            begin()
            assert [fence.number] == [one.fence for one in ledger.runs()]


def test_of_many_threads_one_is_at_work_at_a_time(tmp_path: Path, opened: Opened) -> None:
    at_work, most, fences = list[int](), list[int](), list[int]()

    def work(number: int) -> None:
        ledger = opened()
        for _ in range(5):
            with held(tmp_path, ledger, "acme", wait=lambda _: time.sleep(0.001)) as fence:
                at_work.append(number)
                most.append(len(at_work))
                fences.append(fence.number)
                at_work.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert ({1}, [*range(1, 21)]) == (set(most), fences)


WORK = """
import os, sys, time
from pathlib import Path
from engine.flow.lease import held
from engine.flow.ledger import Ledger, RunRecord
root, place = Path(sys.argv[1]), sys.argv[2]
ledger = Ledger(place if "://" in place else Path(place))
book = os.open(root / "book", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
for _ in range(8):
    with held(root, ledger, "acme", wait=lambda _: time.sleep(0.002)) as fence:
        os.write(book, f"in {fence.number}\\n".encode())
        run = ledger.begin_run(RunRecord("", "acme", "collect", started_at="2026-01-01T00:00:00Z")).run
        os.write(book, f"run {run[-4:]}\\nout {fence.number}\\n".encode())
"""


@pytest.mark.slow
def test_of_many_processes_one_is_at_work_at_a_time(tmp_path: Path, place: Path | str) -> None:
    words = [sys.executable, "-c", WORK, str(tmp_path), str(place)]
    processes = [subprocess.Popen(words) for _ in range(3)]
    assert [0, 0, 0] == [process.wait(120) for process in processes]
    expected = [line for n in range(1, 25) for line in (f"in {n}", f"run {n:04d}", f"out {n}")]
    assert expected == (tmp_path / "book").read_text().splitlines()


# --- who died, who sleeps

HOLD = """
import sys
from pathlib import Path
from engine.core.errors import LeaseLost
from engine.flow import lease
from engine.flow.ledger import Ledger, RunRecord
lease.BEAT_SECONDS = 0.1
root, place, lease.BOOT = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
ledger = Ledger(place if "://" in place else Path(place))
with lease.held(root, ledger, "acme", heard=lambda why: print(why, flush=True)) as fence:
    ledger.begin_run(RunRecord("r1", "acme", "collect"))
    print("held", flush=True)
    sys.stdin.readline()
    try:
        ledger.end_run("r1", status="succeeded", ended_at="", result={})
    except LeaseLost as error:
        print(error.message, flush=True)
"""


@contextmanager
def _elsewhere(root: Path, place: Path | str, boot: Path = lease.BOOT) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease, until it reads a line; `boot` tells its kernel from others."""
    words = [sys.executable, "-c", HOLD, str(root), str(place), str(boot)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert "held\n" == other.stdout.readline()
            yield other
        finally:
            other.kill()


def test_a_kill_sets_the_tool_free_at_once(tmp_path: Path, place: Path | str, opened: Opened) -> None:
    ledger = opened()
    with _elsewhere(tmp_path, place) as other:
        with pytest.raises(StorageError, match=f"process {other.pid} on"):
            held(tmp_path, ledger, "acme").__enter__()
        other.kill()
        other.wait()
        with held(tmp_path, ledger, "acme") as fence:
            assert 2 == fence.number
        assert [] == list((tmp_path / "locks").iterdir())


@pytest.mark.slow
def test_who_sleeps_past_the_lease_is_taken_over_and_writes_no_more(
    tmp_path: Path, place: Path | str, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", 0.3)
    ledger = opened()
    with _elsewhere(tmp_path, place) as other:
        other.send_signal(signal.SIGSTOP)
        with held(tmp_path, ledger, "acme", wait=time.sleep) as fence:
            ledger.reopen_run("r1")
            other.send_signal(signal.SIGCONT)
            said, _ = other.communicate("\n")
            assert ("running", 2) == (ledger.runs()[0].status, fence.number)
    assert " with run r1, took over acme, as this engine was not heard of for too long" in said


@pytest.mark.slow
def test_a_kill_on_another_machine_is_seen_once_nothing_was_heard_for_long(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, boot = postgres.new(), tmp_path / "boot"
    boot.write_text("another kernel")
    ledger = Ledger(place)
    with _elsewhere(tmp_path, place, boot) as other:
        other.kill()
        other.wait()
        with pytest.raises(StorageError, match=f"process {other.pid} on"):
            held(tmp_path, ledger, "acme").__enter__()
        monkeypatch.setattr(lease, "EXPIRES_SECONDS", 0.3)
        with held(tmp_path, ledger, "acme", wait=time.sleep) as fence:
            assert 2 == fence.number
    ledger.close()


def test_who_works_elsewhere_is_only_known_by_its_beat(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, far = opened(), Holder("another kernel", "far", 7)
    ledger.take_lease("acme", far, lambda _: True, lambda _: None)
    with pytest.raises(StorageError, match="process 7 on far"):
        held(tmp_path, ledger, "acme").__enter__()
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", 0.01)
    with held(tmp_path, ledger, "acme", wait=time.sleep) as fence:
        assert 2 == fence.number


@pytest.mark.usefixtures("asleep")
def test_who_was_taken_over_changes_nothing_more(tmp_path: Path, opened: Opened) -> None:
    first, second = opened(), opened()
    with held(tmp_path, first, "acme") as fence, held(tmp_path, second, "acme") as other:
        for act in (fence.check, lambda: first.keep("acme", "token", "old"), lambda: first.abandon("r1")):
            with pytest.raises(LeaseLost, match=r"process \d+ on .* took over acme"):
                act()
        second.keep("acme", "token", "new")
        other.check()
        assert "new" == first.kept("acme", "token")
    assert None is holder(tmp_path, first, "acme")


@pytest.mark.usefixtures("asleep")
def test_who_was_taken_over_gives_nothing_back(tmp_path: Path, opened: Opened) -> None:
    first, second = opened(), opened()
    with ExitStack() as stack:
        stack.enter_context(held(tmp_path, first, "acme"))
        with held(tmp_path, second, "acme") as fence:
            stack.close()
            fence.check()


# --- what was written and not renamed


@pytest.mark.parametrize("room", ["processed_data", "quarantine", "reports"])
@pytest.mark.usefixtures("asleep")
def test_who_takes_over_removes_what_was_not_renamed(tmp_path: Path, opened: Opened, room: str) -> None:
    mine, others = tmp_path / room / "acme" / "table" / ".a.json.1.tmp", tmp_path / room / "other" / ".a.json.1.tmp"
    with held(tmp_path, opened(), "acme"):
        for place in (mine, others):
            place.parent.mkdir(parents=True)
            place.touch()
        with held(tmp_path, opened(), "acme"):
            assert (False, True) == (mine.exists(), others.exists())


@pytest.mark.usefixtures("asleep")
def test_who_sleeps_between_check_and_rename_publishes_nothing(tmp_path: Path, opened: Opened) -> None:
    place = tmp_path / "processed_data" / "acme" / "current.json"
    with ExitStack() as stack, held(tmp_path, opened(), "acme") as fence:
        asleep = list[bool]()

        def check() -> None:
            fence.check()
            if not asleep:
                asleep.append(True)
                taken = stack.enter_context(held(tmp_path, opened(), "acme"))
                replace_json(place, {"by": "new"}, taken)

        with pytest.raises(LeaseLost):
            replace_json(place, {"by": "old"}, Fence(fence.number, check))
        assert '{\n "by": "new"\n}\n' == place.read_text()


@pytest.mark.usefixtures("asleep")
def test_who_wakes_before_its_check_publishes_nothing(tmp_path: Path, opened: Opened) -> None:
    place = tmp_path / "processed_data" / "acme" / "current.json"
    with held(tmp_path, opened(), "acme") as fence, held(tmp_path, opened(), "acme"):
        with pytest.raises(LeaseLost), writing(place, fence) as unfinished:
            unfinished.write_text("old")
        assert [] == list(place.parent.iterdir())


# --- what a holder hears


@pytest.mark.usefixtures("quick")
def test_a_holder_hears_once_that_its_run_shall_end(tmp_path: Path, opened: Opened) -> None:
    ledger, heard = opened(), list[str]()
    with held(tmp_path, ledger, "acme", heard=heard.append):
        ledger.begin_run(RunRecord("r1", "acme", "collect"))
        opened().ask_cancel("r1")
        _wait_until(lambda: heard)
        _beats(ledger)
    assert [lease.CANCELLED] == heard


@pytest.mark.usefixtures("quick", "asleep")
def test_a_holder_hears_that_it_was_taken_over(tmp_path: Path, opened: Opened) -> None:
    heard, lost = list[str](), threading.Event()

    def hear(reason: str) -> None:
        heard.append(reason)
        lost.set()

    with held(tmp_path, opened(), "acme", heard=hear), held(tmp_path, opened(), "acme"):
        assert lost.wait(30)
    assert [lease.LOST] == heard


@pytest.mark.usefixtures("quick")
def test_a_holder_goes_on_behind_a_time_in_which_the_ledger_was_locked(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "PATIENCE_SECONDS", 0.05)
    ledger, other = opened(), opened()
    with held(tmp_path, ledger, "acme") as fence:
        with other._change(), pytest.raises(StorageError, match="locked"):
            ledger.keep("acme", "token", "a")
        _beats(ledger)
        fence.check()


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_holder_goes_on_behind_a_time_in_which_the_database_was_away(tmp_path: Path) -> None:
    server = Postgres()
    try:
        server.start()
        ledger = Ledger(server.new())
        with held(tmp_path, ledger, "acme") as fence:
            ledger.begin_run(RunRecord("r1", "acme", "collect"))
            server.stop()
            for act in (fence.check, lambda: ledger.keep("acme", "token", "a")):
                with pytest.raises(StorageError, match="cannot be reached: "):
                    act()
            server.start()
            _beats(ledger)
            ledger.end_run("r1", status="succeeded", ended_at="", result={})
            fence.check()
        ledger.close()
    finally:
        server.close()


def _beats(ledger: Ledger) -> None:
    """Wait until a holder was heard of after now."""
    began = time.monotonic()
    _wait_until(lambda: (one := ledger.lease("acme")) and one.idle_seconds < time.monotonic() - began)
