"""Every table of the 42Crunch page equals the stand-in's truth, row by row and column by column."""

import json
from collections.abc import Iterator

import pytest

from engine.flow.report import Result
from tests.pipelines.apigee_run import by
from tests.pipelines.crunch_answers import answers
from tests.pipelines.crunch_expected import apis, audits, organization
from tests.pipelines.crunch_run import Stage, opened
from tests.pipelines.crunch_scanned import scans
from tests.vendors.crunch_inventory import Row
from tests.vendors.crunch_reports import Reports

KEYS = {
    "collections": "id",
    "collection_users": "collection_id id",
    "apis": "id",
    "api_tags": "api_id category tag",
    "tags": "id",
    "categories": "id",
    "audit_reports": "id",
    "audit_issues": "report_id section issue_id pointer detail",
    "unauthenticated_operations": "report_id pointer",
    "audit_compliance": "report_id",
    "audit_gates": "id",
    "scan_gates": "id",
    "scan_reports": "task_id",
    "scan_report": "task_id",
    "scan_issues": "task_id operation kind test place http_status",
    "data_dictionaries": "id",
    "dictionary_formats": "dictionary_id format",
}
QUESTIONS = [
    "current_audits",
    "gate_failures",
    "overdue_apis",
    "open_operations",
    "invalid_contracts",
    "recurring_issues",
    "broken_authorization",
    "shared_writers",
    "unowned_apis",
    "api_surface",
    "collection_summary",
]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result]]:
    """The whole page, collected in pages of five, and what came of it. Only to be looked at."""
    with opened(tmp_path_factory.mktemp("crunch") / "storage", max_page=5) as stage:
        yield stage, stage.run()


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Row]]:
    world = Reports()
    tables = organization(world) | apis(world) | audits(world) | scans(world)
    return tables | answers(tables)


def shown(table: str, rows: list[Row]) -> list[Row]:
    """The rows with their JSON read, without the hash of the record."""
    left_out = "fingerprint" if table == "scan_issues" else ""
    rows = [{name: value for name, value in row.items() if name != left_out} for row in rows]
    return [{**row, "directives": json.loads(row["directives"])} for row in rows] if table == "scan_gates" else rows


def test_the_run_is_complete_and_green(ran: tuple[Stage, Result]) -> None:
    _, result = ran
    assert ("succeeded", 0, 0, []) == (
        result.status,
        result.exit_code,
        result.quarantined,
        [one.endpoint for one in result.collections if not one.complete],
    )


def test_every_table_of_the_page_is_compared(ran: tuple[Stage, Result]) -> None:
    assert sorted([*KEYS, *QUESTIONS]) == sorted(ran[0].engine.current("42crunch")["tables"])


@pytest.mark.parametrize("table", KEYS)
def test_a_collected_table_equals_its_truth(
    table: str, ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    rows = shown(table, ran[0].rows(table))
    assert by(KEYS[table], expected[table]) == by(KEYS[table], rows)


@pytest.mark.parametrize("table", KEYS)
def test_a_collected_table_has_rows(table: str, ran: tuple[Stage, Result]) -> None:
    assert [] != ran[0].rows(table)


@pytest.mark.parametrize("table", QUESTIONS)
def test_a_question_is_answered_with_the_right_rows_in_order(
    table: str, ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    rows = ran[0].rows(table)
    assert (True, expected[table]) == (bool(rows), rows)


def test_lists_are_read_over_many_pages(ran: tuple[Stage, Result]) -> None:
    pages = {one.endpoint: one.pages for one in ran[1].collections}
    # Collections with 57, 9, 6 APIs take 12, 2, 2 pages of five; the other nine, two of them empty, take one each.
    assert (3, 25) == (pages["collections"], pages["apis"])


def test_warnings_name_the_wrong_sum_and_the_count_that_moved(ran: tuple[Stage, Result]) -> None:
    warned = {made.name: [o.failed for o in made.outcomes if o.failed] for made in ran[1].tables}
    assert {"audit_reports": [1], "collection_summary": [1]} == {name: found for name, found in warned.items() if found}


def test_old_scan_reports_come_from_version_one(ran: tuple[Stage, Result]) -> None:
    rows = {one.endpoint: one.rows for one in ran[1].collections}
    world = Reports()
    old = sum(len(world.scans(api)) for api in world.apis if world.old(api))
    assert (True, old) == (old > 0, rows["scan_report_v1"])
