"""A PostgreSQL that says nothing any more and closes nothing: the engine gives up, and says so."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.core.errors import StorageError
from engine.flow import lease
from engine.flow.lease import held
from engine.flow.ledger import Ledger, UnitRecord, copies, silence
from tests.servers import Postgres


class Hole:
    """Stands before a server; once it `swallows`, nothing that comes is passed on, and nothing is closed."""

    def __init__(self, port: int) -> None:
        self.swallows = False
        self._to, self._listener = port, socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            one.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            self._open += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if not self.swallows:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def hole(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hole]:
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.3)
    opened = Hole(postgres.port)
    yield opened
    opened.close()


def _through(hole: Hole, postgres: Postgres) -> str:
    return f"{postgres.new().replace(f':{postgres.port}', f':{hole.port}')}&connect_timeout=2"


@pytest.mark.slow
def test_a_server_that_says_nothing_any_more_is_given_up(hole: Hole, postgres: Postgres) -> None:
    ledger = Ledger(_through(hole, postgres))
    ledger.keep("acme", "token", "a")
    hole.swallows = True
    with pytest.raises(StorageError, match="cannot be reached: "):
        ledger.keep("acme", "token", "b")
    hole.swallows = False
    assert "a" == ledger.kept("acme", "token")
    ledger.close()


@pytest.mark.slow
def test_a_change_in_whose_middle_the_server_falls_silent_is_given_up(hole: Hole, postgres: Postgres) -> None:
    ledger = Ledger(_through(hole, postgres))

    def units() -> Iterator[UnitRecord]:
        hole.swallows = True
        yield UnitRecord("u")

    with pytest.raises(StorageError, match=r"cannot be reached: nothing was heard of it for 0\.3 seconds"):
        ledger.note_units("r1", "things", units())
    ledger.close()


@pytest.mark.slow
def test_a_holder_whose_ledger_says_nothing_any_more_ends(
    tmp_path: Path, hole: Hole, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.02)
    ledger = Ledger(_through(hole, postgres))
    began = time.monotonic()
    with held(tmp_path, ledger, "acme"):
        hole.swallows = True
    assert time.monotonic() - began < 30
    assert [] == list((tmp_path / "locks").iterdir())
    ledger.close()


@pytest.mark.parametrize(
    ("options", "expected"), [("", ["40s", "30s"]), ("-c%20statement_timeout%3D7s", ["7s", "30s"])]
)
def test_statements_end_in_time_and_what_the_address_says_wins(
    postgres: Postgres, options: str, expected: list[str]
) -> None:
    ledger = Ledger(f"{postgres.new()}&options={options}")
    found = ledger._ask("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
    assert expected == list(found[0])
    ledger.close()


def test_a_copy_reads_each_table_once(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "BATCH", 1)
    place = postgres.new()
    ledger = Ledger(place)
    for number in range(20):
        ledger.keep("acme", f"token{number}", "a")
    ledger.snapshot(tmp_path / "copy.db")
    ledger.close()
    copy = Ledger(tmp_path / "copy.db")
    assert 20 == len(copy._ask("SELECT 1 FROM kept"))
    copy.close()
    scans = "SELECT seq_scan, n_tup_ins FROM pg_stat_user_tables WHERE schemaname=%s AND relname='kept'"
    until = time.monotonic() + 30
    with psycopg.connect(postgres.url, autocommit=True) as base:
        while (found := base.execute(scans, [place.partition("schema=")[2]]).fetchone()) and found[1] < 20:
            assert time.monotonic() < until
    assert found is not None
    assert found[0] < 5
