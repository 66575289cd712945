"""Tables made of runs that complete others: a table that is replaced takes them as one, the others one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shop import Desk

PARTS = "  parts: { from: parts, key:"
BOTH = """\
  both:
    from: [things, parts]
    mode: upsert
    key: [id, no, thing_id]
    columns: { id: { path: id, type: integer }, no: { path: no, type: integer }, thing_id: thing_id }
  parts: { from: parts, key:"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    from tests.cli.shop import Shop

    with Shop() as shop:
        desk = Desk(tmp_path, shop)
        desk.page()
        yield desk


def _page(old: str, new: str) -> None:
    page = Path("pipelines/shop.yaml")
    assert old in page.read_text()
    page.write_text(page.read_text().replace(old, new))


def _run(desk: Desk, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(desk.engine(*words, "--json").stdout)
    return found


def _entry(table: str) -> dict[str, Any]:
    current = json.loads(Path("storage/processed_data/shop/current.json").read_text())
    found: dict[str, Any] = current["tables"][table]
    return found


def _rows(desk: Desk, table: str) -> list[str]:
    return desk.engine("show", "shop", table, "--format", "csv").stdout.splitlines()[1:]


ALL = ["1,1", "2,1", "3,1"]


def test_the_first_version_is_published_as_incomplete_and_completed(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    _run(desk, "run", "shop")
    assert (["1,1", "3,1"], False) == (_rows(desk, "parts"), _entry("parts")["complete"])
    assert "succeeded" == _run(desk, "resume", "latest")["status"]
    assert (ALL, True, []) == (_rows(desk, "parts"), _entry("parts")["complete"], _entry("parts")["notes"])


def test_a_replaced_table_keeps_its_version_until_the_run_is_completed(desk: Desk) -> None:
    _run(desk, "run", "shop")
    before = _entry("parts")["run"]
    desk.shop.fault("/things/2/parts", status=404)
    first = _run(desk, "run", "shop")
    assert ("incomplete", before) == (first["status"], _entry("parts")["run"])
    second = _run(desk, "resume", first["run"])
    assert (second["run"], ALL, True) == (_entry("parts")["run"], _rows(desk, "parts"), _entry("parts")["complete"])


def test_a_run_that_is_completed_in_two_steps_is_whole(desk: Desk) -> None:
    desk.shop.fault("/things/[23]/parts", status=404, times=2)
    first = _run(desk, "run", "shop")
    desk.shop.fault("/things/3/parts", status=404)
    second = _run(desk, "resume", first["run"])
    assert ("incomplete", first["run"]) == (second["status"], second["completes"])
    third = _run(desk, "resume", first["run"])
    assert ("succeeded", second["run"]) == (third["status"], third["completes"])
    assert ALL == _rows(desk, "parts")


def test_children_of_a_list_that_broke_off_come_with_its_rest(desk: Desk) -> None:
    desk.shop.fault(r"/things\?.*from=2", status=404)
    first = _run(desk, "run", "shop")
    before = len(desk.asked())
    assert "succeeded" == _run(desk, "resume", first["run"])["status"]
    assert sorted(["/things?2", "/things/3/parts?"]) == sorted(desk.asked()[before:])
    assert (["1,ball,3.5", "3,top,"], ALL) == (_rows(desk, "things"), _rows(desk, "parts"))


def test_an_upserted_table_takes_what_completes_as_any_collection(desk: Desk) -> None:
    _page(PARTS, "  parts: { from: parts, mode: upsert, key:")
    desk.shop.fault("/things/2/parts", status=404)
    first = _run(desk, "run", "shop")
    assert (["1,1", "3,1"], False) == (_rows(desk, "parts"), _entry("parts")["complete"])
    _run(desk, "resume", first["run"])
    assert (ALL, True, []) == (_rows(desk, "parts"), _entry("parts")["complete"], _entry("parts")["notes"])


def test_a_table_of_two_endpoints_is_complete_once_the_one_that_was_not_is(desk: Desk) -> None:
    _page(PARTS, BOTH)
    desk.shop.fault("/things/2/parts", status=404)
    first = _run(desk, "run", "shop")
    assert not _entry("both")["complete"]
    _run(desk, "resume", first["run"])
    assert (6, True) == (_entry("both")["rows"], _entry("both")["complete"])


def test_collections_that_were_not_processed_yet_are_taken_with_what_completes_them(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    _run(desk, "collect", "shop")
    _run(desk, "resume", "latest")
    assert "succeeded" == _run(desk, "process", "shop")["status"]
    assert (ALL, True) == (_rows(desk, "parts"), _entry("parts")["complete"])


def test_a_row_set_apart_names_the_run_and_page_that_its_record_is_kept_in(desk: Desk) -> None:
    _page(
        "no: { path: no, type: integer } }",
        "no: { path: no, type: integer } }, validate: [{ range: { column: no, max: 0 } }]",
    )
    desk.shop.fault("/things/2/parts", status=404)
    first = _run(desk, "run", "shop")
    second = _run(desk, "resume", first["run"])
    shown = desk.engine("show", "shop", "parts", "--quarantine", "--format", "json").stdout
    found = {(one["collected_in"], one["page"], one["request"].rpartition("/things")[2]) for one in json.loads(shown)}
    runs = first["run"], second["run"]
    assert {(runs[0], 0, "/1/parts"), (runs[1], 0, "/2/parts"), (runs[0], 1, "/3/parts")} == found


def test_kept_pages_that_are_gone_from_the_completed_run_are_told(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    first = _run(desk, "collect", "shop")
    _run(desk, "resume", "latest")
    for segment in Path(f"storage/raw_data/shop/parts/{first['run']}").glob("*.seg"):
        segment.unlink()
    answer = desk.engine("process", "shop")
    assert (5, True) == (
        answer.return_value,
        f"0 of 2 kept pages of parts are left in run {first['run']}" in answer.stderr,
    )
