"""A run that was killed behind its collecting: in tables, before its publication, in reports, before its end."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.app import Engine, events
from engine.core.errors import Mark, Stopped
from engine.flow.made import Made
from engine.flow.validate import Outcome
from tests.cli.shop import Desk, Shop

CURRENT, LATEST = "processed_data/shop/current.json", "reports/shop/latest.json"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    with Shop() as shop:
        desk = Desk(tmp_path, shop)
        desk.page()
        yield desk


def _outputs() -> dict[str, bytes]:
    rooms = (path for room in ("processed_data", "quarantine", "reports") for path in Path("storage", room).rglob("*"))
    return {str(path): path.read_bytes() for path in rooms if path.is_file() and path.name != "run.json"}


def _never_ended(*gone: str) -> None:
    """The ledger as it was before the run ended, and what had not been written then."""
    with sqlite3.connect("storage/engine.db") as base:
        base.execute("UPDATE runs SET status='running', ended_at=NULL, result=NULL")
    base.close()
    for pattern in gone:
        for path in Path("storage").glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "gone",
    [
        [],
        [LATEST],
        ["reports/shop"],
        ["reports/shop", CURRENT],
        ["reports/shop", CURRENT, "processed_data/shop/versions"],
        ["reports/shop", CURRENT, "processed_data/shop/versions", "processed_data/shop/parts"],
        ["reports", "processed_data", "quarantine"],
    ],
)
def test_what_was_not_written_yet_is_written_as_it_would_have_been(desk: Desk, gone: list[str]) -> None:
    whole = json.loads(desk.engine("run", "shop", "--json").stdout)
    outputs, asked = _outputs(), len(desk.asked())
    _never_ended(*gone)
    again = json.loads(desk.engine("run", "shop", "--json").stdout)
    assert (whole["run"], outputs, asked) == (again["run"], _outputs(), len(desk.asked()))
    same = ("status", "exit_code", "started_at", "records_collected", "quarantined", "endpoints", "tables", "notes")
    assert {name: whole[name] for name in same} == {name: again[name] for name in same}


def test_rules_that_did_not_hold_before_the_kill_do_not_hold_behind_it(desk: Desk) -> None:
    desk.page("tolerance: 50%%", "tolerance: 1%%")
    assert 4 == desk.engine("run", "shop").return_value
    _never_ended(CURRENT)
    answer = desk.engine("run", "shop")
    assert (4, True) == (answer.return_value, "price is above 10" in answer.stdout)


def test_what_an_earlier_try_left_is_no_part_of_the_version(desk: Desk) -> None:
    desk.engine("run", "shop")
    outputs = _outputs()
    [run] = [path.stem for path in Path("storage/processed_data/shop/versions").iterdir()]
    for room in ("processed_data", "quarantine"):
        Path(f"storage/{room}/shop/things/{run}/part-00001.parquet").write_bytes(b"of an earlier try")
    _never_ended(CURRENT, "processed_data/shop/versions")
    desk.engine("run", "shop")
    assert outputs == _outputs()


def test_a_run_that_a_later_one_overtook_is_not_published_again(desk: Desk) -> None:
    first = json.loads(desk.engine("run", "shop", "--json").stdout)["run"]
    second = json.loads(desk.engine("process", "shop", "--json").stdout)["run"]
    with sqlite3.connect("storage/engine.db") as base:
        base.execute("UPDATE runs SET status='interrupted' WHERE run=?", [first])
    base.close()
    result = json.loads(desk.engine("run", "shop", "--json").stdout)
    current = json.loads(Path("storage", CURRENT).read_text())
    assert (first, second) == (result["run"], current["run"])
    assert any("not published" in note for note in result["notes"])


def test_a_table_is_read_back_from_its_version_as_it_was_made() -> None:
    outcome = Outcome("range", "error", Mark("shop.yaml", 3, 5), 0.5, 2, 10, "price is above 10", "too many")
    made = Made("things", 8, 10, 2, 1, False, True, False, ["parts: skipped"], [outcome], {"run": "r", "files": []})
    said = json.loads(json.dumps(made.kept_json()))
    assert made == Made.of(said, {"run": "r", "files": []}, "shop.yaml")


def test_what_was_made_in_between_of_older_collections_gives_way_to_what_the_run_made(desk: Desk) -> None:
    desk.engine("run", "shop")
    desk.shop.things.append({"id": 9, "name": "new", "price": 9.0})
    desk.stopped(2)
    assert 0 == desk.engine("process", "shop").return_value
    result = json.loads(desk.engine("run", "shop", "--json").stdout)
    current = json.loads(Path("storage", CURRENT).read_text())
    assert (True, result["run"]) == (bool(result["resumed_from"]), current["run"])
    assert {"things": result["run"]} == current["tables"]["things"]["taken"]


def test_what_was_made_in_between_of_the_same_collections_stays(desk: Desk) -> None:
    desk.stopped(4)
    engine = Engine.from_config()
    engine.emit = lambda event: engine.stop.ask() if isinstance(event, events.TableStarted) else None
    with pytest.raises(Stopped):
        engine.run("shop")
    desk.engine("process", "shop")
    current = Path("storage", CURRENT).read_bytes()
    result = json.loads(desk.engine("run", "shop", "--json").stdout)
    assert (0, current) == (result["exit_code"], Path("storage", CURRENT).read_bytes())
    assert any("kept, and not published" in note for note in result["notes"])
