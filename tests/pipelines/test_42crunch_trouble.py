"""What happens in a run of the 42Crunch page when the platform falters, refuses, or audits again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.flow.ledger import Collection
from engine.flow.report import Result
from tests.pipelines.crunch_run import Stage, opened
from tests.vendors.crunch_inventory import Row, rfc3339
from tests.vendors.crunch_reports import Reports

pytestmark = pytest.mark.slow

TAGS = "GET .*/tags$"


@dataclass(frozen=True)
class Small(Reports):
    """Two collections with four and six APIs, which keeps a run short; `again` are audited once more."""

    again: frozenset[int] = frozenset()

    @property
    def collections(self) -> list[Row]:
        """Two of the twelve."""
        return [row for row in super().collections if row["summary"]["apis"] in (4, 7)]

    @property
    def apis(self) -> list[Row]:
        """The APIs of the two."""
        kept = {row["desc"]["id"] for row in self.collections}
        found = [api for api in super().apis if api["desc"]["cid"] in kept]
        last = rfc3339(self.ago(hours=1))
        return [
            {**api, "assessment": {**api["assessment"], "last": last}} if api["n"] in self.again else api
            for api in found
        ]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened(tmp_path / "storage", Small()) as fresh:
        yield fresh


def of(result: Result, endpoint: str) -> Collection:
    """What came of an endpoint."""
    return next(one for one in result.collections if one.endpoint == endpoint)


def audited(stage: Stage) -> list[Row]:
    """The APIs whose report is asked for."""
    world = stage.vendor.world
    return [api for api in world.apis if world.audited(api) and api["assessment"]["isProcessed"]]


# The token


def test_a_token_that_has_expired_ends_the_run_as_incomplete(stage: Stage) -> None:
    stage.vendor.expired = True
    result = stage.collect("apis")
    assert ("incomplete", 3) == (result.status, result.exit_code)
    assert "status 401: token expired" in of(result, "collections").missing[0]


def test_a_token_that_has_expired_is_not_tried_on_and_on(stage: Stage) -> None:
    stage.vendor.expired = True
    stage.collect("tags")
    assert [401] == [status for _, status in stage.vendor.log]


# Limits and errors that pass


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_trouble_that_passes_leaves_no_trace(status: int, stage: Stage) -> None:
    stage.vendor.fault(TAGS, times=3, status=status)
    result = stage.collect("tags")
    assert (0, 6, 4) == (result.exit_code, of(result, "tags").rows, len(stage.vendor.asked(TAGS)))


def test_a_named_wait_is_kept_to(stage: Stage) -> None:
    stage.vendor.fault(TAGS, status=429, headers={"Retry-After": "17"})
    assert 0 == stage.collect("tags").exit_code
    assert pytest.approx(17, abs=0.1) == max(stage.hours.waited)


def test_a_full_plan_is_not_tried_again(stage: Stage) -> None:
    stage.vendor.fault(TAGS, times=9, status=409, body=b'{"code":109,"message":"limit reached"}')
    result = stage.collect("tags")
    assert (3, 1) == (result.exit_code, len(stage.vendor.asked(TAGS)))
    assert "status 409: limit reached" in of(result, "tags").missing[0]


def test_pages_are_held_to_two_a_second_unless_said_otherwise(stage: Stage) -> None:
    stage.engine.collect("pipelines/42crunch.yaml", params={"base_url": stage.vendor.url}, only=["collection_users"])
    # The first of three requests is free, each of the others waits half a second.
    assert pytest.approx(1.0, abs=0.1) == sum(stage.hours.waited)


# Refusals


def test_an_old_report_that_is_refused_is_read_at_its_old_address(stage: Stage) -> None:
    result = stage.collect("scan_report_v1")
    world = stage.vendor.world
    old = [row["report"]["taskId"] for api in world.apis if world.old(api) for row in world.scans(api)]
    assert (0, len(old)) == (result.exit_code, of(result, "scan_report_v1").rows)
    assert sorted(old) == sorted(a.path.rpartition("/")[2] for a, _ in stage.vendor.asked("GET /api/v1/scanReports/"))


def test_an_old_report_that_is_refused_with_a_status_is_skipped_with_words(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", Small(), refusal_status=403) as stage:
        result = stage.collect("scan_report_v1")
        skipped = of(result, "scan_report").skipped
        old = sum(len(stage.vendor.world.scans(api)) for api in stage.vendor.world.apis if stage.vendor.world.old(api))
        assert (0, old) == (result.exit_code, len(skipped))
        assert "the token may not read this report" in skipped[0]


def test_people_of_a_collection_who_may_not_be_seen_are_skipped_with_words(stage: Stage) -> None:
    stage.vendor.fault("GET .*/users$", times=1, status=403)
    result = stage.collect("collection_users")
    skipped = of(result, "collection_users").skipped
    assert (0, 1, True) == (result.exit_code, len(skipped), "may not see who uses this collection" in skipped[0])


def test_a_report_that_is_gone_is_skipped_and_asked_for_again_next_time(stage: Stage) -> None:
    found = audited(stage)
    address = f"GET .*/apis/{found[0]['desc']['id']}/assessmentreport"
    stage.vendor.fault(address, status=404, body=b'{"code":5,"message":"no result"}')
    first, second = stage.collect("audit_compliance"), stage.collect("audit_compliance")
    assert (1, True) == (
        len(of(first, "audit_reports").skipped),
        "no such report" in of(first, "audit_reports").skipped[0],
    )
    assert (len(found) - 1, 1) == (of(first, "audit_reports").rows, of(second, "audit_reports").rows)


def test_a_report_that_does_not_decode_makes_the_run_incomplete(stage: Stage) -> None:
    found = audited(stage)[0]["desc"]["id"]
    stage.vendor.fault(f"GET .*/apis/{found}/assessmentreport", times=9, body=b'{"tid":"t","data":"?","enc":"base64"}')
    result = stage.collect("audit_reports")
    assert (3, 1) == (result.exit_code, len(of(result, "audit_reports").missing))
    assert "data" in of(result, "audit_reports").missing[0]


# Again


def test_reports_beside_one_that_failed_are_kept_and_that_one_is_asked_for_again(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", Small()) as stage:
        found = audited(stage)
        stage.vendor.fault(f"GET .*/apis/{found[0]['desc']['id']}/assessmentreport", times=5, status=500)
        first, _ = stage.publish("audit_compliance")
        second, _ = stage.publish("audit_compliance")
        assert (3, len(found) - 1) == (first.exit_code, of(first, "audit_reports").rows)
        assert (0, 1) == (second.exit_code, of(second, "audit_reports").rows)
        assert sorted(api["desc"]["id"] for api in found) == sorted(r["api_id"] for r in stage.rows("audit_reports"))


def test_a_report_is_asked_for_again_where_the_audit_moved(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", Small()) as stage:
        stage.collect("audit_compliance", "scan_report_v1")
        moved = audited(stage)[1]
        stage.vendor.world = Small(again=frozenset({moved["n"]}))
        before = len(stage.vendor.log)
        stage.collect("audit_compliance", "scan_report_v1")
        reports = [a.path for a, _ in stage.vendor.log[before:] if "assessmentreport" in a.path or "Reports/" in a.path]
        assert [f"/api/v1/apis/{moved['desc']['id']}/assessmentreport"] == reports


def test_the_reports_of_earlier_runs_stay_and_questions_ask_the_latest(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", Small()) as stage:
        stage.run()
        moved = next(api for api in audited(stage) if api["n"] % 3)
        stage.vendor.world = Small(again=frozenset({moved["n"]}))
        stage.run()
        aid, latest = (
            moved["desc"]["id"],
            stage.vendor.world.audit_task(next(a for a in audited(stage) if a["n"] == moved["n"])),
        )
        reports = {row["id"] for row in stage.rows("audit_reports") if row["api_id"] == aid}
        current = [row["report_id"] for row in stage.rows("current_audits") if row["api_id"] == aid]
        assert ({stage.vendor.world.audit_task(moved), latest}, [latest]) == (reports, current)
        assert moved["n"] % 3 == len([row for row in stage.rows("open_operations") if row["api_id"] == aid])


# Rows that break a rule


class Beyond(Small):
    """Each issue points behind the end of its report's index."""

    def audit(self, api: Row) -> Row:
        report = super().audit(api)
        return {**report, "index": report["index"][:4]}


