"""The stand-in of Apigee speaks as the official samples and schemas do, and an independent client finds its truth."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.vendors.apigee import Apigee
from tests.vendors.apigee_client import assertion, by_body, by_key, by_token, escape, signed_in, trade
from tests.vendors.apigee_truth import World

OFFICIAL = json.loads((Path(__file__).parent / "official" / "apigee.json").read_text())
SAMPLES = {sample["id"]: sample for sample in OFFICIAL["samples"]}
DAY = "%m/%d/%Y %H:%M"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Apigee]:
    with Apigee() as opened:
        yield opened


@pytest.fixture(scope="module")
def api(vendor: Apigee) -> Iterator[httpx2.Client]:
    with signed_in(vendor) as client:
        yield client


# Signing in


def test_key_file_has_the_official_fields(vendor: Apigee) -> None:
    assert set(OFFICIAL["sign_in"]["service_account_file_fields"]) == set(vendor.service_account())


def test_a_signed_assertion_is_traded_for_a_token(vendor: Apigee) -> None:
    answer = trade(vendor.service_account(), assertion(vendor.service_account()))
    assert (200, set(OFFICIAL["sign_in"]["response"]["body"])) == (answer.status_code, set(answer.json()))


NOW = int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"aud": "https://oauth2.googleapis.com/token"}, "invalid_grant", "audience"),
        ({"iss": "other@acme.example"}, "invalid_grant", "account not found"),
        ({"iat": NOW, "exp": NOW + 3601}, "invalid_grant", "short-lived token (60 minutes)"),
        ({"iat": NOW - 7200, "exp": NOW - 3600}, "invalid_grant", "short-lived token (60 minutes)"),
        ({"iat": NOW + 900, "exp": NOW + 1800}, "invalid_grant", "short-lived token (60 minutes)"),
        ({"scope": "email"}, "invalid_scope", ""),
    ],
)
def test_a_wrong_assertion_is_refused(vendor: Apigee, changes: dict[str, Any], code: str, words: str) -> None:
    answer = trade(vendor.service_account(), assertion(vendor.service_account(), **changes))
    assert (400, code, True) == (
        answer.status_code,
        answer.json()["error"],
        words in answer.json()["error_description"],
    )


def test_a_foreign_signature_is_refused_in_googles_words(vendor: Apigee) -> None:
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*pem).decode()
    answer = trade(vendor.service_account(), assertion(vendor.service_account(), foreign))
    assert OFFICIAL["sign_in"]["token_errors"][0]["body"] == answer.json()


def test_a_call_without_a_token_gets_the_captured_401(vendor: Apigee) -> None:
    url = f"{vendor.base_url}/organizations/{vendor.world.organization}/environments/prod"
    answer = httpx2.get(url, verify=False)
    expected = SAMPLES["error.401"]["response"]
    got = answer.json()
    got["error"]["details"][0]["metadata"] = expected["body"]["error"]["details"][0]["metadata"]
    assert (expected["body"], expected["headers"]["www-authenticate"]) == (got, answer.headers["www-authenticate"])


def test_killed_tokens_are_refused_and_new_ones_are_not() -> None:
    with Apigee() as vendor, signed_in(vendor) as api:
        vendor.kill_tokens(after=1)
        before, after = api.get("apis").status_code, api.get("apis")
        reason = after.json()["error"]["details"][0]["reason"]
        with signed_in(vendor) as again:
            assert (200, 401, "ACCESS_TOKEN_EXPIRED", 200) == (
                before,
                after.status_code,
                reason,
                again.get("apis").status_code,
            )


def test_tokens_expire_by_the_clock() -> None:
    now = [datetime.now(UTC).timestamp()]
    with Apigee(expires_in=60, clock=lambda: now[0]) as vendor, signed_in(vendor) as api:
        before = api.get("apis").status_code
        now[0] += 60
        assert (200, 401) == (before, api.get("apis").status_code)


# Streams


@pytest.mark.parametrize("size", [None, 7])
def test_lists_by_token_hold_their_truth(vendor: Apigee, api: httpx2.Client, size: int | None) -> None:
    truth = vendor.truth()
    attachments = [
        row
        for group in by_token(api, "envgroups", "environmentGroups", size)
        for row in by_token(api, f"envgroups/{group['name']}/attachments", "environmentGroupAttachments", 1)
    ]
    seen = by_token(api, f"{vendor.hub_url}/discoveredApiObservations", "discoveredApiObservations", size)
    operations = [
        row
        for item in seen
        for row in by_token(
            api, f"{vendor.base_url}/{item['name']}/discoveredApiOperations", "discoveredApiOperations", size
        )
    ]
    assert truth["envgroups"] == by_token(api, "envgroups", "environmentGroups", size)
    assert truth["envgroup_attachments"] == attachments
    assert truth["hub_observations"] == seen
    assert truth["hub_operations"] == operations


@pytest.mark.parametrize("stream", ["securityIncidents", "securityActions"])
def test_security_lists_hold_their_truth(vendor: Apigee, api: httpx2.Client, stream: str) -> None:
    name = {"securityIncidents": "security_incidents", "securityActions": "security_actions"}[stream]
    rows = [
        {"_environment": env, **row}
        for env in ("prod", "staging", "test", "dr.2")
        for row in by_token(api, f"environments/{env}/{stream}", stream)
    ]
    assert vendor.truth()[name] == rows


def test_risk_assessments_hold_their_truth(vendor: Apigee, api: httpx2.Client) -> None:
    rows = [{"_environment": env, **r} for env in ("prod", "staging", "test", "dr.2") for r in by_body(api, env, 20)]
    assert vendor.truth()["risk_assessments"] == rows


def test_monitoring_conditions_hold_their_truth(vendor: Apigee, api: httpx2.Client) -> None:
    rows = by_token(api, "securityMonitoringConditions", "securityMonitoringConditions", 2)
    assert vendor.truth()["security_monitoring_conditions"] == rows


def test_lists_by_start_key_hold_their_truth(vendor: Apigee, api: httpx2.Client) -> None:
    truth = vendor.truth()
    assert truth["apiproducts"] == by_key(api, "apiproducts", "apiProduct", "name", expand="true")
    emails = [row["email"] for row in by_key(api, "developers", "developer", "email", 20)]
    assert truth["developers"] == [api.get(f"developers/{escape(email)}").json() for email in emails]
    assert truth["developers"] == api.get("developers", params={"expand": "true"}).json()["developer"]


def test_apps_and_keys_hold_their_truth_in_four_passes(vendor: Apigee, api: httpx2.Client) -> None:
    keys: list[str] = []
    apps: dict[str, str] = {}
    for status in ("approved", "revoked"):
        for key_status in ("approved", "revoked"):
            passed = {"expand": "true", "status": status, "keyStatus": key_status}
            by_rows = by_key(api, "apps", "app", "appId", 20, "rows", **passed)
            assert by_rows == by_token(api, "apps", "app", 20, **passed)
            apps |= {app["appId"]: app["name"] for app in by_rows}
            keys += [key["consumerKey"] for app in by_rows for key in app.get("credentials", [])]
    truth = vendor.truth()
    assert {app["appId"]: app["name"] for app in truth["apps"]} == apps
    assert sorted(key["consumerKey"] for key in truth["app_credentials"]) == sorted(keys)


def test_inventory_holds_its_truth(vendor: Apigee, api: httpx2.Client) -> None:
    truth, all_of_it = vendor.truth(), {"includeRevisions": "true", "includeMetaData": "true"}
    assert truth["environments"] == [api.get(f"environments/{e}").json() for e in api.get("environments").json()]
    assert truth["proxies"] == api.get("apis", params=all_of_it).json()["proxies"]
    assert truth["sharedflows"] == api.get("sharedflows", params=all_of_it).json()["sharedFlows"]
    assert truth["deployments"] == api.get("deployments").json()["deployments"]
    revisions = [(row["name"], row["revision"]) for row in truth["proxy_revisions"]]
    assert truth["proxy_revisions"] == [api.get(f"apis/{name}/revisions/{number}").json() for name, number in revisions]


def stats(api: httpx2.Client, env: str, start: datetime, end: datetime, **more: str) -> Any:
    metrics = {"select": "sum(message_count),sum(is_error)", "timeUnit": "day"}
    span = {"timeRange": f"{start:{DAY}}~{end:{DAY}}"}
    return api.get(f"environments/{env}/stats/apiproxy", params={**metrics, **span, **more}).json()


def test_traffic_holds_its_truth_over_pages(vendor: Apigee, api: httpx2.Client) -> None:
    end = vendor.world.now
    start = end - timedelta(days=3)
    rows: list[Any] = []
    while page := stats(api, "prod", start, end, limit="9", offset=str(len(rows)))["environments"][0].get("dimensions"):
        rows += page
    truth = vendor.truth((start, end))["traffic_stats"]
    assert [row for row in truth if row["_environment"] == "prod"] == [{"_environment": "prod", **r} for r in rows]


def test_a_day_that_is_cut_in_two_counts_its_halves(api: httpx2.Client) -> None:
    noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    midnight, following = noon - timedelta(hours=12), noon + timedelta(hours=12)
    spans = [(midnight, noon), (noon, following), (midnight, following)]
    found = [stats(api, "prod", *span)["environments"][0]["dimensions"][0]["metrics"][0]["values"] for span in spans]
    morning, afternoon, whole = (float(value["value"]) for [value] in found)
    assert whole == morning + afternoon


# Official shapes


def schema_of(name: str) -> dict[str, Any]:
    """A discovery schema as JSON Schema: nothing beyond its members, int64 and times as text."""

    def convert(node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            return {"$ref": f"#/$defs/{node['$ref']}"}
        made = {k: node[k] for k in ("enum",) if k in node}
        made |= {"type": node["type"]} if node.get("type") != "any" else {}
        made |= {"pattern": r"^-?\d+$"} if node.get("format") == "int64" else {}
        made |= {"pattern": r"^\d{4}-\d\d-\d\dT.*Z$"} if node.get("format") == "google-datetime" else {}
        made |= {"items": convert(node["items"])} if "items" in node else {}
        if node.get("type") == "object":
            made["properties"] = {k: convert(v) for k, v in node.get("properties", {}).items()}
            made["additionalProperties"] = convert(node.get("additionalProperties", {"type": "any"}))
            if made["properties"]:
                made["additionalProperties"] = False
        return made

    return {"$defs": {n: convert(s) for n, s in OFFICIAL["schemas"].items()}, "$ref": f"#/$defs/{name}"}


APIGEE, HUB = "GoogleCloudApigeeV1", "GoogleCloudApihubV1"
STATS = "timeUnit=day&select=sum(is_error)&timeRange=11/01/2026 00:00~11/09/2026 00:00"


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        ("/v1/organizations", f"{APIGEE}ListOrganizationsResponse"),
        ("environments/prod", f"{APIGEE}Environment"),
        ("environments/sandbox/addonsConfig", f"{APIGEE}AddonsConfig"),
        ("apis?includeRevisions=true&includeMetaData=true", f"{APIGEE}ListApiProxiesResponse"),
        ("apis/orders-v1/revisions/1", f"{APIGEE}ApiProxyRevision"),
        ("deployments", f"{APIGEE}ListDeploymentsResponse"),
        ("deployments?sharedFlows=true", f"{APIGEE}ListDeploymentsResponse"),
        ("envgroups", f"{APIGEE}ListEnvironmentGroupsResponse"),
        ("envgroups/group-01/attachments", f"{APIGEE}ListEnvironmentGroupAttachmentsResponse"),
        ("apiproducts?expand=true", f"{APIGEE}ListApiProductsResponse"),
        ("developers?expand=true", f"{APIGEE}ListOfDevelopersResponse"),
        ("apps?expand=true&status=revoked", f"{APIGEE}ListAppsResponse"),
        ("sharedflows?includeRevisions=true&includeMetaData=true", f"{APIGEE}ListSharedFlowsResponse"),
        ("environments/prod/securityIncidents", f"{APIGEE}ListSecurityIncidentsResponse"),
        ("environments/prod/securityActions", f"{APIGEE}ListSecurityActionsResponse"),
        ("securityMonitoringConditions", f"{APIGEE}ListSecurityMonitoringConditionsResponse"),
        (f"environments/prod/stats/apiproxy?{STATS}", f"{APIGEE}Stats"),
        ("{hub}/discoveredApiObservations", f"{HUB}ListDiscoveredApiObservationsResponse"),
        ("{operations}", f"{HUB}ListDiscoveredApiOperationsResponse"),
    ],
)
def test_answers_fit_the_official_schemas(vendor: Apigee, api: httpx2.Client, url: str, schema: str) -> None:
    second = vendor.world.observations[1]["name"]
    url = url.format(hub=vendor.hub_url, operations=f"{vendor.base_url}/{second}/discoveredApiOperations")
    url = f"{vendor.url}{url}" if url.startswith("/") else url
    jsonschema.Draft202012Validator(schema_of(schema)).validate(api.get(url).raise_for_status().json())


def test_risk_assessments_fit_the_official_schema(api: httpx2.Client) -> None:
    body = {"profile": "google-default", "scope": "prod", "include_all_resources": {}}
    answer = api.post("./securityAssessmentResults:batchCompute", json=body).raise_for_status().json()
    schema = schema_of(f"{APIGEE}BatchComputeSecurityAssessmentResultsResponse")
    jsonschema.Draft202012Validator(schema).validate(answer)


@pytest.mark.parametrize(
    ("sample", "url"),
    [
        ("apis.list.empty", "envgroups/group-26/attachments"),
        ("apis.list.empty", "environments/test/securityIncidents"),
        ("environments.deployments.empty_array", "environments/dr.2/deployments"),
    ],
)
def test_empty_lists_are_answered_as_in_the_samples(api: httpx2.Client, sample: str, url: str) -> None:
    assert SAMPLES[sample]["response"]["body"] == api.get(url).json()


def test_a_score_of_zero_is_left_out(vendor: Apigee) -> None:
    results = [row["scoringResult"] for row in vendor.truth()["risk_assessments"] if "scoringResult" in row]
    assert {"HIGH"} == {result["severity"] for result in results if "score" not in result}


def test_a_failed_assessment_has_an_error_and_no_result(vendor: Apigee) -> None:
    failed = [row for row in vendor.truth()["risk_assessments"] if "scoringResult" not in row]
    assert [13, 13, 13] == [row["error"]["code"] for row in failed]


def test_the_stand_in_is_the_same_in_every_run() -> None:
    assert World().truth() == World().truth()


def test_no_thread_outlives_the_server() -> None:
    before = threading.active_count()
    with Apigee() as vendor, signed_in(vendor) as api:
        api.get("apis")
    assert before >= threading.active_count()
