"""`cleanup`, `backup`, `restore` and `diff` as they are typed."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.shop import THINGS, Desk, Shop

LATER = [{**THINGS[0], "price": 4.5}, *THINGS[2:], {"id": 4, "name": "car", "price": 99.0}]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of two runs; the shop sold other things at the second."""
    folder = tmp_path_factory.mktemp("behind")
    with Shop() as shop, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        desk = Desk(folder, shop)
        desk.page()
        desk.engine("run", "shop")
        shop.things = LATER
        desk.engine("run", "shop")
    return folder / "storage"


@pytest.fixture
def twice(desk: Desk, behind: Path) -> Desk:
    """The shop was run twice, and sells other things by then."""
    shutil.copytree(behind, "storage")
    desk.shop.things = LATER
    return desk


def test_diff_shows_what_changed_by_key(twice: Desk) -> None:
    lines = [line.strip() for line in twice.engine("diff", "shop", "previous", "latest").stdout.splitlines()]
    assert "things  1 changed, 1 as before (by id)" in lines
    assert "~ id 1  price: 3.5 -> 4.5" in lines
    assert "- thing_id 2, no 1" in lines
    assert "+ thing_id 4, no 1" in lines
    assert "cheap  1 row, all as before" in lines


def test_diff_gives_one_change_a_line(twice: Desk) -> None:
    answer = twice.engine("diff", "shop", "previous", "latest", "--table", "things", "--format", "jsonl")
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert ["versions", "changed", "counts"] == [line["change"] for line in lines]
    assert {"price": {"from": 3.5, "to": 4.5}} == lines[1]["columns"]


def test_diff_gives_one_document(twice: Desk) -> None:
    told = json.loads(twice.engine("diff", "shop", "previous", "latest", "--format", "json", "--limit", "0").stdout)
    assert ["things", "parts", "cheap"] == [table["table"] for table in told["tables"]]
    assert [[]] * 3 == [table["changes"] for table in told["tables"]]


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--exit-code"], 4)])
def test_diff_fails_for_differences_only_when_asked_to(twice: Desk, words: list[str], code: int) -> None:
    assert code == twice.engine("diff", "shop", "previous", "latest", *words).return_value
    assert 0 == twice.engine("diff", "shop", "latest", "latest", *words).return_value


def test_diff_of_an_unknown_run_names_those_there_are(twice: Desk) -> None:
    answer = twice.engine("diff", "shop", "2019", "latest")
    assert (2, True) == (answer.return_value, "versions are there of: 20" in answer.stderr)


def test_cleanup_says_what_would_go_and_what_stays_and_why(twice: Desk) -> None:
    answer = twice.engine("cleanup", "--max-age", "0.000001", "--dry-run")
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert ["would", "go", "version", "1"] in [line[:4] for line in lines]
    assert ["stays", "version", "1", "current"] in [[*line[:3], line[-1]] for line in lines if line[1:2] == ["version"]]
    assert 2 == len(list(Path("storage/processed_data/shop/versions").iterdir()))


def test_cleanup_takes_out_what_is_old(twice: Desk) -> None:
    told = json.loads(twice.engine("cleanup", "shop", "--max-age", "0.000001", "--raw", "--json").stdout)
    assert {"version", "table", "report", "raw"} <= {piece["kind"] for piece in told["tools"][0]["removed"]}
    assert told["freed_bytes"] > 0
    assert 1 == len(list(Path("storage/processed_data/shop/versions").iterdir()))
    assert 0 == twice.engine("show", "shop", "things").return_value


def test_cleanup_leaves_a_tool_alone_that_is_worked_on_and_what_a_killed_run_has(twice: Desk) -> None:
    twice.shop.hold = True
    with twice.start("run", "shop") as run:
        assert twice.shop.held.wait(30)
        busy = twice.engine("cleanup", "--max-age", "0.000001", "--raw").stdout
        run.kill()
    after = twice.engine("cleanup", "--max-age", "0.000001", "--raw").stdout
    assert f"left alone: it is worked on: run {sorted(Path('storage/raw_data/shop/things').iterdir())[-1].name}" in busy
    assert "the run was interrupted and can go on" in after


@pytest.mark.parametrize("age", ["0", "-1", "soon", ""])
def test_cleanup_refuses_what_is_no_age(twice: Desk, age: str) -> None:
    answer = twice.engine("cleanup", "--max-age", age)
    assert (2, True) == (answer.return_value, "24, 36h or 7d" in answer.stderr)


def test_cleanup_wants_an_age(twice: Desk) -> None:
    with pytest.raises(Exception, match="max_age"):
        twice.engine("cleanup")


def test_a_backup_becomes_a_storage(twice: Desk) -> None:
    answer = twice.engine("backup", "safe/b.tar")
    assert (0, True) == (answer.return_value, "safe/b.tar: " in answer.stdout)
    assert "restore safe/b.tar --storage NEW" in answer.stdout
    assert 0 == twice.engine("restore", "safe/b.tar", "--storage", "again").return_value
    shown = [twice.engine("show", "shop", "things", "--storage", where).stdout for where in ("storage", "again")]
    assert shown[0] == shown[1]


def test_restore_over_a_storage_is_refused(twice: Desk) -> None:
    twice.engine("backup", "b.tar")
    answer = twice.engine("restore", "b.tar", "--json")
    assert (2, "nothing is ever restored over it" in answer.stderr) == (answer.return_value, True)
    assert "config" == json.loads(answer.stdout)["error_code"]


def test_the_json_of_both_names_what_is_there(twice: Desk) -> None:
    made = json.loads(twice.engine("backup", "--json").stdout)
    restored = json.loads(twice.engine("restore", made["backup"], "--storage", "again", "--json").stdout)
    assert (["shop"], False, []) == (made["tools"], made["simulated"], made["notes"])
    assert (made["at"], made["files"] - 2) == (restored["at"], restored["files"])
