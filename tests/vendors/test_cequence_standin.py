"""The stand-in of Cequence speaks as the vendor's public documents do, and an independent client finds its truth."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.vendors.cequence import UPLOAD, Cequence, Shape
from tests.vendors.cequence_inventory import Inventory

PUBLIC = json.loads((Path(__file__).parent / "official" / "cequence.json").read_text())


@pytest.fixture(scope="module")
def vendor() -> Iterator[Cequence]:
    with Cequence() as opened:
        yield opened


def trade(vendor: Cequence, **changes: str) -> httpx2.Response:
    """Ask for a token as the help centre says, with changes."""
    form = {"grant_type": "client_credentials", "client_id": vendor.client_id, "client_secret": vendor.client_secret}
    return httpx2.post(vendor.auth_url, data=form | changes, verify=False)


def get(vendor: Cequence, path: str, token: str, **query: str | int) -> httpx2.Response:
    """Ask for something with a token; the public client writes the scheme in lower case."""
    return httpx2.get(vendor.url + path, params=query, headers={"Authorization": f"bearer {token}"}, verify=False)


# Signing in


def test_the_token_request_is_at_the_public_address(vendor: Cequence) -> None:
    assert PUBLIC["token"]["path"] == vendor.auth_url.removeprefix(vendor.url)


def test_a_token_is_answered_with_the_public_fields(vendor: Cequence) -> None:
    answer = trade(vendor).json()
    assert (PUBLIC["token"]["fields"], 1800) == (sorted(answer), answer["expires_in"])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
    ids=["secret", "client", "grant"],
)
def test_a_wrong_token_request_is_refused_as_keycloak_does(
    changes: dict[str, str], status: int, code: str, vendor: Cequence
) -> None:
    answer = trade(vendor, **changes)
    assert (status, code) == (answer.status_code, answer.json()["error"])


def test_nothing_is_answered_without_a_sign_in(vendor: Cequence) -> None:
    assert 401 == httpx2.get(vendor.url + UPLOAD, verify=False).status_code


def test_a_token_dies() -> None:
    now = [0.0]
    with Cequence(clock=lambda: now[0]) as vendor:
        token = trade(vendor).json()["access_token"]
        now[0] = 1800.0
        assert 401 == get(vendor, UPLOAD, token).status_code


# Lists


def crawl(vendor: Cequence, shape: Shape, start: int, step: int, field: str) -> list[str]:
    """Ids of all policies, page by page until one is empty."""
    token, found = trade(vendor).json()["access_token"], list[str]()
    while rows := get(vendor, shape.path, token, **{field: start}).json()[shape.records]:
        found += [row["id"] for row in rows]
        start += step
    return found


@pytest.mark.parametrize(
    ("paging", "start", "step", "field"),
    [("pages_from_0", 0, 1, "page"), ("pages_from_1", 1, 1, "page"), ("offset", 0, 4, "offset")],
)
def test_an_independent_client_finds_every_record(paging: str, start: int, step: int, field: str) -> None:
    shape = Shape("/p", records="list", paging=paging)
    with Cequence(shapes={"policies": shape}, default_page=4) as vendor:
        expected = [row["id"] for row in Inventory().lists["policies"]]
        assert expected == crawl(vendor, shape, start, step, field)


def test_a_cursor_leads_through_all_pages() -> None:
    with Cequence(shapes={"policies": Shape("/p", paging="cursor")}, default_page=4) as vendor:
        token, sizes, cursor = trade(vendor).json()["access_token"], list[int](), "c-0"
        while cursor:
            answer = get(vendor, "/p", token, cursor=cursor).json()
            sizes.append(len(answer["items"]))
            cursor = answer.get("next", "")
        assert [4, 4, 1] == sizes


def test_a_page_is_never_longer_than_the_vendor_allows(vendor: Cequence) -> None:
    token = trade(vendor).json()["access_token"]
    assert 10 == len(get(vendor, "/apisec/api/inventory/endpoints", token, size=500).json()["items"])


def test_a_parameter_that_is_not_known_is_refused(vendor: Cequence) -> None:
    token = trade(vendor).json()["access_token"]
    assert 400 == get(vendor, "/apisec/api/policies", token, limit=5).status_code


# Exported events


def test_events_have_public_fields_and_one_of_the_sensors(tmp_path: Path) -> None:
    names = {name for event in Inventory().events for name in event}
    known = {*PUBLIC["event_fields"], "policy"}
    assert ({"client_ip", "sensor"}, set()) == (names - known, {*PUBLIC["event_fields"]} - names)


def test_events_are_spread_over_files_and_some_are_in_two(tmp_path: Path) -> None:
    Inventory().write_events(tmp_path)
    lines = [line for path in sorted(tmp_path.glob("*.jsonl")) for line in path.read_text().splitlines()]
    whole = json.loads((tmp_path / "from-siem.json").read_text())
    assert (31, 14, 40) == (len(lines), len(whole), len({*lines, *map(json.dumps, whole)}))
