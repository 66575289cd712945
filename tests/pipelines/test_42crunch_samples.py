"""A real scan report, a real collection and an audit report built from public types, read through the 42Crunch page."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.flow.report import Result
from tests.pipelines.crunch_run import Stage, opened
from tests.vendors.crunch import Crunch
from tests.vendors.crunch_inventory import Row
from tests.vendors.server import Answer, Asked

OFFICIAL = Path(__file__).parents[1] / "vendors" / "official"


def sample(name: str) -> Any:
    """A sample file."""
    return json.loads((OFFICIAL / f"42crunch_{name}.json").read_text())


SCAN = sample("scan_report")["report"]
AUDIT = sample("audit_report")["wrapper"]
COLLECTION = sample("collection")["sample"]
API = AUDIT["aid"]
TASK = SCAN["tid"]


def wired(report: Row) -> Row:
    """The real report as it travels: its data as JSON in base64."""
    return {**report, "data": base64.b64encode(json.dumps(report["data"]).encode()).decode()}


ANSWERS: dict[str, Any] = {
    "/api/v2/collections": {"num": 1, "list": [COLLECTION]},
    f"/api/v2/collections/{COLLECTION['desc']['id']}/apis": {
        "num": 1,
        "list": [
            {
                "desc": {"id": API, "cid": COLLECTION["desc"]["id"], "name": "Orders"},
                "assessment": {"isProcessed": True, "last": AUDIT["date"], "isValid": True, "grade": 58.5},
            }
        ],
    },
    f"/api/v1/apis/{API}/assessmentreport": AUDIT,
    f"/api/v2/apis/{API}/scanReports": {"list": [{"report": {"taskId": TASK, "name": "", "start": 1651678610}}]},
    f"/api/v2/scanReports/{TASK}": wired(SCAN),
}


class Sampled(Crunch):
    """Answers with the samples."""

    def answer(self, asked: Asked) -> Answer:
        return Answer.json(ANSWERS[asked.path])


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result, Result]]:
    """The samples, read and made into tables."""
    with opened(tmp_path_factory.mktemp("samples") / "storage", kind=Sampled) as stage:
        yield stage, *stage.publish("audit_reports", "scan_report")


def utc(text: str) -> datetime:
    """A time of this test."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_samples_break_no_rule(read: tuple[Stage, Result, Result]) -> None:
    _, collected, made = read
    assert (0, 0, 0) == (collected.exit_code, made.exit_code, made.quarantined)


def test_the_real_collection(read: tuple[Stage, Result, Result]) -> None:
    expected = {
        "id": "64e7de1a-4522-438e-9287-b53a9cea7463",
        "name": "xxx-xxx_insights_service",
        "technical_name": "64e7de1a-4522-438e-9287-b53a9cea7463",
        "source": "default",
        "is_shared": True,
        "is_shared_for_writing": False,
        "organization": "xxx",
        "may_read": True,
        "may_write": True,
        "may_write_apis": True,
        "apis": 0,
        "owner_id": None,
        "owner": None,
        "users": 0,
        "teams": 0,
    }
    assert [expected] == read[0].rows("collections")


# The real scan report


def test_the_summary_of_the_real_scan(read: tuple[Stage, Result, Result]) -> None:
    expected = {
        "task_id": "f8e185a0-f7da-4056-b4d9-400375eb339b",
        "api_id": "de69a834-7dd8-4bb4-bd86-bde1be5d9d67",
        "scan_version": "1.18.0",
        "report_version": "2.2.2",
        "host": "http://photo-demo.westeurope.cloudapp.azure.com/version1/api",
        "started_at": utc("2022-05-04T15:36:50.653878"),
        "ended_at": utc("2022-05-04T15:36:51.574748"),
        "state": "finished",
        "exit_code": 0,
        "requests": 137,
        "issues": 91,
        "criticals": 0,
        "highs": 0,
        "mediums": 91,
        "lows": 0,
        "infos": 0,
        "ended_well": True,
    }
    assert [expected] == read[0].rows("scan_report")


