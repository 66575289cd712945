"""Damaged segments, ledgers and pointers, locked ledgers, clocks that jump: an error or a mend, and nothing is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.author.crash.job import Ended
from engine.flow.storage import Storage
from tests.crash.bench import Bench
from tests.crash.words import NOON

REGIONS = ("mark", "lengths", "checksum", "meta", "body", "last byte")
DAY = 86_400.0
NOTED = ("reports/", "processed_data/words/versions/")
"""Where a note stands that something was damaged."""


def _flip(place: Path, at: int) -> None:
    content = bytearray(place.read_bytes())
    content[at] ^= 0xFF
    place.write_bytes(content)


def _segment(bench: Bench, *, sealed: bool) -> Path:
    """The greatest segment of a run, of an endpoint that is sealed or of one that is not."""
    ledger = Storage(bench.storage).ledger(only_read=True)
    names = {one.endpoint for one in ledger.collections("words")}
    ledger.close()
    found = [place for place in bench.storage.glob("raw_data/words/*/*/*.seg") if (place.parts[-3] in names) == sealed]
    return max(found, key=lambda place: place.stat().st_size)


def _hurt(place: Path, region: str) -> None:
    """Damage the first frame of a segment: 20 bytes of opening, what is known of the page, and its body."""
    content = place.read_bytes()
    meta = int.from_bytes(content[4:8], "big")
    body = int.from_bytes(content[8:12], "big")
    places = {"mark": 0, "lengths": 6, "checksum": 14, "meta": 22, "body": 20 + meta + body // 2}
    _flip(place, places.get(region, 20 + meta + body - 1))


def newest(ended: Ended) -> dict[str, str]:
    """Table -> the digest of the file of its newest version, whatever run made it."""
    files = [name for name in sorted(ended.left) if name.startswith("processed_data/") and name.endswith(".parquet")]
    return {name.split("/")[2]: ended.left[name] for name in files}


# --- segments


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_damage_in_what_an_interrupted_run_kept_is_asked_for_again(bench: Bench, region: str) -> None:
    assert bench.run(point=("frame kept", 60)).killed
    _hurt(_segment(bench, sealed=False), region)
    ended = bench.run()
    differences = [name for name in bench.differs(ended) if not name.startswith(NOTED)]
    assert ([], 0) == (differences, bench.not_asked())
    assert "is damaged" in (bench.storage / "reports" / "words" / bench.base.run / "run.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_damage_in_a_sealed_collection_is_an_error_until_it_is_collected_again(bench: Bench, region: str) -> None:
    assert not bench.run(work="collect").error
    _hurt(_segment(bench, sealed=True), region)
    ended = bench.run(work="process")
    assert (5, True, True) == (ended.exit_code, "is damaged" in ended.error, "mend: " in ended.error), ended.error
    assert not (bench.storage / "processed_data" / "words" / "current.json").exists()
    again = bench.run(now=NOON + 60, how={"fresh": True})
    assert (bench.base.exit_code, newest(bench.base)) == (again.exit_code, newest(again)), again.error


# --- the ledger


def _overwritten(place: Path) -> None:
    place.write_bytes(b"this is no ledger" * 1000)


def _header(place: Path) -> None:
    for at in range(16):
        _flip(place, at)


def _half(place: Path) -> None:
    place.write_bytes(place.read_bytes()[: place.stat().st_size // 2])


def _middle(place: Path) -> None:
    content = place.read_bytes()
    place.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_overwritten, _header, _half, _middle])
def test_a_damaged_ledger_is_said_and_nothing_else_is_touched(bench: Bench, harm: object) -> None:
    assert bench.run(point=("file renamed", 20)).killed
    ledger = bench.storage / "engine.db"
    with sqlite3.connect(ledger) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    harm(ledger)  # type: ignore[operator]  # a function of this file
    before = {place: place.read_bytes() for place in _outputs(bench)}
    ended = bench.run()
    assert (5, True) == (ended.exit_code, "ledger" in ended.error and "mend: " in ended.error), ended.error
    assert before == {place: place.read_bytes() for place in _outputs(bench)}
    for place in bench.storage.glob("engine.db*"):
        place.unlink()
    assert (5, True) == ((ended := bench.run()).exit_code, "gone or empty" in ended.error), ended.error
    bench.storage.rename(bench.storage.with_name("damaged"))  # as the mend says
    again = bench.run(now=NOON + 60)
    assert (bench.base.exit_code, newest(bench.base)) == (again.exit_code, newest(again)), again.error


def _outputs(bench: Bench) -> list[Path]:
    homes = ("raw_data", "processed_data", "quarantine", "reports")
    return sorted(place for home in homes for place in (bench.storage / home).rglob("*") if place.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.2, 0.8])
def test_a_ledger_that_lost_its_last_changes_is_taken_up_where_it_stands(bench: Bench, part: float) -> None:
    assert bench.run(point=("frame kept", 60)).killed
    journal = bench.storage / "engine.db-wal"
    _flip(journal, int(journal.stat().st_size * part))
    ended = bench.run(now=NOON + 60)
    assert (bench.base.exit_code, newest(bench.base)) == (ended.exit_code, newest(ended)), ended.error


@pytest.mark.slow
def test_a_ledger_that_somebody_locks_is_said_and_the_next_run_goes_on(bench: Bench) -> None:
    assert bench.run(point=("frame kept", 60)).killed
    base = sqlite3.connect(bench.storage / "engine.db", isolation_level=None)
    base.execute("BEGIN IMMEDIATE")
    ended = bench.run(before="tests.crash.breaks:impatient")
    base.close()
    assert (5, True) == (ended.exit_code, "locked" in ended.error and "mend: " in ended.error), ended.error
    assert ([], True) == (bench.differs(bench.run()), bench.asked_again() <= 8)


# --- pointers and files


@pytest.mark.slow
@pytest.mark.parametrize("torn", [b"", b'{"version": 1, "tab', b"\0" * 100])
def test_a_torn_current_json_is_said_and_its_mend_mends(bench: Bench, torn: bytes) -> None:
    assert not bench.run().error
    current = bench.storage / "processed_data" / "words" / "current.json"
    current.write_bytes(torn)
    ended = bench.run(work="process")
    assert (5, True) == (ended.exit_code, "current.json" in ended.error and "mend: " in ended.error), ended.error
    current.unlink()  # as the mend says
    again = bench.run(work="process", now=NOON + 60)
    assert (bench.base.exit_code, newest(bench.base)) == (again.exit_code, newest(again)), again.error


@pytest.mark.slow
@pytest.mark.parametrize("gone", [True, False])
def test_a_file_of_a_table_that_is_gone_or_cut_short_is_made_anew(bench: Bench, gone: bool) -> None:
    assert not bench.run().error
    [part] = (bench.storage / "processed_data" / "words" / "boxes").rglob("*.parquet")
    if gone:
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-10])
    again = bench.run(work="process", now=NOON + 60)
    assert (bench.base.exit_code, newest(bench.base)) == (again.exit_code, newest(again)), again.error


# --- the clock


@pytest.mark.slow
@pytest.mark.parametrize("later", [-60.0, 3 * DAY])
def test_a_clock_that_was_set_between_two_runs_changes_nothing(bench: Bench, later: float) -> None:
    assert bench.run(point=("frame kept", 60)).killed
    ended = bench.run(now=NOON + later)
    assert ([], True) == (bench.differs(ended), bench.asked_again() <= 8)


@pytest.mark.slow
def test_a_clock_that_jumps_while_a_run_goes_on_changes_nothing(bench: Bench) -> None:
    ended = bench.run(before="tests.crash.breaks:jumping")
    assert (bench.base.exit_code, newest(bench.base)) == (ended.exit_code, newest(ended)), ended.error
