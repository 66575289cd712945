"""`run --replay` and `process`: every table again from what was kept, with nobody asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shop import Desk
from tests.house.source import ROOT

DEAF = """\
import os, sys
def hear(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        os.write(2, f"the network was used: {event} {args}\\n".encode())
        os._exit(77)
sys.addaudithook(hear)
sys.argv[0] = "engine"
from engine.cli.main import main
sys.exit(main())
"""
"""The command, in a process that ends as soon as it reaches for the network."""


def _deaf(desk: Desk, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", DEAF, *words], cwd=desk.folder, env=env, capture_output=True, text=True, check=False
    )


def _current() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("storage/processed_data/shop/current.json").read_text())
    return found


def _rows(desk: Desk, table: str) -> str:
    return desk.engine("show", "shop", table, "--format", "csv").stdout


def _page(old: str, new: str) -> None:
    page = Path("pipelines/shop.yaml")
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new))


@pytest.mark.slow
def test_to_collect_reaches_for_the_network(desk: Desk) -> None:
    assert 77 == _deaf(desk, "collect", "shop").returncode


def test_a_replay_makes_the_same_tables_with_no_network(desk: Desk) -> None:
    desk.engine("run", "shop")
    before = {name: (one["sha256"], one["rows"]) for name, one in _current()["tables"].items()}
    done = _deaf(desk, "run", "shop", "--replay", "latest", "--json")
    result = json.loads(done.stdout)
    after = {name: (one["sha256"], one["rows"]) for name, one in _current()["tables"].items()}
    assert (0, before, result["run"]) == (done.returncode, after, _current()["run"])
    assert (True, []) == (bool(result["replays"]), result["endpoints"])


@pytest.mark.slow
def test_process_makes_the_tables_of_a_changed_page_with_no_network(desk: Desk) -> None:
    desk.engine("run", "shop")
    _page(
        "name: { path: name, type: string",
        "name: { sql: upper(label), type: string }\n      label: { path: name, type: string",
    )
    done = _deaf(desk, "process", "shop")
    assert 0 == done.returncode, done.stderr
    assert ["1,BALL,ball,3.5", "3,TOP,top,"] == _rows(desk, "things").splitlines()[1:]


def test_a_replay_of_an_older_run_is_a_version_and_not_current(desk: Desk) -> None:
    first = json.loads(desk.engine("run", "shop", "--json").stdout)["run"]
    desk.shop.things = [*desk.shop.things, {"id": 4, "name": "doll", "price": 1.0}]
    second = json.loads(desk.engine("run", "shop", "--json").stdout)["run"]
    answer = desk.engine("run", "shop", "--replay", first, "--json")
    result = json.loads(answer.stdout)
    latest = json.loads(Path("storage/reports/shop/latest.json").read_text())
    assert (second, second) == (_current()["run"], latest["run"])
    assert any("not published" in note for note in result["notes"])
    assert "id,name,price\n1,ball,3.5\n3,top,\n" == Path(result["reports"]["list"]).read_text(encoding="utf-8-sig")
    version = json.loads(Path(f"storage/processed_data/shop/versions/{result['run']}.json").read_text())
    assert 2 == version["tables"]["things"]["rows"]


def test_a_replay_merges_every_collection_up_to_its_run(desk: Desk) -> None:
    _page("  parts: { from: parts, key:", "  parts: { from: parts, mode: upsert, key:")
    desk.engine("run", "shop")
    desk.shop.things = [{"id": 7, "name": "doll", "price": 1.0}]
    desk.engine("run", "shop")
    whole = _rows(desk, "parts")
    assert "thing_id,no\n1,1\n2,1\n3,1\n7,1\n" == whole
    _page("title: The shop", "title: Another shop")
    assert 0 == desk.engine("run", "shop", "--replay", "latest").return_value
    assert whole == _rows(desk, "parts")


def test_what_is_collected_behind_a_replay_is_merged_into_it(desk: Desk) -> None:
    _page("  parts: { from: parts, key:", "  parts: { from: parts, mode: upsert, key:")
    desk.engine("run", "shop")
    desk.engine("run", "shop", "--replay", "latest")
    desk.shop.things = [{"id": 7, "name": "doll", "price": 1.0}]
    desk.engine("run", "shop")
    assert "thing_id,no\n1,1\n2,1\n3,1\n7,1\n" == _rows(desk, "parts")


def test_a_replay_of_what_never_ran_says_so(desk: Desk) -> None:
    assert 2 == desk.engine("run", "shop", "--replay", "latest").return_value
    desk.engine("run", "shop")
    answer = desk.engine("run", "shop", "--replay", "2020")
    assert (2, True) == (answer.return_value, 'no run of shop is called "2020"' in answer.stderr)


def test_a_simulated_run_can_be_replayed_and_goes_on(desk: Desk) -> None:
    desk.engine("run", "shop", "--simulate")
    answer = desk.engine("run", "shop", "--simulate", "--replay", "latest", "--json")
    assert (0, True) == (answer.return_value, json.loads(answer.stdout)["simulated"])
