"""What happens in the middle of a run of the Apigee page when the vendor falters, and what the tables hold then."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.flow.ledger import Collection
from engine.flow.report import Result
from tests.pipelines.apigee_run import PAGE, Stage, opened
from tests.vendors.apigee_client import escape
from tests.vendors.server import Answer, Asked, Server

pytestmark = pytest.mark.slow

PROXIES = "GET .*/apis[?]"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened(tmp_path / "storage", max_page=20, max_count=50) as fresh:
        yield fresh


def of(result: Result, endpoint: str) -> Collection:
    """What came of an endpoint."""
    return next(one for one in result.collections if one.endpoint == endpoint)


# Trouble that passes


def test_a_token_that_dies_in_mid_run_is_renewed_once_for_all_threads(stage: Stage) -> None:
    stage.vendor.kill_tokens(after=9)
    result = stage.collect("developers", "proxy_revisions")
    assert (0, 130, 69) == (result.exit_code, of(result, "developers").rows, of(result, "proxy_revisions").rows)
    assert 2 == len(stage.vendor.asked("POST /token"))


def test_a_request_refused_for_its_token_is_repeated_once(stage: Stage) -> None:
    stage.vendor.kill_tokens(after=0)
    stage.vendor.fault(PROXIES, status=401)
    assert 0 == stage.collect("proxies").exit_code
    assert [401, 200] == [status for _, status in stage.vendor.asked(PROXIES)]


def test_a_second_refusal_of_the_token_ends_the_endpoint(stage: Stage) -> None:
    stage.vendor.fault(PROXIES, times=9, status=401)
    result = stage.collect("proxies")
    assert (3, [401, 401]) == (result.exit_code, [status for _, status in stage.vendor.asked(PROXIES)])


def test_a_token_is_renewed_before_it_expires(stage: Stage) -> None:
    stage.vendor.sign_in.expires_in = 300
    stage.vendor.fault(PROXIES, status=429, headers={"Retry-After": "299"})
    stage.collect("proxies")
    assert [429, 200] == [status for _, status in stage.vendor.asked(PROXIES)]
    assert 2 == len(stage.vendor.asked("POST /token"))


@pytest.mark.parametrize(
    ("header", "seconds"), [("17", 17.0), ("Fri, 20 Nov 2026 09:30:40 GMT", 40.0)], ids=["seconds", "date"]
)
def test_a_named_wait_is_kept_to(header: str, seconds: float, stage: Stage) -> None:
    stage.vendor.fault(PROXIES, status=429, headers={"Retry-After": header})
    assert 0 == stage.collect("proxies").exit_code
    assert pytest.approx(seconds, abs=0.1) == max(stage.hours.waited)


def test_too_many_requests_without_a_named_wait_are_tried_again(stage: Stage) -> None:
    stage.vendor.fault(PROXIES, times=4, status=429)
    result = stage.collect("proxies")
    assert (0, 60) == (result.exit_code, of(result, "proxies").rows)


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors_that_pass_leave_no_trace(status: int, stage: Stage) -> None:
    stage.vendor.fault(PROXIES, times=3, status=status, body=b"<html>upstream</html>")
    result = stage.collect("proxies")
    assert (0, 60, 4) == (result.exit_code, of(result, "proxies").rows, len(stage.vendor.asked(PROXIES)))


def test_a_reset_in_mid_body_is_tried_again_and_no_row_comes_twice(stage: Stage) -> None:
    stage.vendor.fault("GET .*/apps[?].*pageToken", times=2, reset=True)
    result = stage.collect("apps")
    expected = len(stage.vendor.world.apps_with("approved", "approved"))
    assert (0, expected, 4) == (result.exit_code, of(result, "apps").rows, of(result, "apps").pages)
    assert 6 == len(stage.vendor.asked("GET .*/apps[?]"))


def test_html_under_status_200_is_tried_again(stage: Stage) -> None:
    stage.vendor.html("GET .*/envgroups[?]", times=2)
    result = stage.collect("envgroups")
    assert (0, 27) == (result.exit_code, of(result, "envgroups").rows)


# Trouble that stays


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 500}, "status 500 after 5 tries: Planned fault 500."),
        ({"status": 403}, "status 403: Planned fault 403."),
        ({"reset": True}, "the connection broke"),
        ({"body": b"<html>Sign in</html>"}, "HTML instead of JSON"),
        ({"body": b""}, "an empty answer"),
        ({"body": b'{"proxies": [{"name": "cut'}, "not whole JSON"),
    ],
    ids=["500", "403", "reset", "HTML", "empty", "truncated"],
)
def test_trouble_that_stays_makes_the_run_incomplete(fault: dict[str, object], words: str, stage: Stage) -> None:
    stage.vendor.fault(PROXIES, times=99, **fault)  # type: ignore[arg-type]  # each is one of its keywords
    result = stage.collect("proxies", "sharedflows")
    assert ("incomplete", 3, True) == (result.status, result.exit_code, of(result, "sharedflows").complete)
    assert words in " ".join(of(result, "proxies").missing)


def test_a_parent_that_fails_makes_its_children_incomplete(stage: Stage) -> None:
    stage.vendor.fault("GET .*/environments$", times=99, status=500)
    result = stage.collect("addons")
    assert (3, False, False) == (
        result.exit_code,
        of(result, "environment_names").complete,
        of(result, "addons").complete,
    )


# Redirects


class Elsewhere(Server):
    """Another address, which answers whatever it is asked."""

    def answer(self, asked: Asked) -> Answer:
        return Answer.json({"proxies": []}, 403)


def test_a_redirect_to_another_host_is_refused(stage: Stage) -> None:
    stage.vendor.redirect(PROXIES, "http://elsewhere.example/v1/apis", times=99)
    result = stage.collect("proxies", "sharedflows")
    assert (3, True) == (result.exit_code, of(result, "sharedflows").complete)
    assert "a redirect leads to elsewhere.example, which is not allowed" in " ".join(of(result, "proxies").missing)


@pytest.mark.parametrize("status", [302, 307])
def test_no_credential_goes_to_another_address(status: int, stage: Stage) -> None:
    with Elsewhere() as other:
        stage.vendor.redirect(PROXIES, f"{other.url}/v1/apis", times=99, status=status)
        assert 3 == stage.collect("proxies").exit_code
        assert [("/v1/apis", None)] == [(asked.path, asked.headers.get("authorization")) for asked, _ in other.log]


def test_a_sign_in_that_redirects_sends_its_assertion_nowhere_else(stage: Stage) -> None:
    with Elsewhere() as other:
        stage.vendor.redirect("POST /token", f"{other.url}/token", times=99, status=307)
        result = stage.collect("proxies")
        assert (3, []) == (result.exit_code, other.log)
        assert "the sign-in" in of(result, "proxies").missing[0]


# Add-ons


def test_an_addon_that_is_off_in_other_words_is_skipped_too(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", addons_off=400) as stage:
        result = stage.collect("security_incidents")
        skipped = ('env "sandbox": needs the Advanced API Security add-on',)
        assert (0, skipped) == (result.exit_code, of(result, "security_incidents").skipped)


def test_any_other_400_is_no_skip(stage: Stage) -> None:
    stage.vendor.fault("GET .*prod/securityIncidents", status=400)
    result = stage.collect("security_incidents")
    assert (3, True) == (result.exit_code, "prod" in of(result, "security_incidents").missing[0])


def test_without_its_address_api_hub_is_skipped_with_words(stage: Stage) -> None:
    params = {name: value for name, value in stage.params.items() if name != "apihub_base_url"}
    result = stage.engine.collect(PAGE, params=params, only=["hub_operations"])
    words = ("set apihub_base_url to see what API hub discovered",)
    assert (0, [words, words]) == (result.exit_code, [one.skipped for one in result.collections])


# One that is missing


@dataclass(frozen=True)
class Gap:
    """A stage; how its tables were made at first; what was collected then with a gap, and made of it."""

    stage: Stage
    before: Result
    collected: Result
    made: Result


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gap]:
    """A whole run, and one behind it in which the vendor knows one developer no more."""
    with opened(tmp_path_factory.mktemp("gap") / "storage") as stage:
        only = ["developers", "sharedflows"]
        _, before = stage.publish(*only)
        stage.vendor.fault(f"GET .*/developers/{escape(stage.vendor.world.email(21))}$", times=9, status=404)
        yield Gap(stage, before, *stage.publish(*only))


def test_one_missing_developer_makes_the_run_incomplete(gap: Gap) -> None:
    assert ("incomplete", 3) == (gap.collected.status, gap.collected.exit_code)
    assert ["developers"] == [one.endpoint for one in gap.collected.collections if not one.complete]


def test_the_missing_developer_is_named(gap: Gap) -> None:
    [missing] = of(gap.collected, "developers").missing
    assert (True, True) == (gap.stage.vendor.world.email(21) in missing, "status 404" in missing)
    [told] = [entry["missing"] for entry in gap.collected.as_json()["endpoints"] if entry["endpoint"] == "developers"]
    assert [missing] == told


def test_the_other_developers_are_asked_for_all_the_same(gap: Gap) -> None:
    assert 129 == of(gap.collected, "developers").rows


def test_a_table_with_a_gap_keeps_its_current_version(gap: Gap) -> None:
    [made] = [made for made in gap.made.tables if made.name == "developers"]
    current = gap.stage.engine.current("apigee")["tables"]["developers"]
    assert (True, gap.before.run, 130) == (made.kept, current["run"], len(gap.stage.rows("developers")))


def test_the_other_tables_are_replaced(gap: Gap) -> None:
    tables = gap.stage.engine.current("apigee")["tables"]
    assert [gap.made.run] * 2 == [tables[name]["run"] for name in ("sharedflows", "developer_emails")]


def test_on_the_first_run_a_table_with_a_gap_is_published_as_incomplete(stage: Stage) -> None:
    stage.vendor.fault("GET .*/environments/prod/addonsConfig", status=404)
    result, _ = stage.publish("addons")
    entry = stage.engine.current("apigee")["tables"]["addons"]
    assert (3, False, 4) == (result.exit_code, entry["complete"], of(result, "addons").rows)
