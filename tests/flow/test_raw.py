"""Kept pages read back: a torn tail is cut off, damage before it is named, a disk that refuses is told."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import StorageError
from engine.core.select import SelectError
from engine.flow.raw import Frame, Meta, Segment, frames, kept_synced, rows_in, rows_of
from engine.flow.store import Lanes, Store

BODIES = [b'[{"id":1}]', b'[{"id":2}]' * 50, b'[{"id":3}]']


def _meta(number: int) -> Meta:
    return Meta(number, "GET http://127.0.0.1/things", "0" * 16, 1.5, cursor={"a": [1]}, rows=1)


def _segment(folder: Path) -> Path:
    path = folder / "unit.1.seg"
    segment = Segment(path)
    for number, body in enumerate(BODIES):
        segment.append(_meta(number), body)
    segment.close()
    return path


def _ends(folder: Path) -> list[int]:
    """Where each frame ends."""
    path, ends = folder / "ends.1.seg", []
    segment = Segment(path)
    for number, body in enumerate(BODIES):
        segment.append(_meta(number), body)
        ends.append(path.stat().st_size)
    segment.close()
    return ends


def test_a_page_is_synced_while_its_unit_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.flow.raw.SYNC_SECONDS", 0.001)
    synced = _synced(monkeypatch)
    segment = Segment(tmp_path / "unit.1.seg")
    with kept_synced(lambda: [segment]):
        segment.append(_meta(0), BODIES[0])
        assert synced.wait(10)
    segment.close()


def test_a_disk_that_refuses_a_sync_is_told_at_the_next_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = Segment(tmp_path / "unit.1.seg")
    segment.append(_meta(0), BODIES[0])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", _refusing)
        with pytest.raises(StorageError, match=r"Input/output error while writing unit\.1\.seg"):
            segment.sync()
    with pytest.raises(StorageError, match=r"Input/output error while writing unit\.1\.seg"):
        segment.append(_meta(1), BODIES[1])
    with pytest.raises(StorageError):
        segment.close()


def test_a_disk_that_refused_a_sync_in_passing_is_told_to_whoever_syncs_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.flow.raw.SYNC_SECONDS", 0.001)
    refused, lanes = Event(), Lanes(Store(tmp_path, "acme"), "r1", 1)
    lane = lanes.take("things")
    lane.append(_meta(0), BODIES[0])

    def refuse(number: int) -> None:
        refused.set()
        _refusing(number)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with kept_synced(lanes.open):
            assert refused.wait(10)
    for end in (lanes.sync, lanes.close_all):
        with pytest.raises(StorageError, match="Input/output error"):
            end()


def _synced(monkeypatch: pytest.MonkeyPatch) -> Event:
    done = Event()
    monkeypatch.setattr(os, "fsync", lambda number: done.set())
    return done


def _refusing(number: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_pages_come_back_as_they_were_kept(tmp_path: Path) -> None:
    assert [Frame(_meta(at), body) for at, body in enumerate(BODIES)] == list(frames(_segment(tmp_path)))


def test_wherever_a_file_is_torn_the_whole_frames_before_are_read(tmp_path: Path) -> None:
    path, ends = _segment(tmp_path), _ends(tmp_path)
    whole = path.read_bytes()
    found = {}
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        found[size] = len(list(frames(path)))
    assert {size: sum(end <= size for end in ends) for size in range(len(whole))} == found


def test_wherever_a_byte_before_the_last_frame_is_damaged_it_is_named(tmp_path: Path) -> None:
    path, ends = _segment(tmp_path), _ends(tmp_path)
    whole = path.read_bytes()
    unnoticed = []
    for at in range(ends[1]):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            list(frames(path))
        except StorageError:
            continue
        unnoticed.append(at)
    assert [] == unnoticed


def test_damage_is_named_with_its_place_and_mend(tmp_path: Path) -> None:
    path, ends = _segment(tmp_path), _ends(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[ends[0] + 30] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(StorageError, match=f"the kept page at byte {ends[0]} of unit.1.seg is damaged") as raised:
        list(frames(path))
    assert ("collect again with engine collect", 5) == (raised.value.fix, raised.value.exit_code)


def test_space_a_power_cut_left_empty_is_a_torn_tail(tmp_path: Path) -> None:
    path = _segment(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(4096))
    assert 3 == len(list(frames(path)))


@contextmanager
def _disk_with(size: int) -> Iterator[None]:
    """No file may grow above so many bytes."""
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [0, 10])
def test_a_disk_that_takes_no_more_is_a_storage_error(tmp_path: Path, size: int) -> None:
    segment = Segment(tmp_path / "unit.1.seg")
    with _disk_with(size), pytest.raises(StorageError) as raised:
        segment.append(_meta(0), BODIES[0])
    assert "free space or make the storage writable" == raised.value.fix
    segment.close()


def test_rows_that_repeat_the_page_before_are_passed_over() -> None:
    frame = Frame(Meta(1, "", "", 0.0, rows=2, skip=1), b'{"data": [{"id": 1}, {"id": 2}]}')
    assert [b'{"id": 2}'] == rows_of(frame, "data")


@pytest.mark.parametrize("body", [b'{"data": [', b'"\\ud8'])
def test_rows_of_what_is_no_json_are_refused(body: bytes) -> None:
    with pytest.raises(SelectError):
        rows_in(body, "data[?a]")


@given(st.lists(st.dictionaries(st.text(max_size=2), st.integers() | st.text(max_size=3)), max_size=5))
def test_rows_are_the_elements_byte_for_byte(rows: list[dict[str, object]]) -> None:
    import json

    texts = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    assert texts == rows_in(b'{"a": {"b": [' + b" , ".join(texts) + b"]}}", "a.b")
