"""Every table of the Cequence page equals the stand-in's truth, row by row and column by column."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.flow.report import Result
from tests.house.command import engine as command
from tests.pipelines.apigee_run import by
from tests.pipelines.cequence_expected import answers, collected, events
from tests.pipelines.cequence_run import Row, Stage, opened
from tests.vendors.cequence import SHAPES
from tests.vendors.cequence_inventory import Inventory

KEYS = {
    "api_definitions": "id",
    "runtime_endpoints": "host method path",
    "endpoint_risks": "host method path risk_category",
    "sensitive_data": "host method path type location",
    "spec_drift": "host method path",
    "policies": "id",
    "external_hosts": "host",
    "external_findings": "id",
}
QUESTIONS = [
    "shadow_endpoints",
    "exposed_endpoints",
    "risk_growth",
    "threats",
    "unknown_hosts",
    "attack_sources",
    "paths",
    "host_summary",
]
RAW = "_raw"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result]]:
    """The whole page, and what came of it. Only to be looked at."""
    with opened(tmp_path_factory.mktemp("cequence") / "storage") as stage:
        yield stage, stage.run()


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Row]]:
    tables = collected(Inventory())
    tables["events"] = events(Inventory())
    return tables | answers(tables)


def without(rows: list[Row], *names: str) -> list[Row]:
    """The rows without these columns."""
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def test_the_run_is_complete_and_green(ran: tuple[Stage, Result]) -> None:
    _, result = ran
    assert ("succeeded", 0, 0, []) == (
        result.status,
        result.exit_code,
        result.quarantined,
        [one.endpoint for one in result.collections if not one.complete],
    )


def test_every_table_of_the_page_is_compared(ran: tuple[Stage, Result]) -> None:
    names = [*KEYS, *QUESTIONS, "events", "detection_events", "mitigation_events"]
    assert sorted(names) == sorted(ran[0].engine.current("cequence")["tables"])


@pytest.mark.parametrize("table", KEYS)
def test_a_collected_table_equals_its_truth(
    table: str, ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    assert by(KEYS[table], expected[table]) == by(KEYS[table], without(ran[0].rows(table), RAW))


@pytest.mark.parametrize("table", QUESTIONS)
def test_a_question_is_answered_with_the_right_rows_in_order(
    table: str, ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    rows = ran[0].rows(table)
    assert (True, expected[table]) == (bool(rows), rows)


def test_events_of_all_files_and_versions_are_there_once(
    ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    rows = without(ran[0].rows("events"), RAW, "event_id")
    assert by("user_hash", expected["events"]) == by("user_hash", rows)


def test_an_event_is_named_by_its_content(ran: tuple[Stage, Result]) -> None:
    ids = [row["event_id"] for row in ran[0].rows("events")]
    assert (40, {64}) == (len(set(ids)), {len(one) for one in ids})


@pytest.mark.parametrize(("table", "mitigated"), [("detection_events", False), ("mitigation_events", True)])
def test_an_event_is_a_detection_or_a_mitigation(table: str, mitigated: bool, ran: tuple[Stage, Result]) -> None:
    expected = sorted(row["event_id"] for row in ran[0].rows("events") if row["is_mitigated"] is mitigated)
    assert (True, expected) == (bool(expected), [row["event_id"] for row in ran[0].rows(table)])


@pytest.mark.parametrize("table", [*KEYS, "events"])
def test_fields_that_the_page_does_not_know_are_kept(table: str, ran: tuple[Stage, Result]) -> None:
    field = "sensor" if table == "events" else "tenant_note"
    assert [] == [row for row in ran[0].rows(table) if field not in json.loads(row[RAW])]


def test_lists_are_read_over_several_pages_up_to_an_empty_one(ran: tuple[Stage, Result]) -> None:
    pages = {one.endpoint: one.pages for one in ran[1].collections if one.endpoint in SHAPES}
    lists = Inventory().lists
    assert {name: -(-len(rows) // 7) + 1 for name, rows in lists.items()} == pages


def test_the_report_names_what_rests_on_assumption(ran: tuple[Stage, Result]) -> None:
    said = json.dumps(ran[1].as_json())
    assert [] == [name for name in SHAPES if name not in said.partition("rests on assumption")[2]]


def test_nothing_is_written_to_the_tenant(ran: tuple[Stage, Result]) -> None:
    asked = {(asked.method, asked.path.rpartition("/")[2]) for asked, _ in ran[0].vendor.log if asked.method != "GET"}
    assert {("POST", "token")} == asked


def test_a_second_run_adds_no_event_twice(tmp_path: Path) -> None:
    with opened(tmp_path / "storage") as stage:
        stage.publish("events", "event_lists")
        (stage.events / "2026-11-18.jsonl").unlink()
        stage.publish("events", "event_lists")
        assert 40 == len(stage.rows("events"))


@pytest.mark.slow
def test_the_page_runs_without_an_account(tmp_path: Path) -> None:
    answer = command("run", "cequence", "--simulate", "--storage", tmp_path / "storage")
    assert (0, True) == (answer.exit_code, "protection_workbook.simulated.xlsx" in answer.output)