def test_every_test_of_the_real_scan_is_a_row(read: tuple[Stage, Result, Result]) -> None:
    rows = read[0].rows("scan_issues")
    assert (137, 137) == (len(rows), len({row["fingerprint"] for row in rows}))
    assert {0: 96, 2: 32, 3: 1, 4: 8} == Counter(row["criticality"] for row in rows)
    assert 41 == sum(row["failed"] for row in rows)


def test_the_tests_of_the_real_scan_by_operation(read: tuple[Stage, Result, Result]) -> None:
    found = Counter((row["path"], row["method"]) for row in read[0].rows("scan_issues"))
    # Of 48 operations three were not tested, because their first request did not go well.
    assert (45, 31) == (len(found), found["/user/edit_info", "put"])
    assert [0, 0, 0] == [found[path, "get"] for path in ("/admin/all_users", "/admin/users/search", "/user/info")]


def test_what_the_real_scan_tried(read: tuple[Stage, Result, Result]) -> None:
    found = Counter(row["test"] for row in read[0].rows("scan_issues"))
    assert (42, 1) == (found["path-item-method-not-allowed-scan"], found["partial-security-accepted"])


def test_a_failed_test_of_the_real_scan(read: tuple[Stage, Result, Result]) -> None:
    [row] = [row for row in read[0].rows("scan_issues") if row["test"] == "partial-security-accepted"]
    del row["fingerprint"]
    expected = {
        "task_id": "f8e185a0-f7da-4056-b4d9-400375eb339b",
        "api_id": "de69a834-7dd8-4bb4-bd86-bde1be5d9d67",
        "operation": "/user/edit_info",
        "kind": "put",
        "path": "/user/edit_info",
        "test": "partial-security-accepted",
        "place": "/paths/~1user~1edit_info/put",
        "criticality": 3,
        "outcome": None,
        "test_successful": None,
        "owasp": 0,
        "http_status": 502,
        "severity": "medium",
        "method": "put",
        "failed": True,
        "is_authorization": False,
    }
    assert expected == row


def test_the_real_scan_leaves_no_request_behind(read: tuple[Stage, Result, Result]) -> None:
    assert [] == [name for name, text in read[0].everywhere() if "X-Access-Token: ******" in text]


# The audit report that is built from public types


def test_the_built_audit(read: tuple[Stage, Result, Result]) -> None:
    expected = {
        "id": "5b6f6a4e-0f5f-4a5e-9a3e-0f3c2d1b7a11",
        "api_id": "de69a834-7dd8-4bb4-bd86-bde1be5d9d67",
        "audited_at": utc("2026-03-01T09:30:00"),
        "is_valid": True,
        "openapi_state": "valid",
        "score": 58.5,
        "security_score": 15.0,
        "data_score": 43.5,
        "criticality": 4,
        "api_name": "Orders",
        "api_version": "1.0.0",
        "oas_version": "3.0",
        "basepath": "/v1",
        "endpoints": ["https://api.example.com/v1"],
        "paths": 2,
        "operations": 2,
        "was_cut": False,
        "audit_band": "weak",
    }
    assert [expected] == read[0].rows("audit_reports")


def test_the_issues_of_the_built_audit(read: tuple[Stage, Result, Result]) -> None:
    names = ("section", "issue_id", "severity", "score", "place", "path", "method")
    schema = "/paths/~1orders/get/responses/200/content/application~1json/schema"
    undefined = ("data", "v3-response-schema-undefined", "medium")
    assert [
        (*undefined, 10.0, "/paths/~1orders/get", "/orders", "get"),
        (*undefined, 16.5, schema, "/orders", "get"),
        ("security", "v3-global-security", "high", 15.0, "", None, None),
    ] == [tuple(row[name] for name in names) for row in read[0].rows("audit_issues")]


def test_the_operation_without_authentication_of_the_built_audit(read: tuple[Stage, Result, Result]) -> None:
    rows = [(row["method"], row["path"]) for row in read[0].rows("unauthenticated_operations")]
    assert [("post", "/login")] == rows
