"""`run`, `resume`, `runs` and `cancel` over real processes that are killed: what goes on, what begins anew, and why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from engine.flow.ledger import Ledger
from tests.cli.shop import Desk

LAST = "/things/3/parts"
RATE = "  rate_limit: ${param.rate}\n"


@pytest.fixture(autouse=True)
def _one_by_one(desk: Desk) -> None:
    """So that all before the request that is waited for is kept."""
    desk.page(RATE, f"{RATE}  concurrency: 1\n")


def _retitled() -> None:
    page = Path("pipelines/shop.yaml")
    page.write_text(page.read_text().replace("title: The shop", "title: Another shop"))


def _json(answer: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _runs(desk: Desk, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(desk.engine("runs", *words, "--json").stdout)
    return found


def _statuses(desk: Desk) -> list[str]:
    return [one["status"] for one in _runs(desk)]


def test_a_run_that_was_killed_goes_on_under_its_name_and_asks_nothing_twice_that_was_kept(desk: Desk) -> None:
    desk.killed(LAST, "run", "shop")
    [before] = _runs(desk)
    answer = desk.engine("run", "shop", "--json")
    result = _json(answer)
    [after] = _runs(desk)
    assert ("interrupted", "succeeded", before["run"]) == (before["status"], after["status"], result["run"])
    assert f"shop: run {before['run']} goes on" in answer.stderr
    assert "1 of 2 endpoints done, 4 pages kept" in answer.stderr
    assert "1 of 2 endpoints done, 4 pages kept" == result["resumed_from"]
    twice = [one for one in dict.fromkeys(desk.asked()) if desk.asked().count(one) > 1]
    assert ([f"{LAST}?"], 6) == (twice, result["records_collected"])


def test_a_changed_page_starts_anew_and_says_why(desk: Desk) -> None:
    desk.stopped(4)
    _retitled()
    answer = desk.engine("run", "shop")
    assert "does not go on: the page has changed since" in answer.stderr
    assert "it started anew" in answer.stdout
    assert ["succeeded", "abandoned"] == _statuses(desk)


def test_another_value_of_a_param_starts_anew_and_is_not_shown(desk: Desk) -> None:
    desk.stopped(4, params={"color": "ultramarine"})
    said = desk.engine("run", "shop", "-p", "color=vermilion").stderr
    assert "does not go on: color had another value" in said
    ledger = Ledger(Path("storage/engine.db"), only_read=True)
    asked = [one.asked["params"]["color"] for one in ledger.runs()]
    ledger.close()
    assert ("vermilion" in said, [16, 16]) == (False, [len(one) for one in asked])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["run", "shop", "--fresh"], "--fresh"),
        (["collect", "shop"], "it was to collect, process, report"),
        (["run", "shop", "--only", "things"], "it asked for all endpoints"),
    ],
)
def test_what_is_asked_for_otherwise_starts_anew(desk: Desk, words: list[str], why: str) -> None:
    desk.stopped(4)
    assert f"does not go on: {why}" in desk.engine(*words).stderr
    assert "abandoned" == _statuses(desk)[-1]


def test_a_run_that_was_interrupted_too_long_ago_starts_anew(desk: Desk) -> None:
    Path("config.yaml").write_text("resume_within: 0s\n")
    desk.stopped(4)
    assert "it stopped more than 0s ago (resume_within)" in desk.engine("run", "shop").stderr


def test_process_does_not_end_an_interrupted_collection(desk: Desk) -> None:
    desk.stopped(4)
    desk.engine("process", "shop")
    assert "goes on" in desk.engine("run", "shop").stderr


def test_resume_goes_on_with_an_interrupted_run(desk: Desk) -> None:
    desk.stopped(4)
    result = _json(desk.engine("resume", "latest", "--json"))
    assert ("succeeded", True) == (result["status"], bool(result["resumed_from"]))


def test_resume_says_which_param_was_another(desk: Desk) -> None:
    desk.stopped(4, params={"color": "red"})
    answer = desk.engine("resume", "latest")
    assert (2, True) == (answer.return_value, "color had another value" in answer.stderr)
    assert 0 == desk.engine("resume", "latest", "-p", "color=red").return_value


def test_resume_of_a_page_that_changed_says_so(desk: Desk) -> None:
    desk.stopped(4)
    _retitled()
    answer = desk.engine("resume", "latest")
    assert (2, True) == (answer.return_value, "cannot go on: the page has changed since" in answer.stderr)
    assert "engine run shop" in answer.stderr


def test_resume_of_a_page_that_is_gone_says_so(desk: Desk) -> None:
    desk.stopped(4)
    Path("pipelines/shop.yaml").unlink()
    answer = desk.engine("resume", "latest")
    assert (2, True) == (answer.return_value, 'no tool is called "shop"' in answer.stderr)


def test_resume_of_a_whole_run_has_nothing_to_do(desk: Desk) -> None:
    desk.engine("run", "shop")
    before = len(desk.asked())
    answer = desk.engine("resume", "latest")
    assert (0, before, True) == (answer.return_value, len(desk.asked()), "nothing to go on with" in answer.stdout)


def test_resume_of_an_abandoned_run_says_so(desk: Desk) -> None:
    desk.stopped(4)
    run = _runs(desk)[0]["run"]
    desk.engine("run", "shop", "--fresh")
    answer = desk.engine("resume", run)
    assert (2, True) == (answer.return_value, "a newer run began in its place" in answer.stderr)


def test_a_run_that_is_not_there_gets_the_latest(desk: Desk) -> None:
    desk.engine("run", "shop")
    run = _runs(desk)[0]["run"]
    for word in ("resume", "cancel", "runs"):
        answer = desk.engine(word, "2020")
        assert (2, True) == (answer.return_value, f"the latest is {run} of shop" in answer.stderr)


def test_the_beginning_of_several_runs_is_not_enough(desk: Desk) -> None:
    for _ in range(2):
        desk.engine("collect", "shop")
    answer = desk.engine("resume", "2")
    assert (2, True) == (answer.return_value, '2 runs begin with "2"' in answer.stderr)


def test_before_anything_ran_there_is_nothing_to_list_or_resume(desk: Desk) -> None:
    assert "nothing ever ran in storage" in desk.engine("runs").stdout
    assert 2 == desk.engine("resume", "latest").return_value
    assert not Path("storage").exists()


def test_runs_are_listed_newest_first_with_how_far_they_came(desk: Desk) -> None:
    desk.engine("run", "shop")
    desk.stopped(4, ["collect"])
    newest, oldest = _runs(desk, "shop")
    assert ("interrupted", 1, 2, ["collect"]) == (
        newest["status"],
        newest["endpoints_done"],
        newest["endpoints_planned"],
        newest["works"],
    )
    assert ("succeeded", 2, 5, 6) == (oldest["status"], oldest["endpoints_done"], oldest["pages"], oldest["rows"])
    screen = desk.engine("runs", "--limit", "1").stdout
    assert (True, False) == (newest["run"] in screen, oldest["run"] in screen)


def test_one_run_is_shown_with_its_endpoints_and_how_to_go_on(desk: Desk) -> None:
    desk.stopped(4)
    run = _runs(desk)[0]["run"]
    screen = " ".join(desk.engine("runs", run[:12]).stdout.split())
    assert "things complete 1 1 0 2 3" in screen
    assert "parts under way 3" in screen
    assert f"to go on where it was: engine resume {run}" in screen


def test_an_incomplete_run_is_shown_with_what_is_missing_and_fetched_alone(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    first = _json(desk.engine("run", "shop", "--json"))
    shown = desk.engine("runs", "latest").stdout
    assert 'parts missing: thing {"id":2}' in shown
    assert f"to fetch what is missing: engine resume {first['run']}" in shown
    before = len(desk.asked())
    result = _json(desk.engine("resume", first["run"], "--json"))
    assert ["/things/2/parts?"] == desk.asked()[before:]
    assert ("succeeded", first["run"]) == (result["status"], result["completes"])
    rows = desk.engine("show", "shop", "parts", "--format", "csv").stdout
    assert "thing_id,no\n1,1\n2,1\n3,1\n" == rows
    again = desk.engine("resume", first["run"])
    assert (0, True) == (again.return_value, "nothing to go on with" in again.stdout)


@pytest.mark.slow
def test_a_run_that_goes_on_is_ended_by_cancel_from_another_process(desk: Desk) -> None:
    desk.shop.hold_at = LAST
    with desk.start("run", "shop") as started:
        assert desk.shop.held.wait(20)
        answer = desk.engine("cancel", "latest")
        _, said = started.communicate(timeout=20)
    desk.shop.go.set()
    assert (0, 130, "cancelled") == (answer.return_value, started.returncode, _statuses(desk)[0])
    assert "it was going on, and has ended" in answer.stdout
    assert "cancelled" in said
    assert "goes on" not in desk.engine("run", "shop").stderr
    assert 2 == desk.engine("resume", _runs(desk)[1]["run"]).return_value


def test_an_interrupted_run_that_is_cancelled_does_not_go_on(desk: Desk) -> None:
    desk.stopped(4)
    assert "it was interrupted, and will not go on" in desk.engine("cancel", "latest").stdout
    assert "goes on" not in desk.engine("run", "shop").stderr
    assert ["succeeded", "cancelled"] == _statuses(desk)


def test_cancel_of_a_run_that_has_ended_changes_nothing(desk: Desk) -> None:
    desk.engine("run", "shop")
    answer = desk.engine("cancel", "latest")
    assert (0, ["succeeded"]) == (answer.return_value, _statuses(desk))
    assert "it had ended already" in answer.stdout


def test_a_second_run_names_the_first(desk: Desk) -> None:
    desk.shop.hold = True
    with desk.start("run", "shop") as started:
        assert desk.shop.held.wait(20)
        answer = desk.engine("run", "shop")
        run = _runs(desk)[0]["run"]
        started.kill()
    assert 5 == answer.return_value
    assert f"run {run}, process {started.pid}" in answer.stderr


@pytest.mark.slow
def test_a_hanging_request_is_left_within_two_seconds_with_the_command_that_goes_on(desk: Desk) -> None:
    desk.shop.hold_at = LAST
    started = desk.start("run", "shop", "-p", "color=light blue", "--fresh")
    assert desk.shop.held.wait(20)
    began = time.monotonic()
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=10)
    desk.shop.go.set()
    assert (130, True) == (started.returncode, time.monotonic() - began < 2)
    assert "it goes on with: engine run shop -p 'color=light blue'" == said.splitlines()[-1].partition(", and ")[2]
    assert ["interrupted"] == _statuses(desk)
    assert "goes on" in desk.engine("run", "shop", "-p", "color=light blue").stderr


def _busy_seconds(process: subprocess.Popen[str]) -> float:
    """The time that all threads of a process have computed so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_a_long_computation_is_left_within_two_seconds_and_the_run_goes_on(desk: Desk) -> None:
    joins = " ".join(f"CROSS JOIN things t{number}" for number in range(1, 10))
    many = f"WITH many AS (SELECT t0.price AS p FROM things t0 {joins})"
    long = f"{many} SELECT count(*) AS n FROM many a CROSS JOIN many b WHERE a.p + b.p < 0"
    short = "SELECT name FROM things WHERE price < 10 ORDER BY name"
    page = Path("pipelines/shop.yaml")
    page.write_text(page.read_text().replace(short, long))
    desk.shop.things = [{"id": number, "name": "x", "price": 1.0} for number in range(3)]
    started = desk.start("run", "shop")
    assert started.stderr is not None
    while "table parts" not in started.stderr.readline():
        pass
    before = _busy_seconds(started)
    while _busy_seconds(started) < before + 0.5:
        assert started.poll() is None
    began = time.monotonic()
    started.send_signal(signal.SIGTERM)
    _, said = started.communicate(timeout=10)
    assert (130, True) == (started.returncode, time.monotonic() - began < 2)
    assert said.splitlines()[-1].endswith("it goes on with: engine run shop")
    assert "to go on where it was: engine resume" in desk.engine("runs", "latest").stdout


@pytest.mark.parametrize("word", ["--fresh", "--schedule=nightly"])
def test_a_replay_asks_nobody_so_it_cannot_collect(desk: Desk, word: str) -> None:
    with pytest.raises(click.UsageError, match="--replay asks nobody"):
        desk.engine("run", "shop", "--replay", "latest", word)
