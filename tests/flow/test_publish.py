"""What is finished becomes visible, whole, by one rename."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from engine.core.errors import StorageError
from engine.flow.lease import Fence
from engine.flow.publish import PART_ROWS, PartWriter, Shelf
from engine.flow.writing import replace_json, writing
from tests.flow.pages import Shop, made

TABLE = "tables: { things: { from: things, key: id, columns: { id: { path: id, type: integer } } } }"


THREE = ([30_000, 30_000, 70_000], [PART_ROWS, PART_ROWS, 30_000])


class _Crash(Exception):
    pass


@pytest.mark.parametrize(
    ("batches", "parts"),
    [([0], [0]), ([0, 0], [0]), ([3, 4], [7]), ([PART_ROWS], [PART_ROWS]), ([PART_ROWS + 1], [PART_ROWS, 1]), THREE],
    ids=str,
)
def test_parts_are_cut_by_row_count_whatever_the_batches(tmp_path: Path, batches: list[int], parts: list[int]) -> None:
    writer = PartWriter(tmp_path, "things/run")
    for rows in batches:
        writer.add(pl.DataFrame({"n": range(rows)}, schema={"n": pl.Int64}))
    assert parts == [receipt.rows for receipt in writer.finish()]
    written = [pl.read_parquet(tmp_path / one.path).height for one in writer.receipts]
    assert (sum(parts), parts) == (writer.rows, written)


def test_a_receipt_is_true_of_its_file(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, "things/run")
    writer.add(pl.DataFrame({"n": [1, 2]}))
    [receipt] = writer.finish()
    content = (tmp_path / receipt.path).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (receipt.bytes, receipt.sha256)


def test_a_table_is_published_in_parts(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLE)
    made(shop, [{"id": at} for at in reversed(range(PART_ROWS * 2 + 5))])
    assert [PART_ROWS, PART_ROWS, 5] == [file["rows"] for file in shop.entry()["files"]]
    assert list(range(PART_ROWS * 2 + 5)) == shop.column("id")


def test_the_scratch_of_who_was_taken_over_is_not_that_of_who_took_over(tmp_path: Path) -> None:
    asleep, awake = (Shelf(tmp_path, "shop", Fence(number)) for number in (1, 2))
    with ExitStack() as stack:
        stack.enter_context(asleep.scratch("r"))
        with awake.scratch("r") as scratch:
            scratch("things").mkdir(parents=True)
            stack.close()  # it wakes, and ends
            with asleep.scratch("r"):  # or had only begun
                assert scratch("things").is_dir()
    assert [] == list(awake.home.glob(".*"))


def test_scratch_of_a_killed_run_goes_when_the_next_makes_its_own(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "shop", Fence(3))
    for name in (".scratch-r", ".scratch-r.2"):
        (shelf.home / name / "things").mkdir(parents=True)
    with shelf.scratch("r"):
        assert [] == list(shelf.home.glob(".*"))


def test_what_an_earlier_try_left_goes_where_the_version_does_not_name_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLE)
    made(shop, [{"id": 1}])
    shelf = Shelf(shop.storage, "shop")
    version = shelf.version(shelf.current()["run"])
    [named] = shelf.paths(version["tables"]["things"]["files"])
    tried = [named.with_name("part-00001.parquet"), shelf.set_apart / "things" / version["run"] / "part-00000.parquet"]
    other = shelf.home / "things" / "of-another-run" / "part-00000.parquet"
    for place in (*tried, other):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"left")
    shelf.tidy(version)
    assert ([True, True], [False, False]) == (
        [named.exists(), other.exists()],
        [tried[0].exists(), tried[1].parent.exists()],
    )


def test_a_crash_between_parts_and_publication_leaves_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path, TABLE)
    made(shop, [{"id": 1}])
    shop.keep([{"id": 2}])

    def crash(self: Shelf, current: object) -> None:
        raise _Crash

    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "publish", crash)
        with pytest.raises(_Crash):
            shop.process()
    assert [1] == shop.column("id")
    shop.process()
    assert [2] == shop.column("id")


def test_an_older_version_stays_readable_while_it_is_read(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLE)
    made(shop, [{"id": 1}])
    reading = shop.engine.table("shop", "things")
    made(shop, [{"id": 2}])
    assert [1] == reading.collect()["id"].to_list()


@pytest.mark.parametrize("error", [_Crash(), OSError(28, "No space left on device")], ids=["crash", "disk full"])
def test_what_is_not_finished_leaves_neither_a_file_nor_a_change(tmp_path: Path, error: Exception) -> None:
    place = tmp_path / "current.json"
    replace_json(place, {"version": 1})
    with pytest.raises((_Crash, StorageError)):
        _break_off(place, error)
    assert '{\n "version": 1\n}\n' == place.read_text()
    assert ["current.json"] == [path.name for path in tmp_path.iterdir()]


def _break_off(place: Path, error: Exception) -> None:
    with writing(place) as temporary:
        temporary.write_text("half")
        raise error


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"No space left on device while writing table\.csv"):
        _break_off(tmp_path / "table.csv", OSError(28, "No space left on device"))


def test_a_damaged_current_json_is_said(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLE)
    made(shop, [{"id": 1}])
    (shop.storage / "processed_data" / "shop" / "current.json").write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        shop.column("id")


def test_there_is_no_table_before_the_first_publication(tmp_path: Path) -> None:
    assert ({}, None) == (Shelf(tmp_path, "shop").current(), Shelf(tmp_path, "shop").table("things"))


def test_files_of_a_real_run_carry_no_mark(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, "things/run")
    writer.add(pl.DataFrame({"id": [1]}))
    [receipt] = writer.finish()
    assert "simulated" not in pl.read_parquet_metadata(tmp_path / receipt.path)