def test_an_issue_that_points_behind_the_index_goes_to_quarantine(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", Beyond()) as stage:
        _, made = stage.publish("audit_reports")
        [issues] = [table for table in made.tables if table.name == "audit_issues"]
        world = stage.vendor.world
        beyond = [
            issue
            for api in audited(stage)
            for section in ("security", "data", "semanticErrors", "validationErrors", "warnings")
            for group in world.audit(api).get(section, {}).get("issues", {}).values()
            for issue in group["issues"]
            if issue["pointer"] >= 4
        ]
        assert (4, len(beyond)) == (made.exit_code, issues.quarantined)
        assert [("expression", len(beyond))] == [(o.rule, o.failed) for o in issues.outcomes if o.failed]


class Mistaken(Small):
    """One report is about another API than the one it was asked for."""

    def audit_envelope(self, api: Row) -> Row:
        envelope = super().audit_envelope(api)
        return {**envelope, "aid": "another"} if api["n"] == audited_first(self) else envelope


def audited_first(world: Reports) -> int:
    """The number of the first API with a report."""
    return next(int(api["n"]) for api in world.apis if world.audited(api) and api["assessment"]["isProcessed"])


def test_a_report_about_another_api_goes_to_quarantine(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", Mistaken()) as stage:
        _, made = stage.publish("audit_reports")
        [reports] = [table for table in made.tables if table.name == "audit_reports"]
        assert (4, 1) == (made.exit_code, reports.quarantined)


def test_an_audit_without_its_verdict_is_asked_about_in_the_next_run(stage: Stage) -> None:
    task = stage.vendor.world.audit_task(audited(stage)[0])
    stage.vendor.fault(f"GET .*/reportComplianceStatus/{task}", times=5, status=500)
    first, second = stage.publish("audit_compliance")[0], stage.publish("audit_compliance")[0]
    assert (3, 0) == (first.exit_code, second.exit_code)
    verdicts = of(first, "audit_compliance").rows, of(second, "audit_compliance").rows
    assert (len(audited(stage)) - 1, 1) == verdicts
