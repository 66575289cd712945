"""Google's own sample answers, unchanged, read through the endpoints and tables of the Apigee page."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.flow.report import Result
from tests.pipelines.apigee_run import Stage, by, opened, utc
from tests.vendors.apigee import Apigee
from tests.vendors.server import Answer, Asked

OFFICIAL = json.loads((Path(__file__).parents[1] / "vendors" / "official" / "apigee.json").read_text())
SAMPLES = {sample["id"]: sample["response"] for sample in OFFICIAL["samples"]}
NO_ENDPOINT = {
    "organizations.list": "the page is told its organization",
    "apis.demo.deployments.list.empty": "deployments are listed for the whole organization",
    "revision.deployments.not_deployed": "deployments are listed for the whole organization",
    "securityProfiles.create": "profiles are not collected",
    "securityReports.get": "reports are not collected",
}


def body(name: str) -> Any:
    """The body of an official sample."""
    return SAMPLES[name]["body"]


class Sampled(Apigee):
    """Answers with what it was given for the end of a path, signed in as ever; with {} to all else and behind a key."""

    answers: Mapping[str, Answer] = {}  # each test sets its own

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            return super().answer(asked)
        self.sign_in.check(asked, {})
        if "startKey" in dict(asked.query):
            return Answer.json({})
        tail = re.sub(r"^/v1/organizations/[^/]+/", "", asked.path)
        return self.answers.get(tail, Answer.json({}))


@contextmanager
def sampled(folder: Path, answers: Mapping[str, Any], kind: type[Sampled] = Sampled) -> Iterator[Stage]:
    """A vendor with these answers: bodies, or whole answers."""
    with opened(folder / "storage", kind=kind) as stage:
        assert isinstance(stage.vendor, Sampled)
        stage.vendor.answers = {
            path: value if isinstance(value, Answer) else Answer.json(value) for path, value in answers.items()
        }
        yield stage


# Lists, as they come when only names are told

LISTS = {
    "environments": body("environments.list"),
    **{f"environments/{name}": {"name": name} for name in ("test", "beta", "prod")},
    "apis": body("apis.list"),
    "apiproducts": body("apiproducts.list"),
    "developers": body("developers.list"),
    **{f"developers/{name}@example.com": {"email": f"{name}@example.com"} for name in ("bigboy", "littleman")},
    "apps": body("apps.list"),
}


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result, Result]]:
    with sampled(tmp_path_factory.mktemp("lists"), LISTS) as stage:
        yield stage, *stage.publish("environments", "proxies", "apiproducts", "developers", "apps")


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("environment_names", "name", ["beta", "prod", "test"]),
        ("environments", "name", ["beta", "prod", "test"]),
        ("proxies", "name", ["auth_order", "guest_order", "open_menu"]),
        ("apiproducts", "name", ["gcloud-test1", "gcloud-test2", "gcloud-test3"]),
        ("developer_emails", "email", ["bigboy@example.com", "littleman@example.com"]),
        ("apps", "app_id", ["76ee3b7d-12fa-42c0-adcb-19ba75082447", "95acc76a-1c5f-442c-9bb8-96196327543b"]),
        ("apps", "name", ["pricklypear", "camille lion"]),
    ],
)
def test_a_sample_list_gives_its_rows(
    table: str, column: str, values: list[str], lists: tuple[Stage, Result, Result]
) -> None:
    assert values == [row[column] for row in lists[0].rows(table)]


def test_a_proxy_of_which_only_the_name_is_told_has_no_more(lists: tuple[Stage, Result, Result]) -> None:
    expected = {
        "name": "auth_order",
        "proxy_type": None,
        "latest_revision": None,
        "revisions": None,
        "read_only": False,
        "space": None,
        "labels": None,
        "created_at": None,
        "modified_at": None,
    }
    assert expected == lists[0].rows("proxies")[0]


def test_sample_lists_are_whole(lists: tuple[Stage, Result, Result]) -> None:
    _, collected, made = lists
    assert (0, 0, 0) == (collected.exit_code, made.exit_code, made.quarantined)


# Objects, with what they refer to beside them

ASSESSED = "securityAssessmentResults.batchCompute"
OBJECTS = {
    "environments": ["test", "staging"],
    **{f"environments/{name}": {"name": name} for name in ("test", "staging")},
    "apis": {"proxies": [body("apis.get"), {"name": "example", "revision": ["2"]}, {"name": "my-proxy-1"}]},
    "deployments": body("deployments.list"),
    "apis/demo/revisions/1": body("apis.revisions.get"),
    "apis/example/revisions/2": {"name": "example", "revision": "2"},
    "apps": {"app": [body("apps.get")]},
    "developers": {"developer": [{"email": "bird@example.com"}]},
    "developers/bird@example.com": {"email": "bird@example.com", "developerId": body("apps.get")["developerId"]},
    "securityMonitoringConditions": body("securityMonitoringConditions.list"),
}


class Assessing(Sampled):
    """The sample of the assessments for the environment it is about."""

    def answer(self, asked: Asked) -> Answer:
        answer = super().answer(asked)
        wanted = b'"scope":"test"' in asked.body and asked.path.endswith(":batchCompute")
        return Answer.json(body(ASSESSED)) if wanted else answer


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    only = ["environments", "deployments", "proxy_revisions", "apps", "developers", "risk_assessments"]
    with sampled(tmp_path_factory.mktemp("objects"), OBJECTS, Assessing) as stage:
        collected, made = stage.publish(*only, "security_monitoring_conditions")
        assert (0, 0, 0) == (collected.exit_code, made.exit_code, made.quarantined)
        yield stage


def test_the_sample_of_a_proxy(objects: Stage) -> None:
    expected = {
        "name": "demo",
        "proxy_type": None,
        "latest_revision": None,
        "revisions": ["1"],
        "read_only": False,
        "space": None,
        "labels": None,
        "created_at": utc("2020-02-27T18:52:17.642"),
        "modified_at": utc("2020-02-27T18:52:17.642"),
    }
    assert expected == objects.rows("proxies")[0]


def test_the_sample_of_a_revision(objects: Stage) -> None:
    expected = {
        "proxy": "demo",
        "revision": "1",
        "id": "demo/1",
        "basepaths": ["/demopath"],
        "policies": ["XML-to-JSON-1"],
        "shared_flows": None,
        "proxy_endpoints": ["default"],
        "target_endpoints": ["default"],
        "target_servers": None,
        "resources": None,
        "has_extensible_policy": False,
        "is_mcp": False,
        "spec": None,
        "created_at": utc("2020-02-27T18:52:17.642"),
        "modified_at": utc("2020-02-27T20:53:20.188"),
        "has_auth_policy": False,
        "has_rate_policy": False,
        "has_threat_policy": False,
        "uses_shared_flows": False,
        "policy_families": "",
    }
    assert expected == objects.rows("proxy_revisions")[0]


def test_the_sample_of_deployments(objects: Stage) -> None:
    rows = by("proxy", objects.rows("deployments"))
    shown = ["environment", "proxy", "revision", "deployed_at", "service_account", "basepaths", "risk_score"]
    live = utc("2019-09-13T18:12:24.297")
    assert [
        ["test", "demo", "1", live, None, ["/demopath"], None],
        ["staging", "example", "2", live, None, None, None],
    ] == [[row[name] for name in shown] for row in rows]


def test_the_sample_of_an_app(objects: Stage) -> None:
    expected = {
        "app_id": "c3b20cec-c3f8-42e9-8a89-83f55c24149c",
        "name": "hungrybird01",
        "status": "approved",
        "developer_id": "659525a4-212b-4f46-ad6f-02d9d33ed69b",
        "developer_email": None,
        "app_group": None,
        "callback_url": None,
        "key_expires_in_ms": None,
        "created_at": utc("2020-06-08T19:51:06.735"),
        "modified_at": utc("2020-06-08T19:51:06.735"),
    }
    assert [expected] == objects.rows("apps")


KEY_HASH = "44498a5af7c0014051476f498c2e5e4ec15ec606b394dcf0a22ae166377e28cf"


def test_the_sample_of_an_apps_key(objects: Stage) -> None:
    expected = {
        "app_id": "c3b20cec-c3f8-42e9-8a89-83f55c24149c",
        "app": "hungrybird01",
        "app_status": "approved",
        "developer_id": "659525a4-212b-4f46-ad6f-02d9d33ed69b",
        "app_group": None,
        "key_hash": KEY_HASH,
        "status": "approved",
        "issued_at": utc("2020-06-08T19:51:06.792"),
        "expires_at": None,
        "products": ["gcloud-test2", "gcloud-test1"],
        "scopes": None,
        "key_age_days": 2355,
        "key_never_expires": True,
        "key_works": True,
        "stale_key": True,
    }
    assert [expected] == objects.rows("app_keys")


def test_the_sample_of_an_apps_products(objects: Stage) -> None:
    rows = [(row["key_hash"], row["product"], row["status"]) for row in objects.rows("key_products")]
    assert [(KEY_HASH, "gcloud-test1", "approved"), (KEY_HASH, "gcloud-test2", "pending")] == rows


def test_the_sample_of_an_assessment(objects: Stage) -> None:
    expected = {
        "environment": "test",
        "resource_type": "API_PROXY",
        "proxy": "my-proxy-1",
        "revision": "1",
        "risk_score": 0,
        "severity": "HIGH",
        "failed_major": 0,
        "failed_moderate": 0,
        "failed_minor": 1,
        "auth_check": None,
        "assessed_at": utc("2023-11-22T04:49:29.418166"),
        "data_updated_at": utc("2023-11-22T04:49:29.418166"),
        "risk_band": "high",
    }
    assert [expected] == objects.rows("risk_assessments")


def test_the_sample_of_a_check(objects: Stage) -> None:
    expected = {
        "environment": "test",
        "proxy": "my-proxy-1",
        "revision": "1",
        "check_name": "cors-policies-check",
        "title": "CORS policies check",
        "weight": "MAJOR",
        "verdict": "FAIL",
        "score_impact": 100,
        "advice": ["Check whether a CORS policy or CORS header in AssignMessage policy are present."],
    }
    assert [expected] == objects.rows("risk_checks")


def test_the_sample_of_a_monitoring_condition(objects: Stage) -> None:
    expected = {
        "name": "organizations/my-org/securityMonitoringConditions/my-condition",
        "profile": "google-default",
        "scope": "test",
        "watches_all": True,
        "watched_proxies": None,
        "monitored": 4,
        "deployed": 4,
        "created_at": utc("2023-11-22T05:02:16.089469"),
        "updated_at": utc("2025-11-22T05:02:16.089469"),
        "unwatched": 0,
    }
    assert [expected] == objects.rows("security_monitoring_conditions")


# Nothing there, and refusals


EMPTY = {
    "proxies": ("apis", "apis.list.empty"),
    "apiproducts": ("apiproducts", "apiproducts.list.empty"),
    "developers": ("developers", "developers.list.empty"),
    "apps": ("apps", "apps.list.empty"),
    "deployments": ("deployments", "environments.deployments.empty_array"),
}
"""Endpoint -> its path, and the sample of an answer without records."""


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A collection in which all these endpoints are empty."""
    with sampled(tmp_path_factory.mktemp("nothing"), {path: body(sample) for path, sample in EMPTY.values()}) as stage:
        return stage.collect(*EMPTY)


@pytest.mark.parametrize("endpoint", EMPTY)
def test_an_empty_sample_is_no_row_and_no_error(endpoint: str, nothing: Result) -> None:
    assert 0 == nothing.exit_code
    assert [(0, ())] == [(one.rows, one.missing) for one in nothing.collections if one.endpoint == endpoint]


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ("error.401", "status 401: Request is missing required authentication"),
        ("error.400.details", "very generic error"),
    ],
)
def test_a_sample_refusal_is_told_in_the_vendors_words(sample: str, words: str, tmp_path: Path) -> None:
    with sampled(tmp_path, {"apis": Answer.json(body(sample), SAMPLES[sample]["status"])}) as stage:
        result = stage.collect("proxies")
        assert (3, True) == (result.exit_code, words in result.collections[0].missing[0])


def test_every_official_sample_is_read_or_has_a_reason() -> None:
    text = Path(__file__).read_text()
    assert [] == [name for name in SAMPLES if f'"{name}"' not in text]
