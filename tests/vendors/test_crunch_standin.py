"""The stand-in of the 42Crunch platform behaves as its public clients say, seen by a client of its own."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.vendors.crunch import Crunch
from tests.vendors.crunch_inventory import uuid


@pytest.fixture(scope="module")
def vendor() -> Iterator[Crunch]:
    with Crunch(max_page=20) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def api(vendor: Crunch) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=vendor.url, headers={"X-Api-Key": vendor.token}, verify=False) as client:
        yield client


def test_the_header_of_the_key_may_be_written_in_any_case(api: httpx2.Client) -> None:
    assert 200 == api.get("/api/v2/tags").status_code


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "api_wrong"}, {"Authorization": "Bearer x"}])
def test_without_the_token_nothing_is_told(headers: dict[str, str], vendor: Crunch) -> None:
    answer = httpx2.get(f"{vendor.url}/api/v2/tags", headers=headers, verify=False)
    assert (401, "unauthorized") == (answer.status_code, answer.json()["message"])


def test_num_is_the_number_of_all_and_not_of_the_page(api: httpx2.Client, vendor: Crunch) -> None:
    address = f"/api/v2/collections/{vendor.world.collections[0]['desc']['id']}/apis"
    pages = [api.get(address, params={"page": n, "perPage": 20}).json() for n in (1, 2, 3, 4)]
    assert ([57] * 4, [20, 20, 17, 0]) == ([page["num"] for page in pages], [len(page["list"]) for page in pages])


def test_pages_are_no_larger_than_the_platform_allows(api: httpx2.Client, vendor: Crunch) -> None:
    address = f"/api/v2/collections/{vendor.world.collections[0]['desc']['id']}/apis"
    assert 20 == len(api.get(address, params={"page": 1, "perPage": 500}).json()["list"])


def test_tags_of_apis_are_told_when_asked_for(api: httpx2.Client, vendor: Crunch) -> None:
    address = f"/api/v2/collections/{vendor.world.collections[1]['desc']['id']}/apis"
    plain, tagged = api.get(address).json(), api.get(address, params={"withTags": "true"}).json()
    assert (0, True) == tuple(f(len(row["tags"]) for row in page["list"]) for f, page in ((max, plain), (any, tagged)))


def test_a_report_is_json_in_base64(api: httpx2.Client, vendor: Crunch) -> None:
    found = vendor.world.apis[3]
    envelope = api.get(f"/api/v1/apis/{found['desc']['id']}/assessmentreport").json()
    report: Any = json.loads(base64.b64decode(envelope["data"]))
    assert ("base64", found["desc"]["id"], found["desc"]["id"]) == (envelope["enc"], envelope["aid"], report["apiId"])


def test_what_was_never_audited_has_no_report(api: httpx2.Client, vendor: Crunch) -> None:
    answer = api.get(f"/api/v1/apis/{vendor.world.apis[0]['desc']['id']}/assessmentreport")
    assert (404, {"code": 5, "message": "no result"}) == (answer.status_code, answer.json())
    assert "x-42c-transactionid" in answer.headers


def test_an_old_scan_report_is_to_be_had_from_version_one_only(api: httpx2.Client, vendor: Crunch) -> None:
    task = vendor.world.scans(vendor.world.apis[6])[0]["report"]["taskId"]
    first, second = (api.get(f"/api/{version}/scanReports/{task}").json() for version in ("v1", "v2"))
    assert (True, {"message": "invalid authorization"}) == ("file" in first, second)


def test_an_empty_list_is_null(api: httpx2.Client) -> None:
    assert {"formats": None} == api.get(f"/api/v2/dataDictionaries/{uuid('dictionary', 2)}/formats").json()


def test_what_does_harm_is_written_down() -> None:
    with (
        Crunch() as vendor,
        httpx2.Client(base_url=vendor.url, headers={"X-API-KEY": vendor.token}, verify=False) as api,
    ):
        found = vendor.world.apis[3]["desc"]["id"]
        api.get(f"/api/v1/apis/{found}/assess")
        api.get(f"/api/v2/scanConfigurations/{uuid('configuration', 3)}")
        api.post("/api/v1/collections", json={})
        assert ["assess", "token", "POST"] == [line.partition(" ")[0] for line in vendor.harm]
