"""Every table of the Apigee page equals the stand-in's truth, row by row and column by column."""

import json

import pytest

from engine.flow.report import Result
from tests.pipelines.apigee_answers import answers
from tests.pipelines.apigee_expected import callers, deployments, inventory
from tests.pipelines.apigee_run import Row, Stage, by
from tests.pipelines.apigee_watched import traffic, watched
from tests.vendors.apigee_truth import World

KEYS = {
    "environment_names": "name",
    "environments": "name",
    "addons": "environment",
    "proxies": "name",
    "proxy_revisions": "proxy revision",
    "deployments": "environment proxy revision",
    "sharedflows": "name",
    "sharedflow_deployments": "environment sharedflow revision",
    "envgroups": "name",
    "envgroup_attachments": "envgroup name",
    "apiproducts": "name",
    "developer_emails": "email",
    "developers": "email",
    "apps": "app_id",
    "app_keys": "app_id key_hash",
    "key_products": "app_id key_hash product",
    "security_incidents": "name",
    "security_actions": "name",
    "risk_assessments": "environment proxy revision",
    "failed_assessments": "environment proxy revision",
    "risk_checks": "environment proxy revision check_name",
    "security_monitoring_conditions": "name",
    "traffic_stats": "environment proxy metric at",
    "hub_observations": "name",
    "hub_operations": "name",
}
QUESTIONS = [
    "live_surface",
    "unprotected_live_revisions",
    "risky_keys",
    "unanswered_incidents",
    "open_products",
    "undocumented_traffic",
    "unwatched_proxies",
    "traffic_by_day",
    "environment_summary",
]
JSON_COLUMNS = {"proxies": ["labels"], "apiproducts": ["operations"]}


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Row]]:
    world = World()
    tables = inventory(world) | callers(world, world.now) | watched(world, world.now)
    tables["deployments"] = deployments(world, tables["proxy_revisions"], tables["risk_assessments"], world.now)
    tables["traffic_stats"] = traffic(world, world.now, world.now)
    return tables | answers(tables)


def decoded(table: str, rows: list[Row]) -> list[Row]:
    """The rows with their JSON columns read."""
    names = JSON_COLUMNS.get(table, [])
    return [{**row, **{name: row[name] and json.loads(row[name]) for name in names}} for row in rows]


def test_the_run_is_complete_and_green(ran: tuple[Stage, Result]) -> None:
    _, result = ran
    assert ("succeeded", 0, 0, []) == (
        result.status,
        result.exit_code,
        result.quarantined,
        [one.endpoint for one in result.collections if not one.complete],
    )


def test_every_table_of_the_page_is_compared(ran: tuple[Stage, Result]) -> None:
    stage, _ = ran
    assert sorted([*KEYS, *QUESTIONS]) == sorted(stage.engine.current("apigee")["tables"])


@pytest.mark.parametrize("table", KEYS)
def test_a_collected_table_equals_its_truth(
    table: str, ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    rows = decoded(table, ran[0].rows(table))
    assert by(KEYS[table], expected[table]) == by(KEYS[table], rows)


@pytest.mark.parametrize("table", KEYS)
def test_a_collected_table_has_rows_and_no_key_twice(table: str, ran: tuple[Stage, Result]) -> None:
    keys = [tuple(row[name] for name in KEYS[table].split()) for row in ran[0].rows(table)]
    assert (True, len(set(keys))) == (bool(keys), len(keys))


@pytest.mark.parametrize("table", QUESTIONS)
def test_a_question_is_answered_with_the_right_rows_in_order(
    table: str, ran: tuple[Stage, Result], expected: dict[str, list[Row]]
) -> None:
    rows = ran[0].rows(table)
    assert (True, expected[table]) == (bool(rows), rows)


def test_lists_are_read_over_many_pages(ran: tuple[Stage, Result]) -> None:
    pages = {one.endpoint: one.pages for one in ran[1].collections}
    paged = ["envgroups", "apiproducts", "developer_emails", "apps", "security_incidents", "security_actions"]
    paged += ["risk_assessments", "traffic_stats", "hub_observations", "hub_operations"]
    assert [] == [name for name in paged if pages[name] < 4]


def test_an_environment_without_the_addon_is_skipped_with_words(ran: tuple[Stage, Result]) -> None:
    skipped = {one.endpoint: one.skipped for one in ran[1].collections if one.skipped}
    words = 'env "sandbox": needs the Advanced API Security add-on and roles/apigee.securityViewer'
    assert dict.fromkeys(["security_incidents", "security_actions", "risk_assessments"], (words,)) == skipped


def test_no_request_was_refused_but_those_that_are_skipped(ran: tuple[Stage, Result]) -> None:
    stage, _ = ran
    refused = sorted({asked.path.rpartition("/")[2] for asked, status in stage.vendor.log if status != 200})
    assert ["securityActions", "securityAssessmentResults:batchCompute", "securityIncidents"] == refused


def test_a_warning_names_the_products_that_are_gone(ran: tuple[Stage, Result]) -> None:
    [made] = [made for made in ran[1].tables if made.name == "key_products"]
    world = World()
    gone = [
        opened
        for app in world.apps
        for key in app.get("credentials", [])
        for opened in key["apiProducts"]
        if opened["apiproduct"] == "Retired Product"
    ]
    assert [("refers_to", len(gone), "warning")] == [(o.rule, o.failed, o.level) for o in made.outcomes if o.failed]
