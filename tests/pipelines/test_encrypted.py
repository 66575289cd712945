"""The shipped pages in an encrypted storage: every byte of it is searched for what the vendor said."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from engine.app import Engine
from engine.author.simulate import Simulator
from engine.flow.seal import is_sealed
from tests.house.source import ROOT
from tests.pipelines.secret_search import rows_of, search, words

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OPEN = {"storage.json", "engine.db", "engine.db-shm", "engine.db-wal", "latest.json"}
SHORTEST = 8
"""Letters of a word that is not found by chance."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["cequence", "42crunch", "apigee"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, str]:
    """An engine with a key behind one simulated run of a page, and the page's tool."""
    tool: str = request.param
    engine = Engine.from_config(storage=tmp_path_factory.mktemp(tool) / "storage", env={"ENCRYPTION_KEY": KEY})
    engine.run(tool, vendor=Simulator.of(engine, tool))
    return engine, tool


def _said(engine: Engine, tool: str) -> set[str]:
    """The texts in its tables and the secrets it signs in with; not the words of the page itself, nor times."""
    tables = [engine.table(tool, name).collect() for name in engine.current(tool)["tables"]]
    texts = [column for table in tables for column in table.iter_columns() if column.dtype == pl.String]
    values = {value for column in texts for value in column.drop_nulls() if len(value) >= SHORTEST}
    page = (ROOT / "pipelines" / f"{tool}.yaml").read_text()
    secrets = Simulator.of(engine, tool).secrets(engine.page(tool).pipeline).values()
    return {value for value in values if value not in page and not value.startswith("20")} | {
        one.reveal() for one in secrets if len(one.reveal()) >= SHORTEST
    }


def _places(root: Path) -> Iterator[tuple[str, str]]:
    """Every file as a text, a character a byte, and the rows of the ledger."""
    for path in root.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(root)), path.read_bytes().decode("latin-1")
    yield "rows of the ledger", "\n".join(words(rows_of(root / "engine.db")))


def test_nothing_that_the_vendor_said_can_be_read(ran: tuple[Engine, str]) -> None:
    engine, tool = ran
    said = _said(engine, tool)
    assert len(said) > 300
    assert [] == search(said, _places(engine.storage.root))


def test_the_search_finds_what_was_planted(ran: tuple[Engine, str]) -> None:
    engine, tool = ran
    said = _said(engine, tool)
    planted = engine.storage.root / "quarantine" / "planted"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"…{max(said)}…")
    try:
        assert {"quarantine/planted"} == {one.partition(":")[0] for one in search(said, _places(engine.storage.root))}
    finally:
        planted.unlink()


def test_every_file_is_sealed(ran: tuple[Engine, str]) -> None:
    engine, _ = ran
    root = engine.storage.root
    homes = [path for path in root.rglob("*") if path.is_file() and "locks" not in path.parts and path.name not in OPEN]
    heads = {str(path.relative_to(root)): path.read_bytes()[:8] for path in homes}
    assert [] == [name for name, head in heads.items() if not (is_sealed(head) or head.startswith(b"PARE"))]
    assert len(heads) > 10
