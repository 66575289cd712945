"""The storage as a whole: its format, its kind, and the ledger that it is tied to."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import ConfigError, StorageError
from engine.flow.ledger import Ledger, RunRecord
from engine.flow.storage import Storage, is_simulated, open_storage
from tests.servers import Postgres


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
    ledger.begin_run(RunRecord("r", "acme", "collect", simulated=True))
    ledger.close()
    if text:
        (tmp_path / "storage.json").write_text(text)
    with pytest.raises(ConfigError, match="holds simulated data"):
        open_storage(tmp_path, simulated=False)
    assert is_simulated(tmp_path)


@pytest.mark.parametrize("empty", [True, False])
def test_a_ledger_that_is_gone_or_empty_beside_kept_pages_is_a_storage_error(tmp_path: Path, empty: bool) -> None:
    storage = Storage(tmp_path)
    open_storage(tmp_path, simulated=False)
    storage.ledger().close()
    (tmp_path / "raw_data" / "acme" / "items" / "run").mkdir(parents=True)
    (tmp_path / "engine.db").unlink()
    if empty:
        (tmp_path / "engine.db").touch()
    assert storage.has_ledger
    with pytest.raises(StorageError, match=r"engine\.db, is gone or empty, and kept pages are there"):
        storage.ledger(only_read=True)


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


# --- the ledger that belongs to it


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The address of a new ledger."""
    return postgres.new()


def _opened(root: Path, database: str = "", *, only_read: bool = False) -> set[bool]:
    """Open a storage with its ledger; gives of what kinds its runs are."""
    if not only_read:
        open_storage(root, simulated=False)
    ledger = Storage(root, database=database).ledger(only_read=only_read)
    try:
        return ledger.kinds()
    finally:
        ledger.close()


def test_a_storage_opens_again_with_its_database(tmp_path: Path, database: str) -> None:
    assert not Storage(tmp_path, database=database).has_ledger
    for only_read in (False, False, True):
        assert set() == _opened(tmp_path, database, only_read=only_read)
    assert Storage(tmp_path, database=database).has_ledger
    assert not (tmp_path / "engine.db").exists()


@pytest.mark.parametrize("only_read", [False, True])
def test_a_storage_is_refused_with_another_database(tmp_path: Path, postgres: Postgres, only_read: bool) -> None:
    _opened(tmp_path / "a", postgres.new())
    other = postgres.new()
    with pytest.raises(StorageError, match="has its ledger in another database"):
        _opened(tmp_path / "a", other, only_read=only_read)
    _opened(tmp_path / "b", other)
    with pytest.raises(StorageError, match="names the ledger of another storage"):
        _opened(tmp_path / "a", other, only_read=only_read)


def test_a_database_serves_one_storage_alone(tmp_path: Path, database: str) -> None:
    _opened(tmp_path / "a", database)
    with pytest.raises(StorageError, match="names the ledger of another storage") as raised:
        _opened(tmp_path / "b", database)
    assert "schema=other" in raised.value.fix
    assert set() == _opened(tmp_path / "a", database)


def test_a_storage_with_a_database_is_refused_without_it(tmp_path: Path, database: str) -> None:
    _opened(tmp_path, database)
    with pytest.raises(StorageError, match="no database_url is set") as raised:
        _opened(tmp_path)
    assert (False, 5) == ((tmp_path / "engine.db").exists(), raised.value.exit_code)


def test_a_storage_with_a_file_is_refused_with_a_database(tmp_path: Path, database: str) -> None:
    _opened(tmp_path)
    with pytest.raises(StorageError, match=r"has its ledger in engine\.db, and database_url names a PostgreSQL"):
        _opened(tmp_path, database)


def test_a_tie_that_a_kill_cut_off_is_made_by_the_next(tmp_path: Path, database: str) -> None:
    ledger = Ledger(database)
    with pytest.raises(KeyboardInterrupt):
        ledger.tie("", _killed)
    ledger.close()
    assert set() == _opened(tmp_path, database)
    assert set() == _opened(tmp_path, database)


def _killed(_: str) -> None:
    raise KeyboardInterrupt


def test_a_storage_that_lost_what_it_is_tied_to_is_told_how_to_mend_it(tmp_path: Path, database: str) -> None:
    _opened(tmp_path, database)
    (tmp_path / "storage.json").write_text('{"format": 1, "simulated": false}')
    with pytest.raises(StorageError, match="names the ledger of another storage") as raised:
        _opened(tmp_path, database)
    _, word, _, tie, _ = raised.value.fix.split('"')
    (tmp_path / "storage.json").write_text(f'{{"format": 1, "simulated": false, "{word}": "{tie}"}}')
    assert set() == _opened(tmp_path, database)
