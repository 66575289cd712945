"""An independent client of Apigee: signs in and reads each kind of list to its end."""

from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from urllib.parse import quote

import httpx2
import jwt
from cryptography.hazmat.primitives import serialization

from tests.vendors.apigee import Apigee

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
escape = partial(quote, safe="")


@cache
def opened(pem: str) -> Any:
    """The key; opening one takes 30 ms."""
    return serialization.load_pem_private_key(pem.encode(), None)


def assertion(account: dict[str, str], key: str = "", **changes: Any) -> str:
    """A signed assertion as the vendor wants it, but for the changes."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": account["client_email"],
        "aud": account["token_uri"],
        "scope": SCOPE,
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode(
        claims | changes, opened(key or account["private_key"]), "RS256", {"kid": account["private_key_id"]}
    )


def trade(account: dict[str, str], signed: str) -> httpx2.Response:
    """What the token endpoint answers to the assertion."""
    # No TLS is spoken here, and loading the certificates takes 60 ms.
    form = {"grant_type": GRANT, "assertion": signed}
    return httpx2.post(account["token_uri"], data=form, verify=False)


def signed_in(vendor: Apigee) -> httpx2.Client:
    """A client whose addresses begin at the organization."""
    account = vendor.service_account()
    token = trade(account, assertion(account)).json()["access_token"]
    base = f"{vendor.base_url}/organizations/{vendor.world.organization}/"
    return httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, verify=False)


def by_token(api: httpx2.Client, url: str, key: str, size: int | None = None, **query: str) -> list[Any]:
    """All rows of a list that hands out page tokens."""
    rows: list[Any] = []
    more = {"pageSize": str(size)} if size else {}
    while True:
        page = api.get(url, params=query | more).raise_for_status().json()
        rows += page.get(key, [])
        if not page.get("nextPageToken"):
            return rows
        more["pageToken"] = page["nextPageToken"]


def by_key(
    api: httpx2.Client, url: str, key: str, field: str, count: int = 7, size: str = "count", **query: str
) -> list[Any]:
    """All rows of a list that goes on from the last row's key, and repeats that row."""
    rows: list[Any] = []
    while True:
        start = {"startKey": rows[-1][field]} if rows else {}
        page = api.get(url, params={size: str(count), **start, **query}).raise_for_status().json().get(key, [])
        rows += page[1:] if rows else page
        if len(page) < count:
            return rows


def by_body(api: httpx2.Client, env: str, size: int) -> list[Any]:
    """All assessments of an environment, with the page token in the body."""
    body: dict[str, Any] = {"profile": "google-default", "scope": env, "includeAllResources": {}, "pageSize": size}
    rows: list[Any] = []
    while True:
        page = api.post("./securityAssessmentResults:batchCompute", json=body).raise_for_status().json()
        rows += page.get("securityAssessmentResults", [])
        if "nextPageToken" not in page:
            return rows
        body["pageToken"] = page["nextPageToken"]
