"""Runs with the ledger in PostgreSQL: the same tables as with a file, also when the server goes away meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from engine.app import Engine
from engine.app.config import Config
from engine.core.errors import ConfigError, StorageError
from engine.flow.ledger import Collection, Ledger, UnitRecord, parted
from tests.flow.desk import Desk, Tiny
from tests.servers import Postgres
from tests.vendors.server import Asked

COLUMNS = {"id": {"path": "id", "type": "integer"}, "at": {"path": "at", "type": "datetime"}}
NEWS = {"field": "at", "start": "2026-06-01T00:00:00Z", "send": "query.since"}
ENDPOINTS = {
    "repos": {
        "get": "/repos",
        "paginate": {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 2}}},
    },
    "events": {"for_each": {"repo": "repos"}, "get": "/repos/${repo.id}/events", "incremental": NEWS},
}
SECTIONS: Mapping[str, Any] = {
    "tables": {
        "repos": {"from": "repos", "key": "id", "columns": {"id": {"path": "id", "type": "integer"}}},
        "events": {"from": "events", "key": "id", "columns": COLUMNS, "mode": "upsert"},
    },
    "reports": {"list": {"csv": {"table": "events"}}},
}


def listed(vendor: Tiny, days: int) -> None:
    """Three repositories, two a page, each with an event a day."""

    def repos(asked: Asked) -> Any:
        at = 2 * (int(dict(asked.query).get("page", 1)) - 1)
        return [{"id": number} for number in range(3)][at : at + 2]

    vendor.routes["/repos"] = repos
    for number in range(3):
        events = [{"id": 100 * number + day, "at": f"2026-06-{day:02d}T00:00:00Z"} for day in range(1, days)]
        vendor.routes[f"/repos/{number}/events"] = lambda asked, events=events: [
            one for one in events if one["at"] >= dict(asked.query)["since"]
        ]


def _engine(desk: Desk, name: str, **more: str) -> Engine:
    config = Config.model_validate({"storage": desk.folder / name, **more})
    return Engine(config=config, env={}, emit=desk.events.append, clock=desk.time.clock())


def _made(engine: Engine) -> dict[str, pl.DataFrame]:
    return {name: engine.table("acme", name).collect() for name in ("repos", "events")}


def test_a_run_with_postgresql_makes_what_a_run_with_a_file_makes(desk: Desk, vendor: Tiny, postgres: Postgres) -> None:
    page = desk.page(ENDPOINTS, **SECTIONS)
    engines = [_engine(desk, "file"), _engine(desk, "database", database_url=postgres.new())]
    for days in (4, 9):
        listed(vendor, days)
        desk.time.now += 60
        asked = []
        for engine in engines:
            vendor.log.clear()
            assert "succeeded" == engine.run(page).status
            asked.append(sorted(vendor.targets()))
        assert asked[0] == asked[1]
    for name in ("repos", "events"):
        assert_frame_equal(_made(engines[0])[name], _made(engines[1])[name])
    assert engines[0].state("acme") == engines[1].state("acme")
    assert not (desk.folder / "database" / "engine.db").exists()


@pytest.mark.slow
def test_a_server_that_goes_away_ends_the_run_which_goes_on_when_it_is_back(desk: Desk, vendor: Tiny) -> None:
    server = Postgres()
    try:
        server.start()
        engine = _engine(desk, "database", database_url=server.new())
        page = desk.page(ENDPOINTS, **SECTIONS)
        listed(vendor, 4)
        events = vendor.routes["/repos/1/events"]

        def away(asked: Asked) -> Any:
            server.stop()
            return events(asked)

        vendor.routes["/repos/1/events"] = away
        with pytest.raises(
            StorageError, match=r"the ledger at 127\.0\.0\.1:\d+/postgres \(schema test1\) cannot be reached"
        ):
            engine.run(page)
        vendor.routes["/repos/1/events"] = events
        server.start()
        desk.time.now += 60
        assert "succeeded" == engine.run(page).status
        assert 9 == _made(engine)["events"].height
    finally:
        server.close()


# --- addresses, rights, and what is not there


def test_an_error_never_shows_the_password(postgres: Postgres) -> None:
    url = postgres.url.replace("engine@", "nobody:geheim%20nis@")
    with pytest.raises(StorageError, match="cannot be reached") as raised:
        Ledger(url)
    assert (5, False) == (raised.value.exit_code, "geheim" in str(raised.value))


@pytest.mark.parametrize("url", ["postgresql://engine:geheim%zz@127.0.0.1/x", "postgresql:///x?password=geheim%zz"])
def test_an_address_that_the_driver_quotes_is_told_without_its_password(url: str) -> None:
    with pytest.raises(StorageError, match=r"cannot be used: .*…") as raised:
        Ledger(url)
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "address", "schema"),
    [
        ("postgresql://a@h:1/x", "postgresql://a@h:1/x", "engine"),
        ("postgres:///x?schema=acme", "postgres:///x", "acme"),
        (
            "postgresql:///x?host=/run&schema=acme&options=-c%20a%3D1",
            "postgresql:///x?host=/run&options=-c%20a%3D1",
            "acme",
        ),
    ],
)
def test_the_schema_is_taken_from_an_address_and_all_else_left(url: str, address: str, schema: str) -> None:
    assert (address, schema) == parted(url)


def test_a_server_is_reached_through_its_socket_too(postgres: Postgres) -> None:
    words = f"host={postgres.folder}/home&port={postgres.port}&user=engine&options=-c%20work_mem%3D5MB"
    ledger = Ledger(f"postgresql:///postgres?{words}&schema=socket")
    assert [("5MB",)] == ledger._ask("SELECT current_setting('work_mem')")
    ledger.close()


def test_a_database_that_is_not_there_is_told(postgres: Postgres) -> None:
    with pytest.raises(StorageError, match='database "nowhere" does not exist') as raised:
        Ledger(postgres.url.replace("/postgres", "/nowhere"))
    assert "database_url" in raised.value.fix


def test_who_may_not_make_a_schema_is_told_and_may_use_one(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as base:
        base.execute("CREATE ROLE guest LOGIN")
        base.execute("CREATE SCHEMA prepared AUTHORIZATION guest")
    url = postgres.url.replace("engine@", "guest@")
    with pytest.raises(StorageError, match="permission denied for database"):
        Ledger(f"{url}?schema=other")
    ledger = Ledger(f"{url}?schema=prepared")
    ledger.keep("acme", "token", "a")
    assert "a" == ledger.kept("acme", "token")
    ledger.close()


def test_reading_makes_no_schema(postgres: Postgres) -> None:
    ledger = Ledger(f"{postgres.url}?schema=unmade", only_read=True)
    assert ([], {}, None) == (ledger.runs(), ledger.taken(), ledger.lease("acme"))
    ledger.close()
    with psycopg.connect(postgres.url) as base:
        assert [] == base.execute("SELECT 1 FROM pg_namespace WHERE nspname='unmade'").fetchall()


def _cut(postgres: Postgres) -> None:
    """Cut every connection of an engine."""
    with psycopg.connect(postgres.url, autocommit=True) as base:
        base.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='engine'")


def test_a_connection_that_was_lost_meanwhile_is_made_again(postgres: Postgres) -> None:
    ledger = Ledger(postgres.new())
    _cut(postgres)
    ledger.keep("acme", "token", "a")
    _cut(postgres)
    assert "a" == ledger.kept("acme", "token")
    ledger.close()


def test_a_connection_that_is_lost_inside_a_change_ends_it_and_nothing_is_left(postgres: Postgres) -> None:
    ledger = Ledger(postgres.new())

    def units() -> Iterator[UnitRecord]:
        yield UnitRecord("u")
        _cut(postgres)

    with pytest.raises(StorageError, match="cannot be reached"):
        ledger.seal("acme", Collection("r1", "things", True, 1, 1), units=units())
    assert [] == ledger.collections("acme")
    ledger.close()


def test_without_the_driver_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("psycopg", "psycopg.conninfo"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match="psycopg") as raised:
        Ledger("postgresql://db.example/engine")
    assert 'install it: pip install "engine[postgres]"' == raised.value.fix
