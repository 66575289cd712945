"""The ledger of an encrypted storage: it tells all that it was told, and shows none of it."""

from pathlib import Path

import pytest

from engine.core.errors import StorageError
from engine.flow.ledger import Collection, Ledger, Mark, RunRecord, UnitRecord
from engine.flow.seal import Seal

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
SAID = "ada@lovelace.example"
RUN = "20260101T000000000Z-0001"
UNIT = UnitRecord("0", {"person": SAID}, 1, 2, {"after": SAID}, "ended", SAID, {"of": SAID}, {"to": SAID})
COLLECTION = Collection(RUN, "people", False, 2, 1, (f"{SAID} is missing",), (SAID,))
MARK = Mark("changed", "p1", SAID, {"person": SAID}, "2026-01-01T00:00:00Z")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A ledger that was told everything."""
    ledger = Ledger(tmp_path / "engine.db", seal=Seal(KEY))
    ledger.begin_run(RunRecord(RUN, "acme", "collect", asked={"param": SAID}, started_at="2026-01-01T00:00:00Z"))
    ledger.keep("acme", "refresh", SAID)
    ledger.begin_sweep(RUN, "people", {"state": SAID}, [UNIT])
    ledger.seal("acme", COLLECTION, [MARK], [UNIT])
    ledger.end_run(RUN, status="incomplete", ended_at="2026-01-01T00:00:01Z", result={"notes": [SAID]})
    ledger.close()
    return tmp_path / "engine.db"


def test_it_shows_nothing(place: Path) -> None:
    content = b"".join(file.read_bytes() for file in place.parent.glob("engine.db*"))
    assert (0, True) == (content.count(SAID.encode()), b"20260101T000000000Z-0001" in content)


def test_it_tells_everything(place: Path) -> None:
    ledger = Ledger(place, seal=Seal(KEY))
    record = ledger.run(RUN)
    assert record
    assert ({"param": SAID}, {"notes": [SAID]}, SAID) == (record.asked, record.result, ledger.kept("acme", "refresh"))
    assert ({"state": SAID}, [UNIT]) == ledger.sweep(RUN, "people")
    assert [COLLECTION] == ledger.collections("acme")
    assert {"p1": SAID} == ledger.watermarks("acme", "people", "changed")
    assert [(SAID, {"person": SAID})] == [(mark.value, mark.binding) for mark in ledger.marks("acme")]
    ledger.close()


@pytest.mark.parametrize("key", [None, OTHER])
def test_without_its_key_it_tells_nothing(place: Path, key: bytes | None) -> None:
    ledger = Ledger(place, seal=Seal(key))
    with pytest.raises(StorageError):
        ledger.kept("acme", "refresh")
    ledger.close()


def test_a_mark_of_the_same_value_keeps_the_time_since_when_it_stands(place: Path) -> None:
    ledger = Ledger(place, seal=Seal(KEY))
    ledger.move("acme", "people", [Mark("changed", "p1", SAID, at="2026-02-02T00:00:00Z")], [])
    assert ["2026-01-01T00:00:00Z"] == [mark.at for mark in ledger.marks("acme")]
    ledger.close()
