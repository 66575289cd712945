"""Pages of many units in few segments: found in the order of the plan, and those read once more in others' place."""

import errno
import os
from pathlib import Path

import pytest

from engine.core.errors import StorageError
from engine.flow.raw import Meta, Segment
from engine.flow.store import Lanes, Store


def _lanes(folder: Path) -> Lanes:
    return Lanes(Store(folder, "acme"), "run", 1)


def _keep(segment: Segment, unit: str, page: int, body: bytes, sweep: int = 0, *, settles: bool = False) -> None:
    meta = Meta(page=page, request="GET /", fingerprint="", at=0.0, unit=unit, sweep=sweep, settles=settles)
    segment.append(meta, body)


def _bodies(lanes: Lanes) -> list[bytes]:
    return [frame.body for frame in lanes.store.frames("things", "run")]


def test_units_come_in_the_order_of_the_plan_and_their_pages_in_theirs(tmp_path: Path) -> None:
    lanes = _lanes(tmp_path)
    one, other = lanes.take("things"), lanes.take("things")
    _keep(one, "0000010-b", 0, b"b0")
    _keep(other, "0000002-a", 0, b"a0")
    _keep(one, "0000010-b", 1, b"b1")
    _keep(other, "0000001-c", 0, b"c0")
    lanes.close("things")
    assert [b"c0", b"a0", b"b0", b"b1"] == _bodies(lanes)


def test_a_segment_that_was_given_back_is_taken_again(tmp_path: Path) -> None:
    lanes = _lanes(tmp_path)
    first = lanes.take("things")
    lanes.give("things", first)
    assert first is lanes.take("things")
    assert lanes.take("things") is not first
    assert lanes.take("others") is not first
    lanes.close_all()


def test_pages_read_once_more_stand_in_place_of_the_first_when_they_are_whole(tmp_path: Path) -> None:
    lanes = _lanes(tmp_path)
    segment = lanes.take("things")
    _keep(segment, "0-a", 0, b"old")
    _keep(segment, "0-a", 1, b"old")
    _keep(segment, "0-a", 0, b"new", sweep=1)
    _keep(segment, "0-a", 1, b"", sweep=1, settles=True)
    lanes.close("things")
    assert [b"new"] == _bodies(lanes)


def test_pages_read_once_more_that_are_not_whole_are_not_read_back(tmp_path: Path) -> None:
    lanes = _lanes(tmp_path)
    segment = lanes.take("things")
    _keep(segment, "0-a", 0, b"old")
    _keep(segment, "0-a", 0, b"new", sweep=1)
    lanes.close("things")
    assert [b"old"] == _bodies(lanes)


def test_a_torn_tail_of_one_segment_hides_nothing_of_another(tmp_path: Path) -> None:
    lanes = _lanes(tmp_path)
    one, other = lanes.take("things"), lanes.take("things")
    _keep(one, "0-a", 0, b"whole")
    _keep(one, "1-b", 0, b"torn")
    _keep(other, "2-c", 0, b"other")
    lanes.close("things")
    torn = tmp_path / "raw_data" / "acme" / "things" / "run" / "0000.1.seg"
    torn.write_bytes(torn.read_bytes()[:-1])
    assert [b"whole", b"other"] == _bodies(lanes)


def test_a_damaged_page_is_named(tmp_path: Path) -> None:
    lanes = _lanes(tmp_path)
    segment = lanes.take("things")
    _keep(segment, "0-a", 0, b"first" * 9)
    _keep(segment, "0-a", 1, b"second")
    lanes.close("things")
    place = tmp_path / "raw_data" / "acme" / "things" / "run" / "0000.1.seg"
    text = bytearray(place.read_bytes())
    text[-90] ^= 1
    place.write_bytes(bytes(text))
    with pytest.raises(StorageError, match=r"is damaged"):
        _bodies(lanes)


def test_when_an_endpoint_is_closed_its_pages_and_their_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = _lanes(tmp_path)
    _keep(lanes.take("things"), "0-a", 0, b"x")
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: seen.append(os.fstat(number).st_ino))
    lanes.close("things")
    place = tmp_path / "raw_data" / "acme" / "things" / "run"
    assert [one.stat().st_ino for one in (place / "0000.1.seg", place, *place.parents[:4])] == seen


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "raw_data").write_text("in the way")
    with pytest.raises(StorageError, match=os.strerror(errno.ENOTDIR)):
        _lanes(tmp_path).take("things")
