"""A second run of the Apigee page asks only for what can have changed, and its tables equal the truth again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from tests.pipelines.apigee_expected import instant
from tests.pipelines.apigee_run import Stage, by, opened
from tests.pipelines.apigee_watched import traffic, watched
from tests.vendors.apigee_inventory import ANCHOR, Row, epoch_ms, rfc3339
from tests.vendors.apigee_truth import World

pytestmark = pytest.mark.slow

LATER = ANCHOR + timedelta(days=3, hours=5)


@dataclass(frozen=True)
class Aged(World):
    """The same organization days later: an incident was archived, one was seen again, one is new, the rest stayed."""

    def incidents(self, env: str) -> list[Row]:
        rows = [dict(row) for row in World().incidents(env)]
        if env != "prod":
            return rows
        newest = sorted(rows, key=lambda row: str(row["lastDetectedTime"]), reverse=True)
        newest[1] |= {"observability": "ARCHIVED", "lastObservabilityChangeTime": rfc3339(self.ago(1))}
        rows[7] |= {"lastDetectedTime": rfc3339(self.ago(hours=2)), "trafficCount": "77"}
        rows.append({**rows[3], "name": f"{rows[3]['name']}-new", "lastDetectedTime": rfc3339(self.ago(hours=1))})
        return rows


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, int]]:
    """Two runs of what is incremental, three days apart; and how many requests the first one took."""
    storage: Path = tmp_path_factory.mktemp("again") / "storage"
    only = ["environments", "security_incidents", "traffic_stats"]
    with opened(storage, max_page=7) as stage:
        stage.publish(*only)
        first = len(stage.vendor.log)
        stage.vendor.world = Aged(now=LATER)
        stage.hours.set(LATER)
        stage.publish(*only)
        yield stage, first


def asked(stage: Stage, first: int, what: str) -> tuple[list[str], list[str]]:
    """The addresses of the first and of the second run, decoded, each once, of the environment prod."""
    seen = [(n, unquote_plus(one.target)) for n, (one, _) in enumerate(stage.vendor.log)]
    of_prod = [(n, target) for n, target in seen if f"environments/prod/{what}" in target]
    return [t for n, t in of_prod if n < first], [t for n, t in of_prod if n >= first]


def test_incidents_equal_the_truth_again(twice: tuple[Stage, int]) -> None:
    expected = watched(Aged(now=LATER), LATER)["security_incidents"]
    assert by("name", expected) == by("name", twice[0].rows("security_incidents"))


def test_traffic_equals_the_truth_again(twice: tuple[Stage, int]) -> None:
    key = "environment proxy metric at"
    assert by(key, traffic(Aged(now=LATER), ANCHOR, LATER)) == by(key, twice[0].rows("traffic_stats"))


def test_the_window_of_incidents_begins_eight_days_before_the_last_one_seen(twice: tuple[Stage, int]) -> None:
    first, second = asked(twice[0], twice[1], "securityIncidents")
    last_seen = max(instant(row["lastDetectedTime"]) or ANCHOR for row in World().incidents("prod"))
    starts = [{re.search(r'> "([^"]+)"', target)[1] for target in run} for run in (first, second)]  # type: ignore[index]  # None fails
    begins = (last_seen - timedelta(days=8)).replace(microsecond=0)  # at a whole second, the step of these windows
    assert [[ANCHOR - timedelta(days=420)], [begins]] == [[instant(text) for text in texts] for texts in starts]


def test_the_window_of_traffic_begins_at_the_start_of_the_day_before_the_last_run(
    twice: tuple[Stage, int],
) -> None:
    spans = [
        {re.search(r"timeRange=([^&]+)", target)[1] for target in run}  # type: ignore[index]  # None fails
        for run in asked(twice[0], twice[1], "stats")
    ]
    assert [{"10/21/2026 00:00~11/20/2026 09:30"}, {"11/19/2026 00:00~11/23/2026 14:30"}] == spans


def test_a_second_run_asks_for_fewer_incidents(twice: tuple[Stage, int]) -> None:
    first, second = asked(twice[0], twice[1], "securityIncidents")
    assert len(second) < len(first)


def test_a_day_that_was_a_part_is_whole_after_the_second_run(twice: tuple[Stage, int]) -> None:
    day = ANCHOR.replace(hour=0, minute=0)

    def calls(rows: list[Row]) -> float:
        return sum(float(row["value"]) for row in rows if (row["at"], row["metric"]) == (day, "sum(message_count)"))

    part, whole = traffic(World(), ANCHOR, ANCHOR), traffic(Aged(now=LATER), ANCHOR, LATER)
    assert (True, calls(whole)) == (calls(part) < calls(whole), calls(twice[0].rows("traffic_stats")))


# when_changed, which this page does not need: a page of its own asks for details of what moved.

DETAILS = """
version: 1
tool: details
params: { organization: {}, base_url: {}, apihub_base_url: {}, rate_limit: { type: rate } }
secrets: { service_account: { env: APIGEE_SERVICE_ACCOUNT_KEY } }
connection:
  base_url: ${param.base_url}
  auth: { google_service_account: { key: "${secret.service_account}" } }
  rate_limit: ${param.rate_limit}
endpoints:
  proxies:
    get: /organizations/${param.organization}/apis
    query: { includeRevisions: true, includeMetaData: true }
    records: proxies
  details:
    for_each: { api: { endpoint: proxies, when_changed: metaData.lastModifiedAt } }
    get: /organizations/${param.organization}/apis/${api.name}
tables:
  proxies: { from: proxies, key: name, columns: { name: name } }
  details:
    from: details
    key: name
    columns:
      name: { path: name, type: string }
      latest: { path: latestRevisionId, type: string }
      modified: { path: metaData.lastModifiedAt, type: string }
"""


@dataclass(frozen=True)
class Touched(World):
    """The same organization, but two proxies got a new revision."""

    @cached_property
    def proxies(self) -> list[Row]:
        rows = list(World().proxies)
        for at in (4, 40):
            meta = rows[at]["metaData"] | {"lastModifiedAt": epoch_ms(self.ago(hours=1))}
            rows[at] = rows[at] | {"latestRevisionId": "99", "revision": ["99"], "metaData": meta}
        return rows


@pytest.fixture
def details(tmp_path: Path) -> Iterator[tuple[Stage, Path]]:
    page = tmp_path / "details.yaml"
    page.write_text(DETAILS)
    with opened(tmp_path / "storage") as stage:
        yield stage, page


def truth(world: World) -> list[Row]:
    return [
        {"name": row["name"], "latest": row["latestRevisionId"], "modified": row["metaData"]["lastModifiedAt"]}
        for row in world.proxies
    ]


def test_when_changed_asks_again_only_for_what_moved(details: tuple[Stage, Path]) -> None:
    stage, page = details
    stage.publish(page=page)
    stage.vendor.world = world = Touched()
    before = len(stage.vendor.log)
    stage.publish(page=page)
    asked_again = [one.path.rpartition("/")[2] for one, _ in stage.vendor.log[before:] if "/apis/" in one.path]
    assert sorted(world.proxies[at]["name"] for at in (4, 40)) == sorted(asked_again)
    assert by("name", truth(world)) == by("name", stage.rows("details", "details"))


def test_what_is_collected_twice_and_processed_once_holds_the_newer_rows(details: tuple[Stage, Path]) -> None:
    stage, page = details
    stage.collect(page=page)
    stage.vendor.world = world = Touched()
    _, made = stage.publish(page=page)
    assert (0, 0) == (made.exit_code, made.quarantined)
    assert by("name", truth(world)) == by("name", stage.rows("details", "details"))
