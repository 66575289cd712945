"""What the stand-in of Apigee refuses, hides and breaks, so that a client which overlooks it is caught."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.vendors.apigee import Apigee
from tests.vendors.apigee_client import by_token, escape, signed_in


@pytest.fixture(scope="module")
def vendor() -> Iterator[Apigee]:
    with Apigee() as opened:
        yield opened


@pytest.fixture(scope="module")
def api(vendor: Apigee) -> Iterator[httpx2.Client]:
    with signed_in(vendor) as client:
        yield client


@pytest.mark.parametrize(
    ("url", "key", "field"), [("apiproducts?", "apiProduct", "name"), ("developers?", "developer", "email")]
)
def test_a_start_key_repeats_its_row(api: httpx2.Client, url: str, key: str, field: str) -> None:
    first = api.get(f"{url}count=3").json()[key]
    assert first[2] == api.get(f"{url}count=3&startKey={escape(first[2][field])}").json()[key][0]


@pytest.mark.parametrize(
    "url",
    [
        "developers?expand=true&count=5",
        "developers?startKey=dev000@partner0.example",
        "apiproducts?pageSize=5",
        "apiproducts?startKey=Nobody&count=5",
        "envgroups?pageSize=many",
        "envgroups?pageToken=made-up",
        "apis?includeRevisions=yes",
        "environments/prod/securityIncidents?filter=last_detected_time > yesterday",
        'environments/prod/securityIncidents?filter=last_detected_time > "2026-11-01"',
        "environments/prod/stats/apiproxy?select=sum(message_count)&timeRange=2026-11-01 00:00~2026-11-02 00:00",
        "environments/prod/stats/apiproxy?timeRange=11/01/2026 00:00~11/02/2026 00:00",
        "developers/100%",
        "developers/%zz",
    ],
)
def test_a_wrong_request_is_refused_with_400(vendor: Apigee, api: httpx2.Client, url: str) -> None:
    # The client mends a lone percent sign, so such a path is put together from bytes.
    made = httpx2.URL(api.base_url).copy_with(raw_path=api.base_url.raw_path + url.replace(" ", "%20").encode())
    answer = api.get(made)
    assert (400, "INVALID_ARGUMENT") == (answer.status_code, answer.json()["error"]["status"])


def test_a_page_token_is_void_for_another_question(api: httpx2.Client) -> None:
    token = api.get("apps", params={"pageSize": "5"}).json()["nextPageToken"]
    other = api.get("apps", params={"pageSize": "5", "status": "revoked", "pageToken": token})
    assert (400, 200) == (other.status_code, api.get("apps", params={"pageSize": "9", "pageToken": token}).status_code)


def test_the_token_of_a_post_belongs_into_its_body(api: httpx2.Client) -> None:
    body = {"profile": "google-default", "scope": "prod", "includeAllResources": {}, "pageSize": 5}
    url = "./securityAssessmentResults:batchCompute"
    token = api.post(url, json=body).json()["nextPageToken"]
    answers = [api.post(url, params={"pageToken": token}, json=body), api.post(url, json={**body, "pageToken": token})]
    assert [400, 200] == [answer.status_code for answer in answers]


def test_a_page_is_no_larger_than_the_vendor_allows() -> None:
    with Apigee(max_page=10, max_count=8) as vendor, signed_in(vendor) as api:
        pages = [api.get("apps?pageSize=1000").json()["app"], api.get("developers?count=1000").json()["developer"]]
        assert [10, 8] == [len(page) for page in pages]


def test_revoked_apps_and_keys_are_hidden_by_default(vendor: Apigee, api: httpx2.Client) -> None:
    shown = api.get("apps", params={"expand": "true"}).json()["app"]
    states = {app["status"] for app in shown} | {k["status"] for app in shown for k in app.get("credentials", [])}
    hidden = {app["appId"] for app in vendor.truth()["apps"]} - {app["appId"] for app in shown}
    assert ({"approved"}, True) == (states, len(hidden) > 10)


def test_credentials_can_be_left_out(api: httpx2.Client) -> None:
    shown = api.get("apps", params={"expand": "true", "includeCred": "false"}).json()["app"]
    assert [] == [app for app in shown if "credentials" in app]


@pytest.mark.parametrize(("status", "name"), [(403, "PERMISSION_DENIED"), (400, "FAILED_PRECONDITION")])
@pytest.mark.parametrize("stream", ["incidents", "actions", "assessments"])
def test_without_the_addon_security_is_refused(status: int, name: str, stream: str) -> None:
    with Apigee(addons_off=status) as vendor, signed_in(vendor) as api:
        body = {"profile": "google-default", "scope": "sandbox", "includeAllResources": {}}
        answer = (
            api.post("./securityAssessmentResults:batchCompute", json=body)
            if stream == "assessments"
            else api.get(f"environments/sandbox/security{stream.title()}")
        )
        assert (status, name) == (answer.status_code, answer.json()["error"]["status"])


def test_the_incident_filter_is_honoured_and_excludes_its_edge(vendor: Apigee, api: httpx2.Client) -> None:
    rows = [row for row in vendor.truth()["security_incidents"] if row["_environment"] == "prod"]
    edge = sorted(row["lastDetectedTime"][:19] for row in rows)[30]
    url, question = "environments/prod/securityIncidents", f'last_detected_time > "{edge}.750Z"'
    later = {row["name"] for row in rows if row["lastDetectedTime"][:19] > edge}
    assert later == {row["name"] for row in by_token(api, url, "securityIncidents", 7, filter=question)}


@pytest.mark.parametrize("stream", ["developers", "apiproducts"])
def test_every_odd_name_is_found_when_it_is_escaped(vendor: Apigee, api: httpx2.Client, stream: str) -> None:
    field = {"developers": "email", "apiproducts": "name"}[stream]
    odd = [row[field] for row in vendor.truth()[stream] if not row[field].isidentifier()]
    assert odd == [api.get(f"{stream}/{escape(name)}").json()[field] for name in odd]


def test_a_plus_in_a_query_is_a_blank_and_in_a_path_a_plus(vendor: Apigee, api: httpx2.Client) -> None:
    [email] = [row["email"] for row in vendor.truth()["developers"] if row["email"].startswith("ana+")]
    raw = httpx2.URL(f"{api.base_url}developers?count=2&startKey={email}")
    assert (400, 200) == (api.get(raw).status_code, api.get(f"developers/{email}").status_code)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/v1/organizations/other/apis", 403, "application/json; charset=UTF-8"),
        ("/v1/organizations/acme-gateway/environments/nowhere", 404, "application/json; charset=UTF-8"),
        ("/v1/organizations/acme-gateway/api", 404, "text/html; charset=UTF-8"),
        ("/v1/projects/other/locations/europe-west1/discoveredApiObservations", 403, "application/json; charset=UTF-8"),
    ],
)
def test_what_is_not_there_is_refused(vendor: Apigee, api: httpx2.Client, path: str, status: int, kind: str) -> None:
    answer = api.get(f"{vendor.url}{path}")
    assert (status, kind) == (answer.status_code, answer.headers["content-type"])


# Faults


def test_a_planned_status_comes_so_many_times_with_its_header() -> None:
    with Apigee() as vendor, signed_in(vendor) as api:
        vendor.fault("GET .*/apis", times=2, status=429, headers={"Retry-After": "3"})
        answers = [api.get("apis") for _ in range(3)]
        states: list[Any] = [(a.status_code, a.headers.get("Retry-After")) for a in answers]
        assert [(429, "3"), (429, "3"), (200, None)] == states
        assert "RESOURCE_EXHAUSTED" == answers[0].json()["error"]["status"]


def test_a_redirect_names_the_other_host() -> None:
    with Apigee() as vendor, signed_in(vendor) as api:
        vendor.redirect("GET .*/apis", "http://127.0.0.2:9/taken")
        assert "http://127.0.0.2:9/taken" == api.get("apis").headers["location"]


def test_a_sign_in_page_comes_with_status_200() -> None:
    with Apigee() as vendor, signed_in(vendor) as api:
        vendor.html("GET .*/apis")
        answer = api.get("apis")
        assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])


def test_a_reset_breaks_the_answer_off_and_the_next_is_whole() -> None:
    with Apigee() as vendor, signed_in(vendor) as api:
        vendor.fault("GET .*/apis", reset=True)
        with pytest.raises(httpx2.TransportError):
            api.get("apis")
        assert 60 == len(api.get("apis").json()["proxies"])


def test_every_request_is_logged_with_its_status() -> None:
    with Apigee() as vendor, signed_in(vendor) as api:
        api.get("apiproducts?count=x")
        assert [400] == [status for _, status in vendor.asked("GET .*/apiproducts")]


# Secrets


def test_every_secret_that_is_sent_is_listed(vendor: Apigee, api: httpx2.Client) -> None:
    listed = set(vendor.secrets())
    sent = api.get("apps?expand=true").text + api.get("environments/prod/securityActions").text
    planted = {word.split('"')[0] for word in sent.split('"') if word.startswith("PLANTED-")}
    assert (set(), True) == (planted - listed, len(planted) > 100)
    assert api.headers["authorization"].removeprefix("Bearer ") in listed
