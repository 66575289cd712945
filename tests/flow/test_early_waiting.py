"""What waits to be read early, who waits for it, and when a table is dropped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from polars.exceptions import PanicException

from engine.app.engine import registry
from engine.core.errors import StorageError
from engine.core.wire import Page, Request
from engine.flow.early import MOST_REJECTS, PAGE_BYTES, Early, intakes
from engine.flow.intake import Intake
from engine.flow.plan import Settings, plan
from engine.flow.raw import Meta, rows_in
from engine.flow.seal import PLAIN
from engine.spec.model import Pipeline

COLUMNS = {"id": {"path": "id", "type": "string"}, "n": {"path": "n", "type": "integer"}}
TABLE = {"from": "things", "key": "id", "columns": COLUMNS}
THINGS = {"things": {"get": "/things"}}
MOST = 50_000


def _rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": f"a{number:03d}", "n": number} for number in numbers]


def _intakes(endpoints: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Intake]:
    page = {"version": 1, "tool": "acme", "connection": {"base_url": "http://127.0.0.1:9"}, "endpoints": endpoints}
    pipeline = Pipeline.model_validate({**page, "tables": tables}, context={"registry": registry()})
    return intakes(plan(pipeline, Settings({})), {}, {})


def _early(folder: Path) -> Early:
    return Early(_intakes(THINGS, {"things": TABLE}), folder, PLAIN, most=MOST)


def _page(body: bytes, rows: Sequence[bytes] | None = None) -> Page:
    return Page(Request("GET", "/things"), 200, {}, body, (rows_in(body, "@") or []) if rows is None else rows)


def _hear(early: Early, page: Page, endpoint: str = "things", number: int = 0) -> None:
    early.hear(endpoint, (Path(endpoint), number), Meta(number, "GET /things", "", 0.0), page)


def _heard(early: Early, rows: Sequence[Any]) -> None:
    _hear(early, _page(json.dumps(rows).encode()))
    early.finish()
    early.close()


def _is_there(early: Early) -> bool:
    return early.of("things", early.tables["things"].intake.read) is not None


class Held(Sequence[bytes]):
    """Records that nobody can read before so many bytes wait."""

    def __init__(self, early: Early, rows: Sequence[bytes]) -> None:
        self._early, self._rows = early, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        return Held(self._early, self._rows[at]) if isinstance(at, slice) else self._rows[at]

    def __iter__(self) -> Iterator[bytes]:
        with self._early.changed:
            self._early.changed.wait_for(lambda: self._early.most_bytes >= MOST)
        return iter(self._rows)


def test_who_brings_pages_waits_where_they_are_read_slowly(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    body = json.dumps(_rows(*range(40))).encode()
    rows = Held(early, rows_in(body, "@") or [])
    for number in range(200):
        _hear(early, _page(body, rows), number=number)
    early.finish()
    early.close()
    assert MOST <= early.most_bytes < MOST + len(body)
    assert 8_000 == early.tables["things"].sorter.rows


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize("rows", ["of its own", "of all"])
def test_what_a_full_disk_refuses_is_dropped(tmp_path: Path, rows: str, is_full: bool) -> None:
    early = _early(tmp_path / "early")
    if is_full:
        (tmp_path / "early").touch()
    early.tables["things"].sorter.run_rows = 5 if rows == "of its own" else 10
    _heard(early, _rows(*range(9)))
    if rows == "of all":
        early.tables["things"].spill()
    assert is_full != _is_there(early)


def test_a_table_with_very_many_records_that_do_not_fit_is_dropped(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    _heard(early, [{"id": "a", "n": "x"}] * (MOST_REJECTS + 1))
    assert not _is_there(early)


@pytest.mark.parametrize(
    ("endpoint", "table"),
    [
        ({}, {"columns": {"id": "id"}}),
        ({}, {"other_columns": "raw"}),
        ({}, {"rows": [{"each": "parts"}]}),
        ({"redact": [{"path": "secret"}]}, {}),
    ],
)
def test_tables_that_rest_on_more_than_declared_columns_are_not_read_early(
    endpoint: Mapping[str, Any], table: Mapping[str, Any]
) -> None:
    assert {} == _intakes({"things": {"get": "/things", **endpoint}}, {"things": {**TABLE, **table}})


def test_pages_of_many_tables_are_read_where_none_has_enough_for_a_piece(tmp_path: Path) -> None:
    names = [f"e{at}" for at in range(12)]
    found = _intakes({name: {"get": "/"} for name in names}, {name: {**TABLE, "from": name} for name in names})
    early = Early(found, tmp_path / "early", PLAIN, most=MOST)
    page = _page(json.dumps(_rows(*range(1_500))).encode())
    size = len(page.body)
    assert MOST / 2 < size < MOST
    together = threading.Barrier(len(names))

    def bring(name: str) -> None:
        together.wait()
        _hear(early, page, name)

    threads = [threading.Thread(target=bring, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    early.finish()
    early.close()
    assert [1_500] * 12 == [table.sorter.rows for table in early.tables.values()]


def test_pages_without_bytes_are_waited_for_too(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    _hear(early, _page(b"", rows_in(json.dumps(_rows(*range(9))).encode(), "@")))
    early.finish()
    assert 9 == early.tables["things"].sorter.rows
    early.close()


def test_nothing_waits_of_pages_without_records(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    for number in range(300):
        _hear(early, _page(json.dumps(_rows(number) if number % 100 == 50 else []).encode()), number=number)
    [(piece, _)] = [early.tables["things"].piece(every=True) or pytest.fail("nothing waits")]
    assert ([50, 150, 250], 300) == ([one.frame.meta.page for one in piece.pages], len(early.tables["things"].pages))
    early.close()


def test_pages_with_few_bytes_are_read_before_they_fill_the_memory(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    for number in range(2 * MOST // PAGE_BYTES):
        _hear(early, _page(json.dumps(_rows(number)).encode()), number=number)
    assert early.tables["things"].sorter.rows > 0
    early.close()


def test_what_is_heard_behind_the_end_has_nothing_read(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    page = _page(json.dumps(_rows(*range(2_500))).encode())
    size = len(page.body)
    assert size > MOST
    _hear(early, page)
    early.close()
    _hear(early, page, number=1)
    left = early.tables["things"].piece(every=True)
    assert left
    assert size == left[0].size


@pytest.mark.parametrize("rows", [1, 2_500])
def test_without_a_thread_nothing_is_read_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    early = _early(tmp_path / "early")
    table = early.tables["things"]
    monkeypatch.setattr(threading.Thread, "start", refuse)
    page = _page(json.dumps(_rows(*range(rows))).encode())
    for number in range(3):
        _hear(early, page, number=number)
    early.finish()
    early.close()
    assert early.of("things", table.intake.read) is None


class Broken(Sequence[bytes]):
    """Records that cannot be had."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __len__(self) -> int:
        return 3

    def __getitem__(self, at: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[bytes]:
        raise self._error


def _read(early: Early, error: BaseException) -> None:
    _hear(early, _page(b"[{}]", Broken(error)))
    try:
        early.finish()
    finally:
        early.close()


@pytest.mark.parametrize("error", [OSError("disk"), StorageError("gone", "restore it"), PanicException("polars")])
def test_a_table_whose_pages_cannot_be_read_is_dropped(tmp_path: Path, error: BaseException) -> None:
    early = _early(tmp_path / "early")
    _read(early, error)
    assert not _is_there(early)


def test_a_defect_is_told_when_all_is_read(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    with pytest.raises(AttributeError, match="no such thing"):
        _read(early, AttributeError("no such thing"))
    assert not _is_there(early)


def test_a_table_that_was_dropped_holds_nothing_and_takes_nothing_more(tmp_path: Path) -> None:
    early = _early(tmp_path / "early")
    _hear(early, _page(json.dumps(_rows(*range(9))).encode()))
    table = early.tables["things"]
    waiting = table.piece(every=True)
    assert waiting
    rows = table.read(waiting[0])
    table.take(rows)
    assert not table.is_made_of([("things", "r1", at, (Path("things"), at)) for at in range(2)], exactly=True)
    table.take(rows)
    assert ({}, [], [], 0, 0) == (table.pages, table.spans, table.rejects, table.records, table.sorter.rows)
    early.close()
