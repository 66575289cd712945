"""The Python door to the runs that were: list them, go on with one, end one, begin anew, replay."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.app import Engine, events
from engine.author.simulate import Simulator
from engine.core.errors import ConfigError, Stopped
from engine.flow import lease
from tests.cli.shop import Desk, Shop


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with Shop() as shop:
        desk = Desk(tmp_path, shop)
        desk.page()
        yield desk
        shop.go.set()


def test_an_interrupted_run_goes_on_and_says_from_where(desk: Desk) -> None:
    desk.stopped(2)
    said: list[events.Event] = []
    engine = Engine.from_config(emit=said.append)
    [before] = engine.runs("shop")
    result = engine.run("shop")
    [started] = [event for event in said if isinstance(event, events.RunStarted)]
    assert (before["run"], True, "") == (result.run, started.goes_on, started.starts_anew)
    assert "pages kept" in result.resumed_from
    assert ["succeeded"] == [one["status"] for one in engine.runs()]


def test_fresh_begins_anew(desk: Desk) -> None:
    desk.stopped(2)
    engine = Engine.from_config()
    result = engine.run("shop", fresh=True)
    assert ("", True) == (result.resumed_from, result.starts_anew.endswith("--fresh"))
    assert ["succeeded", "abandoned"] == [one["status"] for one in engine.runs()]


def test_resume_of_an_incomplete_run_gives_the_run_that_completes_it(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    engine = Engine.from_config()
    first = engine.run("shop")
    second = engine.resume("latest")
    assert ("incomplete", "succeeded", first.run) == (first.status, second.status, second.completes)
    assert [second.run] == engine.record(first.run)["completed_by"]
    assert [] == list(engine.resume(first.run).collections)


def test_a_replay_gives_the_tables_and_collects_nothing(desk: Desk) -> None:
    engine = Engine.from_config()
    engine.run("shop")
    result = engine.run("shop", replay="latest")
    assert ([], ["things", "parts", "cheap"]) == (list(result.collections), [made.name for made in result.tables])


def test_what_has_no_meaning_together_is_told(desk: Desk) -> None:
    engine = Engine.from_config()
    with pytest.raises(ConfigError, match="a replay asks nobody"):
        engine.collect("shop", replay="latest")
    with pytest.raises(ConfigError, match="fresh is for what is collected"):
        engine.run("shop", replay="latest", fresh=True)
    with pytest.raises(ConfigError, match="fresh is for what is collected"):
        engine.process("shop", fresh=True)


def test_before_anything_ran_there_is_no_run(desk: Desk) -> None:
    engine = Engine.from_config()
    assert [] == engine.runs()
    for ask in (engine.record, engine.resume, engine.cancel):
        with pytest.raises(ConfigError, match="nothing ever ran"):
            ask("latest")


def test_the_end_of_one_run_lets_the_next_of_the_same_engine_begin(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.05)
    desk.shop.hold_at = "/things"
    engine, ended = Engine.from_config(), list[BaseException]()

    def run() -> None:
        try:
            engine.run("shop")
        except Stopped as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert desk.shop.held.wait(20)
    found = Engine.from_config().cancel("latest")
    thread.join(20)
    desk.shop.go.set()
    assert ("running", "cancelled", 1) == (found["was"], found["status"], len(ended))
    assert "succeeded" == engine.run("shop").status


def test_a_simulated_run_goes_on_with_its_own_seed_alone(desk: Desk) -> None:
    engine = Engine.from_config(storage="made-up")
    engine.emit = lambda event: engine.stop.ask() if isinstance(event, events.EndpointEnded) else None
    with pytest.raises(Stopped):
        engine.run("shop", vendor=Simulator.of(engine, "shop", 2))
    again = Engine.from_config(storage="made-up")
    other = again.run("shop", vendor=Simulator.of(again, "shop", 3))
    assert other.starts_anew.endswith("the data was made up from another seed")


def test_a_simulated_run_that_was_stopped_gives_what_one_gives_that_was_not(desk: Desk) -> None:
    engine = Engine.from_config(storage="stopped")
    engine.emit = lambda event: engine.stop.ask() if isinstance(event, events.EndpointEnded) else None
    with pytest.raises(Stopped):
        engine.run("shop", vendor=Simulator.of(engine, "shop", 2))
    found = []
    for storage in ("stopped", "whole"):
        one = Engine.from_config(storage=storage)
        one.run("shop", vendor=Simulator.of(one, "shop", 2))
        found.append(one.current("shop"))
    assert found[0] == found[1]


def test_a_run_that_is_over_before_its_end_completes_nothing(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    engine = Engine.from_config()
    first = engine.run("shop")
    stopped = Engine.from_config(emit=lambda event: stopped.stop.ask() if isinstance(event, events.UnitEnded) else None)
    with pytest.raises(Stopped):
        stopped.resume(first.run)
    assert [] == engine.record(first.run)["completed_by"]
    assert "cancelled" == engine.cancel("latest")["status"]
    assert [] == engine.record(first.run)["completed_by"]
