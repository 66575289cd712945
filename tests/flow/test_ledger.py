"""The ledger: what was sealed with its watermarks, all or nothing, and who may write."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.core.errors import ConfigError, StorageError
from engine.flow.ledger import Collection, Ledger, Mark, UnitRecord
from engine.flow.storage import is_simulated, open_storage, owned
from tests.flow.desk import Desk, Tiny

WHOLE = Collection("r1", "things", True, 3, 1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "engine.db")
    yield opened
    opened.close()


def test_what_is_sealed_comes_back(ledger: Ledger) -> None:
    sealed = Collection("r2", "things", False, 3, 1, ("a is gone",), ("b is off",))
    ledger.seal("acme", WHOLE)
    ledger.seal("acme", sealed)
    assert [WHOLE, sealed] == ledger.collections("acme")


def test_a_watermark_moves_with_the_seal(ledger: Ledger) -> None:
    ledger.seal("acme", WHOLE, [Mark("window", "p", "2026-01-01"), Mark("changed", "p", "1")])
    ledger.seal("acme", WHOLE, [Mark("window", "p", "2026-02-01")])
    assert ({"p": "2026-02-01"}, {"p": "1"}) == (
        ledger.watermarks("acme", "things", "window"),
        ledger.watermarks("acme", "things", "changed"),
    )


def test_a_watermark_that_cannot_be_written_takes_the_seal_with_it(tmp_path: Path, ledger: Ledger) -> None:
    with sqlite3.connect(tmp_path / "engine.db") as base:
        base.execute("CREATE TRIGGER full BEFORE INSERT ON watermarks BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    base.close()
    with pytest.raises(StorageError, match="the disk is full"):
        ledger.seal("acme", WHOLE, [Mark("window", "p", "2026-01-01")])
    assert [] == ledger.collections("acme")


def test_after_a_defect_the_ledger_can_still_be_written(ledger: Ledger) -> None:
    with pytest.raises(TypeError):
        ledger.end_run("r", status="failed", ended_at="", result={"a": object()})
    ledger.seal("acme", WHOLE)
    assert [WHOLE] == ledger.collections("acme")


def test_an_endpoint_had_the_rows_of_its_last_complete_collection(ledger: Ledger) -> None:
    for run, complete, rows in (("r1", True, 3), ("r2", True, 5), ("r3", False, 9)):
        ledger.seal("acme", Collection(run, "things", complete, rows, 1))
    assert (5, 0) == (ledger.rows_before("acme", "things"), ledger.rows_before("acme", "others"))


def test_a_run_that_never_ended_was_interrupted(ledger: Ledger) -> None:
    said = {"work": "collect", "page_hash": "", "simulated": False, "started_at": ""}
    fences = [ledger.start_run(run, "acme", **said) for run in ("r1", "r2")]  # type: ignore[arg-type]  # mixed values
    assert ([1, 2], ["interrupted", "running"]) == (
        fences,
        [status for (status,) in ledger._ask("SELECT status FROM runs ORDER BY run")],
    )


def test_units_are_noted_over_what_was_noted_before(ledger: Ledger) -> None:
    ledger.note_units("r1", "things", [UnitRecord("u", {"a": 1})])
    ledger.note_units("r1", "things", [UnitRecord("u", {"a": 1}, pages=2, rows=3, status="succeeded")])
    assert [(2, 3, "succeeded")] == ledger._ask("SELECT pages, rows, status FROM units")


def test_a_ledger_that_is_none_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "engine.db").write_bytes(b"no database at all, but some text" * 100)
    with pytest.raises(StorageError, match=r"the ledger engine\.db cannot be used"):
        Ledger(tmp_path / "engine.db")


def test_a_ledger_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("in the way")
    with pytest.raises(StorageError) as raised:
        Ledger(tmp_path / "storage" / "engine.db")
    assert 5 == raised.value.exit_code


# --- the storage as a whole


def test_real_and_simulated_data_do_not_mix(tmp_path: Path) -> None:
    open_storage(tmp_path, simulated=True)
    with pytest.raises(ConfigError, match="holds simulated data; real data must not mix") as raised:
        open_storage(tmp_path, simulated=False)
    assert (2, "choose another --storage") == (raised.value.exit_code, raised.value.fix)


def test_a_storage_opens_again_as_what_it_was(tmp_path: Path) -> None:
    for _ in range(2):
        open_storage(tmp_path, simulated=True)
    assert is_simulated(tmp_path)


@pytest.mark.parametrize("text", ['{"format": 99}', "[]", "{"])
def test_a_storage_of_another_form_is_a_storage_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "storage.json").write_text(text)
    with pytest.raises(StorageError):
        open_storage(tmp_path, simulated=False)


@pytest.mark.parametrize("text", [None, '{"format": 1}'])
def test_a_storage_that_lost_its_kind_takes_it_from_its_runs(tmp_path: Path, text: str | None) -> None:
    ledger = Ledger(tmp_path / "engine.db")
    ledger.start_run("r", "acme", work="collect", page_hash="", simulated=True, started_at="2026-01-01T00:00:00Z")
    ledger.close()
    if text:
        (tmp_path / "storage.json").write_text(text)
    with pytest.raises(ConfigError, match="holds simulated data"):
        open_storage(tmp_path, simulated=False)
    assert is_simulated(tmp_path)


def test_a_storage_of_which_nobody_knows_the_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw_data").mkdir()
    with pytest.raises(StorageError, match="does not say whether the data beside it is simulated"):
        open_storage(tmp_path, simulated=False)


def test_a_format_is_told_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "storage.json").write_text('{"format": "1"}')
    with pytest.raises(StorageError, match='says format "1", this engine writes format 1'):
        open_storage(tmp_path, simulated=False)


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/x"])
def test_a_place_that_can_be_no_storage_is_told(place: str) -> None:
    with pytest.raises(StorageError, match=f"^{place} (is a file|cannot be a storage: Not a directory)") as raised:
        open_storage(Path(place), simulated=False)
    assert 5 == raised.value.exit_code


def test_reading_a_ledger_changes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "engine.db"
    sqlite3.connect(place).execute("CREATE TABLE runs (run, tool, simulated)").connection.close()
    before = place.read_bytes()
    ledger = Ledger(place, only_read=True)
    assert (set(), {}) == (ledger.kinds(), ledger.taken())
    ledger.close()
    assert (before, ["engine.db"]) == (place.read_bytes(), [one.name for one in tmp_path.iterdir()])


def test_a_run_is_named_behind_those_before_also_when_the_clock_was_set_back(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [1]
    first = desk.collect({"things": "/things"}).run
    desk.time.now -= 7200
    assert first < desk.collect({"things": "/things"}).run


HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from engine.flow.storage import owned
with owned(Path(sys.argv[1]), "acme"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_work_on_one_tool(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [1]
    words = [sys.executable, "-c", HOLD, str(desk.storage)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert "held\n" == other.stdout.readline()
        with pytest.raises(StorageError, match="another run of acme is going on") as raised:
            desk.collect({"things": "/things"})
        other.communicate("")
    assert 5 == raised.value.exit_code
    assert "succeeded" == desk.collect({"things": "/things"}).status


def test_another_tool_may_be_worked_on_meanwhile(tmp_path: Path) -> None:
    with owned(tmp_path, "a"), owned(tmp_path, "b"):
        assert ["a.lock", "b.lock"] == sorted(path.name for path in (tmp_path / "locks").iterdir())


def test_runs_of_two_tools_in_one_storage_have_names_of_their_own(tmp_path: Path) -> None:
    ledger, at = Ledger(tmp_path / "engine.db"), datetime(2026, 1, 1, tzinfo=UTC)
    names = []
    for tool in ("a", "b", "a"):
        names.append(ledger.name_run(tool, at))
        ledger.start_run(names[-1], tool, work="collect", page_hash="", simulated=False, started_at="")
    assert 3 == len(set(names))
