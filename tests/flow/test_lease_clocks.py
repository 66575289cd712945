"""Leases while clocks are set: who is at work keeps its tool, and who is dead does not keep it for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.core.errors import StorageError
from engine.flow import lease
from engine.flow.lease import held, holder
from engine.flow.ledger import Holder, Ledger, postgres, sqlite

Opened = Callable[..., Ledger]
FAR = Holder("another kernel", "far", 7)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock of the database, of either kind."""
    clocks = [(module, module.NOW) for module in (sqlite, postgres)]

    def by(seconds: int) -> None:
        for module, now in clocks:
            monkeypatch.setattr(module, "NOW", f"({now} + {seconds})")

    return by


def _far(ledger: Ledger) -> int:
    fence, _ = ledger.take_lease("acme", FAR, lambda _: True, lambda _: None)
    return fence


@pytest.mark.parametrize("seconds", [120, -3600])
def test_who_is_awake_on_this_machine_keeps_its_tool(
    tmp_path: Path, opened: Opened, set_clock: Callable[[int], None], seconds: int
) -> None:
    first, second = opened(), opened()
    with held(tmp_path, first, "acme") as fence:
        set_clock(seconds)
        with pytest.raises(StorageError, match="another run of acme is going on"):
            held(tmp_path, second, "acme").__enter__()
        assert holder(tmp_path, second, "acme")
        fence.check()


def test_who_sleeps_on_this_machine_is_taken_over_though_the_clock_was_set_back(
    tmp_path: Path, opened: Opened, set_clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(tmp_path, opened(), "acme"):
        set_clock(-3600)
        monkeypatch.setattr(lease, "EXPIRES_SECONDS", -1.0)
        with held(tmp_path, opened(), "acme") as fence:
            assert 2 == fence.number


def test_who_waits_does_not_take_over_whoever_beats_elsewhere(
    tmp_path: Path, opened: Opened, set_clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", 60.0)
    ledger, waits = opened(), list[float]()
    number = _far(ledger)
    set_clock(120)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            ledger.give_back("acme", number)
        else:
            ledger.beat("acme", number)

    with held(tmp_path, opened(), "acme", wait=wait) as fence:
        assert (3, 2) == (len(waits), fence.number)


def test_who_does_not_wait_is_told_once_whoever_is_elsewhere_has_beaten(
    tmp_path: Path, opened: Opened, set_clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.01)
    ledger, over = opened(), threading.Event()
    number = _far(ledger)
    set_clock(120)

    def beat() -> None:
        while not over.wait(0.02):
            ledger.beat("acme", number)

    beats = threading.Thread(target=beat)
    beats.start()
    try:
        with pytest.raises(StorageError, match="process 7 on far"):
            held(tmp_path, opened(), "acme").__enter__()
    finally:
        over.set()
        beats.join()


def test_who_died_elsewhere_is_taken_over_though_its_beat_lies_in_the_future(
    tmp_path: Path, opened: Opened, set_clock: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "EXPIRES_SECONDS", 0.05)
    monkeypatch.setattr(lease, "LOOK_SECONDS", 0.01)
    _far(opened())
    set_clock(-3600)
    with held(tmp_path, opened(), "acme") as fence:
        assert 2 == fence.number
