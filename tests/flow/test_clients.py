"""A sign-in with a client's id and secret, against a token endpoint written from RFC 6749 alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest

from engine.core.errors import SpecError
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

THINGS = {"things": "/things"}


class Keycloak(Tiny):
    """Gives tokens that live as long as it is told, and things to who has the newest."""

    def __init__(self) -> None:
        super().__init__({"/token": self.token, "/things": self.things})
        self.forms: list[dict[str, list[str]]] = []
        self.lives_seconds = 1800
        self.revoked = False

    def token(self, asked: Asked) -> Any:
        form = parse_qs(asked.body.decode())
        scheme, _, pair = asked.headers.get("authorization", "").partition(" ")
        client = [unquote_plus(one) for one in base64.b64decode(pair).decode().split(":")]
        if scheme != "Basic":
            client = [*form.get("client_id", []), *form.get("client_secret", [])]
        if client != ["c:1", "s 1"] or form["grant_type"] != ["client_credentials"]:
            return Answer.json({"error": "invalid_client", "error_description": "Invalid client", "was": client}, 401)
        self.forms.append(form)
        return {"access_token": f"jwt-{len(self.forms)}", "expires_in": self.lives_seconds, "token_type": "Bearer"}

    def things(self, asked: Asked) -> Any:
        good, self.revoked = not self.revoked, False
        if not good or asked.headers.get("authorization") != f"Bearer jwt-{len(self.forms)}":
            return Answer.json({"message": "no"}, 401)
        return [{"id": 1}]


@pytest.fixture
def vendor() -> Iterator[Keycloak]:
    with Keycloak() as opened:
        yield opened


def _page(vendor: Keycloak, **more: Any) -> dict[str, Any]:
    client = {"token_url": f"{vendor.url}/token", "client_id": "${secret.id}", "client_secret": "${secret.secret}"}
    return {
        "connection": {"auth": {"oauth2_client_credentials": {**client, **more}}},
        "secrets": {"id": {"env": "ACME_ID"}, "secret": {"env": "ACME_SECRET"}},
    }


@pytest.fixture(autouse=True)
def _client(desk: Desk) -> None:
    desk.env = {"ACME_ID": "c:1", "ACME_SECRET": "s 1"}


@pytest.mark.parametrize("way", ["body", "basic"])
def test_a_client_signs_in_either_way(desk: Desk, vendor: Keycloak, way: str) -> None:
    result = desk.collect(THINGS, **_page(vendor, client_auth=way, scopes=["a", "b"]))
    assert ("succeeded", ["a b"]) == (result.status, vendor.forms[0]["scope"])


def test_without_scopes_none_are_asked_for(desk: Desk, vendor: Keycloak) -> None:
    desk.collect(THINGS, **_page(vendor))
    assert "scope" not in vendor.forms[0]


def test_a_401_renews_the_token_once(desk: Desk, vendor: Keycloak) -> None:
    vendor.revoked = True
    result = desk.collect(THINGS, **_page(vendor))
    assert ("succeeded", 2) == (result.status, len(vendor.forms))


@pytest.mark.parametrize(("lives", "sign_ins"), [(600, 1), (59, 2)])
def test_a_token_is_renewed_before_its_end(desk: Desk, vendor: Keycloak, lives: int, sign_ins: int) -> None:
    vendor.lives_seconds = lives
    vendor.routes["/slow"] = Answer.json([{"id": 1}])
    vendor.fault("slow", status=429, headers={"Retry-After": "55"})
    endpoints = {"slow": "/slow", "things": {"get": "/things", "for_each": {"one": "slow"}}}
    assert "succeeded" == desk.collect(endpoints, **_page(vendor)).status
    assert sign_ins == len(vendor.forms)


def test_a_refused_client_is_told_in_oauths_words(desk: Desk, vendor: Keycloak) -> None:
    desk.env = {"ACME_ID": "c:1", "ACME_SECRET": "hunter-4711"}
    result = desk.collect(THINGS, **_page(vendor))
    words = "sign-in was refused with status 401: invalid_client: Invalid client"
    assert (words,) == of(result, "things").missing
    assert "hunter-4711" not in str(result.as_json())


def test_a_choice_signs_in_with_what_it_names_alone(desk: Desk, vendor: Keycloak) -> None:
    page = _page(vendor)
    options = {"oauth2": page["connection"]["auth"], "key": {"api_key": {"key": "${secret.key}", "send": "header.X-K"}}}
    page["connection"]["auth"] = {"choose": {"by": "${param.sign_in}", "options": options}}
    page["secrets"]["key"] = {"env": "ACME_KEY"}
    page["params"] = {"sign_in": {"default": "oauth2"}}
    assert "succeeded" == desk.collect(THINGS, **page).status
    with pytest.raises(SpecError, match='secret "key" is not set'):
        desk.collect(THINGS, given={"sign_in": "key"}, **page)
