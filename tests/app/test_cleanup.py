"""What a cleanup takes out of a storage, and what it leaves."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import ConfigError, StorageError
from engine.flow.gone import GONE, keeping
from engine.flow.lease import held
from engine.flow.ledger import Ledger
from tests.app.kept import DAY, EVENTS, Kept, Three, reasons, removed, state
from tests.vendors.server import Answer

NEWEST = "the newest complete collection, or collected since"


# --- what runs made


def test_old_versions_go_with_their_rows_reports_and_quarantine(kept: Kept, three: Three) -> None:
    first, second, third = three()
    told = kept.clean()
    assert [[first, second]] * 4 == [removed(told, kind) for kind in ("version", "table", "quarantine", "report")]
    assert [third] == kept.below("processed_data", "acme", "things") == kept.below("quarantine", "acme", "things")
    assert [third, "latest.json"] == kept.below("reports", "acme")
    assert [f"{third}.json"] == kept.below("processed_data", "acme", "versions")
    assert ([1, 2, 3], [1]) == (kept.rows("events"), kept.rows("things"))


def test_what_is_not_old_enough_stays(kept: Kept, three: Three) -> None:
    first, second, _ = three()
    [told] = kept.engine.cleanup(max_age="3d").as_json()["tools"]
    assert [first] == removed(told, "version")
    assert "not old enough" == reasons(told, "version")[second]


def test_rows_stay_that_a_later_version_rests_on(kept: Kept) -> None:
    first = kept.run().run
    kept.desk.vendor.routes["/things"] = []  # type: ignore[attr-defined]  # it is a Tiny
    kept.run()  # an empty list, where there were records, is not believed
    told = kept.clean()
    assert [first] == kept.below("processed_data", "acme", "things")
    assert ([first], [1]) == (removed(told, "version"), kept.rows("things"))


def test_a_dry_run_changes_nothing(kept: Kept, three: Three) -> None:
    first, second, _ = three()
    before = state(kept.storage)
    told = kept.clean(raw=True, dry_run=True)
    assert ([first, second], before) == (removed(told, "raw"), state(kept.storage))


def test_what_dead_runs_left_behind_goes(kept: Kept) -> None:
    kept.run()
    scratch = kept.storage / "processed_data" / "acme" / ".scratch-x"
    scratch.mkdir()
    half = kept.storage / "reports" / "acme" / ".latest.json.3.tmp"
    half.touch()
    assert 2 == sum(piece["kind"] == "temporary" for piece in kept.clean()["removed"])
    assert (False, False) == (scratch.exists(), half.exists())


def test_old_records_of_errors_leave_the_log(kept: Kept) -> None:
    kept.run()
    log = kept.storage / "logs" / "errors.jsonl"
    log.parent.mkdir(exist_ok=True)
    lines = [json.dumps({"timestamp": f"2026-06-{day:02d}T00:00:00Z"}) + "\n" for day in (1, 17)]
    log.write_text("".join(["no json\n", *lines]))
    assert 1 == kept.engine.cleanup(max_age=24).records
    assert ["no json\n", lines[1]] == log.read_text().splitlines(keepends=True)


def test_nothing_is_left_of_what_went(kept: Kept, three: Three) -> None:
    three()
    kept.clean(raw=True)
    assert not (kept.storage / GONE).exists()


# --- kept pages


def test_kept_pages_go_only_where_that_is_asked_for(kept: Kept, three: Three) -> None:
    runs = three()
    kept.clean()
    assert runs == kept.below("raw_data", "acme", "things")
    told = kept.clean(raw=True)
    assert runs[:2] == removed(told, "raw")
    assert runs[2:] == kept.below("raw_data", "acme", "things") == kept.below("raw_data", "acme", "events")
    assert {runs[2]: NEWEST} == reasons(told, "raw")


def test_collections_that_no_table_has_taken_stay(kept: Kept) -> None:
    runs = [kept.run("collect", event=day).run for day in (1, 2, 3)]
    told = kept.clean(raw=True)
    assert runs == kept.below("raw_data", "acme", "events")
    assert "events has not taken it yet" == reasons(told, "raw", "events")[runs[0]]
    kept.run("process", days=0)
    assert [1, 2, 3] == kept.rows("events")
    assert runs[:2] == removed(kept.clean(raw=True), "raw")


def test_collections_since_the_newest_complete_one_stay(kept: Kept) -> None:
    first = kept.run().run
    second = kept.run().run
    kept.desk.vendor.routes["/things"] = Answer.json([], 404)  # type: ignore[attr-defined]  # it is a Tiny
    third = kept.run().run
    told = kept.clean(raw=True)
    assert ([first], "incomplete") == (removed(told, "raw", "things"), kept.run("process").status)
    assert {second: NEWEST, third: NEWEST} == reasons(told, "raw", "things")


def test_a_table_goes_on_growing_when_its_pages_are_cleaned_up(kept: Kept, three: Three) -> None:
    three()
    kept.clean(raw=True)
    assert "succeeded" == kept.run(event=4).status
    assert [1, 2, 3, 4] == kept.rows("events")


def test_pages_stay_where_the_files_of_the_version_that_rests_on_them_are_damaged(kept: Kept, three: Three) -> None:
    first, *_ = three()
    for file in (kept.storage / "processed_data" / "acme" / "events").rglob("*.parquet"):
        file.write_bytes(b"x")
    assert "events rests on it: files of its version are gone or damaged" == reasons(kept.clean(raw=True), "raw")[first]
    kept.run("process", days=0)
    assert [1, 2, 3] == kept.rows("events")


def test_pages_stay_of_a_table_that_the_page_says_something_else_of(kept: Kept, three: Three) -> None:
    first, *_ = three()
    kept.page(events={"from": "events", "key": "id", "columns": {**EVENTS, "more": "id"}})
    told = reasons(kept.clean(raw=True), "raw")
    assert "events rests on it: the page now says something else of it" == told[first]


def test_pages_stay_of_a_table_whose_contract_is_another_or_gone(kept: Kept, three: Three) -> None:
    contract = kept.desk.folder / "event.json"
    contract.write_text("{}")
    kept.page(events={"from": "events", "key": "id", "columns": EVENTS, "validate": [{"json_schema": "event.json"}]})
    first, *_ = three()
    contract.write_text('{"properties": {}}')
    assert "events rests on it: the page now says something else of it" == reasons(kept.clean(raw=True), "raw")[first]
    contract.unlink()
    said = "events rests on it: there is no file event.json beside the page"
    assert said == reasons(kept.clean(raw=True), "raw")[first]


def test_pages_that_no_table_is_known_to_be_made_of_stay(kept: Kept) -> None:
    runs = [kept.run("collect", event=day).run for day in (1, 2, 3)]
    (kept.desk.folder / "acme.yaml").unlink()
    assert dict.fromkeys(runs[:2], "no table was made of it yet") | {runs[2]: NEWEST} == reasons(
        kept.clean(raw=True), "raw"
    )


def test_a_table_that_cannot_be_made_anew_is_told_with_the_ways_out(kept: Kept, three: Three) -> None:
    first, second, _ = three()
    kept.clean(raw=True)
    before = state(kept.storage)
    kept.page(events={"from": "events", "key": "id", "columns": {**EVENTS, "more": "id"}})
    with pytest.raises(StorageError) as caught:
        kept.run("process")
    gone = f"kept pages of events were cleaned up: those of 2 runs, {first} to {second}"
    assert f'table "events" is to be made anew, and {gone}' == caught.value.message
    assert (
        "undo what changed, on the page or by a waiver; or read it anew: engine state acme --reset events"
        in caught.value.fix
    )
    assert before == {name: digest for name, digest in state(kept.storage).items() if name in before}
    kept.engine.reset("acme", "events")
    kept.run()
    assert [1, 2, 3] == kept.rows("events")


def test_a_table_that_is_replaced_needs_only_the_newest_pages(kept: Kept, three: Three) -> None:
    three()
    kept.clean(raw=True)
    kept.page(things={"from": "things", "key": "id", "columns": {"id": {"path": "id", "type": "integer"}, "w": "v"}})
    assert "succeeded" == kept.run("process").status
    assert [1, 2] == kept.rows("things")


def test_pages_that_were_cleaned_up_are_said_to_be(kept: Kept, three: Three) -> None:
    first, *_ = three()
    kept.clean(raw=True)
    with pytest.raises(ConfigError, match=f"that run {first} kept were cleaned up"):
        list(kept.engine.raw("acme", "things", run=first))


def test_runs_that_complete_one_another_go_together(kept: Kept, three: Three) -> None:
    runs = three()
    ledger = kept.ledger()
    with ledger._base.change() as hand:  # as a run leaves it that completes another
        hand.do("UPDATE collections SET completes=? WHERE run=?", [runs[1], runs[2]])
    ledger.close()
    told = kept.clean(raw=True)
    assert (runs[:1], NEWEST) == (removed(told, "raw"), reasons(told, "raw")[runs[1]])


# --- runs that are not over


def _interrupted(kept: Kept) -> str:
    """A run that was stopped in the midst of things."""
    kept.run()
    run = kept.run("collect").run
    ledger = kept.ledger()
    with ledger._base.change() as hand:
        hand.do("UPDATE runs SET status='interrupted', ended_at=NULL WHERE run=?", [run])
        hand.do("DELETE FROM collections WHERE run=?", [run])
    ledger.close()
    kept.desk.time.now += 2 * DAY
    return run


def test_a_run_that_can_go_on_keeps_what_it_has(kept: Kept) -> None:
    run = _interrupted(kept)
    assert "the run was interrupted and can go on" == reasons(kept.clean(raw=True), "raw")[run]


def test_a_run_that_was_interrupted_too_long_ago_goes_and_is_given_up(kept: Kept) -> None:
    run = _interrupted(kept)
    ledger = kept.ledger()
    with ledger._base.change() as hand:
        hand.do("UPDATE runs SET beat=beat-400*86400.0 WHERE run=?", [run])
    assert [run] == removed(kept.clean(raw=True), "raw")
    found = ledger.run(run)
    ledger.close()
    assert found is not None
    assert "abandoned" == found.status


def test_a_run_whose_rows_went_never_makes_them_again_behind_it(kept: Kept) -> None:
    run = _interrupted(kept)
    with closing(kept.ledger()) as ledger:
        with ledger._base.change() as hand:
            hand.do("UPDATE runs SET beat=beat-400*86400.0 WHERE run=?", [run])
        place = kept.storage / "processed_data" / "acme" / "things" / run
        place.mkdir()
        (place / "part-00000.parquet").write_bytes(b"half")
        assert [run] == removed(kept.clean(), "table")
        found = ledger.run(run)
    assert found is not None
    assert "abandoned" == found.status


def test_a_tool_that_is_worked_on_is_left_alone(kept: Kept, three: Three) -> None:
    three()
    before = state(kept.storage)
    ledger = kept.ledger()
    with held(kept.storage, ledger, "acme"):
        told = [kept.clean(raw=True, dry_run=dry) for dry in (False, True)]
    ledger.close()
    assert [True, True] == ["it is worked on" in one["skipped"] for one in told]
    assert before == state(kept.storage)


def test_nothing_is_cleaned_up_while_a_backup_is_made(kept: Kept, three: Three) -> None:
    three()
    with keeping(kept.storage, changes=False), pytest.raises(StorageError, match="a backup of it is made"):
        kept.clean()


# --- what is asked for


@pytest.mark.parametrize("age", [0, "0d", "-1", "x", "", "24 h", "1y", "nan", "1e999"])
def test_what_is_no_age_is_refused(kept: Kept, age: Any) -> None:
    kept.run()
    with pytest.raises(ConfigError, match=r"is no age|age of 0 is refused"):
        kept.engine.cleanup(max_age=age)


@pytest.mark.parametrize("age", ["24", "24h", "1d", 24.0, "1440m", timedelta(days=1)], ids=str)
def test_an_age_is_hours_or_a_duration(kept: Kept, three: Three, age: Any) -> None:
    runs = three()
    [told] = kept.engine.cleanup(max_age=age).as_json()["tools"]
    assert runs[:2] == removed(told, "version")


def test_a_tool_that_nothing_is_kept_of_gets_the_nearest(kept: Kept) -> None:
    kept.run()
    with pytest.raises(ConfigError, match='nothing of acne; did you mean "acme"'):
        kept.engine.cleanup(["acne"], max_age=24)


def test_what_is_no_storage_is_not_made_one(kept: Kept) -> None:
    with pytest.raises(ConfigError, match="is no storage"):
        kept.engine.cleanup(max_age=24)
    assert not kept.storage.exists()


def test_an_age_may_be_beyond_all_years(kept: Kept) -> None:
    kept.run()
    assert [] == kept.engine.cleanup(max_age="9999999d").as_json()["tools"][0]["removed"]


def test_without_the_ledger_nothing_is_known_to_be_old(kept: Kept, three: Three) -> None:
    runs = three()
    place = kept.storage / "engine.db"
    place.rename(kept.desk.folder / "lost.db")
    with pytest.raises(StorageError, match="is gone or empty"):
        kept.clean(raw=True)
    Ledger(place).close()  # begun anew
    assert dict.fromkeys(runs, "the ledger knows of no such run") == reasons(kept.clean(raw=True), "raw")


# --- kills


def _sound(kept: Kept, storage: Path, rows: dict[str, list[Any]]) -> None:
    """Every version that is named can be read, the ledger says what is gone, and the tables are made again."""
    engine = kept.engine
    engine.config = engine.config.model_copy(update={"storage": storage})
    for run in engine.storage.shelf("acme").versions():
        engine.diff("acme", run, "latest").document()
    ledger = engine.storage.ledger()
    sealed = ledger.collections("acme")
    ledger.close()
    there = {(one.run, one.endpoint) for one in sealed if (storage / "raw_data/acme" / one.endpoint / one.run).is_dir()}
    assert {(one.run, one.endpoint) for one in sealed if not one.cleaned} <= there
    engine.process(kept.desk.folder / "acme.yaml")
    assert rows == {name: _ids(engine, name) for name in rows}


def _ids(engine: Any, table: str) -> list[Any]:
    ids: list[Any] = engine.table("acme", table).collect()["id"].to_list()
    return ids


def _kill_at(kept: Kept, number: int) -> int:
    """Clean a copy of the storage up, with a kill at a commit point; once more, and it is as if there had been none."""
    copy = kept.desk.folder / f"copy-{number}"
    shutil.copytree(kept.storage, copy)
    code = kept.killed("cleanup", number, storage=copy)
    again = kept.desk.folder / f"again-{number}"
    shutil.copytree(copy, again)
    _sound(kept, again, {"events": [1, 2, 3], "things": [1]})
    engine = kept.engine
    engine.config = engine.config.model_copy(update={"storage": copy})
    engine.cleanup(max_age=24, raw=True)
    whole = kept.desk.folder / "whole"
    if not whole.exists():
        shutil.copytree(kept.storage, whole)
        engine.config = engine.config.model_copy(update={"storage": whole})
        engine.cleanup(max_age=24, raw=True)
    assert state(whole) == state(copy)
    assert not (copy / GONE).exists()
    return code


def test_a_cleanup_that_is_killed_leaves_nothing_half(kept: Kept, three: Three) -> None:
    three()
    assert 9 == _kill_at(kept, 9)


@pytest.mark.slow
def test_a_cleanup_may_be_killed_at_any_commit_point(kept: Kept, three: Three) -> None:
    three()
    number = 1
    while _kill_at(kept, number) == 9:
        number += 1
    assert number > 20
