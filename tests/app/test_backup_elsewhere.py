"""Backups of encrypted storages, and of those whose ledger is in a PostgreSQL."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.app import Engine
from engine.core.errors import ConfigError
from engine.flow.seal import new_key
from tests.app.kept import Kept, state

if TYPE_CHECKING:
    from tests.servers import Postgres

PAGE = "acme.yaml"


def _engine(kept: Kept, storage: Path, **config: str) -> Engine:
    engine = kept.engine
    engine.config = engine.config.model_copy(update={"storage": storage, **config})
    return engine


def _ids(engine: Engine, table: str = "things") -> list[int]:
    rows = engine.table("acme", table).collect()
    found: list[int] = rows["id"].to_list()
    return found


def test_an_encrypted_storage_is_backed_up_as_it_lies_with_its_ledger_sealed(kept: Kept) -> None:
    engine = _engine(kept, kept.storage, encryption_key=new_key())
    engine.run(kept.desk.folder / PAGE)
    kept.things[0]["v"] = 7
    engine.run(kept.desk.folder / PAGE)
    assert ["changed"] == [one["change"] for one in engine.diff("acme", "previous", "latest").tables[0].changes()]
    backup = engine.backup()["backup"]
    with tarfile.open(backup) as tar:
        ledger = tar.extractfile("engine.db")
        assert ledger is not None
        assert ledger.read().startswith(b"engineF")
    again = _engine(kept, kept.desk.folder / "again", encryption_key=engine.config.encryption_key)
    again.restore(backup)
    assert state(kept.storage) == state(again.config.storage)
    assert [1] == _ids(again)
    assert [one["run"] for one in engine.runs()] == [one["run"] for one in again.runs()]


@pytest.mark.parametrize(
    ("key", "says"), [("", "is encrypted, and no key is set"), (new_key(), "with another key")], ids=["none", "another"]
)
def test_without_its_key_an_encrypted_backup_is_not_restored(kept: Kept, key: str, says: str) -> None:
    engine = _engine(kept, kept.storage, encryption_key=new_key())
    engine.run(kept.desk.folder / PAGE)
    backup = engine.backup()["backup"]
    again = _engine(kept, kept.desk.folder / "again", encryption_key=key)
    with pytest.raises(ConfigError) as caught:
        again.restore(backup)
    assert (True, True) == (says in caught.value.message, str(backup) in caught.value.message)
    assert not again.config.storage.exists()


def test_what_is_not_encrypted_is_not_restored_as_if_it_were(kept: Kept) -> None:
    kept.run()
    backup = kept.engine.backup()["backup"]
    again = _engine(kept, kept.desk.folder / "again", encryption_key=new_key())
    with pytest.raises(ConfigError, match="is not encrypted, and a key is set"):
        again.restore(backup)


def test_a_ledger_moves_from_a_file_into_a_database_and_back(kept: Kept, postgres: Postgres) -> None:
    kept.run(event=1)
    database = _engine(kept, kept.desk.folder / "there", database_url=postgres.new())
    database.restore(kept.engine.backup()["backup"])
    assert not (database.config.storage / "engine.db").exists()
    assert kept.engine.state("acme") == database.state("acme")
    kept.run("collect", event=2)
    database.clock = kept.desk.time.clock()
    database.run(kept.desk.folder / PAGE)
    assert [1, 2] == _ids(database, "events")
    back = _engine(kept, kept.desk.folder / "back")
    back.restore(database.backup()["backup"])
    assert database.state("acme") == back.state("acme")
    assert [one["run"] for one in database.runs()] == [one["run"] for one in back.runs()]


def test_nothing_is_restored_over_a_ledger_in_a_database(kept: Kept, postgres: Postgres) -> None:
    engine = _engine(kept, kept.storage, database_url=postgres.new())
    engine.run(kept.desk.folder / PAGE)
    before = engine.runs()
    backup = engine.backup()["backup"]
    again = _engine(kept, kept.desk.folder / "again", database_url=engine.config.database_url)
    with pytest.raises(ConfigError, match="holds a ledger, and nothing is ever restored over one"):
        again.restore(backup)
    assert (before, False) == (engine.runs(), again.config.storage.exists())
