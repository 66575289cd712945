"""Each auth: what it signs it admits and nothing else, through its YAML."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from engine.core.errors import CollectionError, Mistake
from engine.core.kinds import Auth, Token
from engine.core.values import Secret
from engine.core.wire import Page, Place, Request
from engine.parts.auth.google_service_account import GRANT, GoogleServiceAccount
from tests.parts.tables import REGISTRY, cases, said

BASE = Request("GET", "https://api.example.com/things", query=(("a", "1"),), header=(("Accept", "x"),))
NOW = 1_781_524_800.0
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


def auth(word: str, settings: Any, **secrets: str) -> Auth:
    """The auth as a page names it, its secrets filled in."""
    value = word if settings is None else {word: settings}
    part: Auth = TypeAdapter(Auth).validate_python(value, context={"registry": REGISTRY})
    return part.filled({"secret": {name: Secret(text, name) for name, text in secrets.items()}})


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="sends"))
def test_a_signed_request_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    request = auth(word, case["settings"], **case.get("secrets", {})).sign(BASE, Token())
    assert case["sends"] == {place: request.get(Place(place)) for place in case["sends"]}


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="sends"))
def test_what_it_signs_it_admits(word: str, case: dict[str, Any]) -> None:
    part = auth(word, case["settings"], **case.get("secrets", {}))
    assert part.admit(part.sign(BASE, Token()), NOW)


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="refuses"))
def test_a_request_that_was_altered_is_refused(word: str, case: dict[str, Any]) -> None:
    part = auth(word, case["settings"], **case.get("secrets", {}))
    signed = part.sign(BASE, Token())
    altered = [signed.put(Place(place), value) for place, value in case["refuses"].items()]
    assert [False] * len(altered) == [part.admit(request, NOW) for request in altered]


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="refuses"))
def test_a_request_that_is_not_signed_is_refused(word: str, case: dict[str, Any]) -> None:
    assert not auth(word, case["settings"], **case.get("secrets", {})).admit(BASE, NOW)


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        auth(word, case["settings"])
    assert case["mistake"] in said(raised.value)


@given(TEXTS, TEXTS)
def test_a_token_is_admitted_only_by_its_owner(one: str, other: str) -> None:
    mine = auth("bearer", {"token": "${secret.t}"}, t=one)
    theirs = auth("bearer", {"token": "${secret.t}"}, t=other)
    assert (one == other) == theirs.admit(mine.sign(BASE, Token()), NOW)


@pytest.mark.parametrize(
    ("word", "field"), [("bearer", "token"), ("api_key", "key"), ("google_service_account", "key")]
)
def test_a_secret_never_shows_itself(word: str, field: str) -> None:
    more = {"send": "header.X-Key"} if word == "api_key" else {}
    part = auth(word, {field: "${secret.planted}", **more}, planted="hunter-4711")
    assert "hunter-4711" not in f"{part} {part!r} {part.model_dump()}"


# --- Google's service accounts


@pytest.fixture(scope="module")
def google() -> GoogleServiceAccount:
    part = auth("google_service_account", {"key": "${secret.k}", "scopes": ["a", "b"]}, k="{}")
    assert isinstance(part, GoogleServiceAccount)
    return part.rehearse("http://127.0.0.1:9")


def _account(part: GoogleServiceAccount) -> dict[str, str]:
    found: dict[str, str] = json.loads(part.key.reveal())  # type: ignore[attr-defined]  # a filled key is a Secret
    return found


def _asked(part: GoogleServiceAccount, now: float = NOW) -> Request:
    request: Request = next(part.renew(now))
    return request


def _token(part: GoogleServiceAccount, now: float = NOW) -> Token:
    steps = part.renew(now)
    page = part.grant(next(steps), now)
    assert page is not None
    with pytest.raises(StopIteration) as ended:
        steps.send(page)
    token: Token = ended.value.value
    return token


def test_google_sends_a_jwt_that_pyjwt_accepts(google: GoogleServiceAccount) -> None:
    request, account = _asked(google), _account(google)
    key = load_pem_private_key(account["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    claims = jwt.decode(
        request.body["assertion"],
        key.public_key(),
        algorithms=["RS256"],
        audience="http://127.0.0.1:9/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    expected = {"iss": account["client_email"], "aud": "http://127.0.0.1:9/token", "scope": "a b"}
    assert {**expected, "iat": int(NOW), "exp": int(NOW) + 3600} == claims


def test_google_asks_as_rfc_7523_says(google: GoogleServiceAccount) -> None:
    request = _asked(google)
    assert ("POST", "http://127.0.0.1:9/token", True) == (request.method, request.url, request.form)
    assert GRANT == request.body["grant_type"]


def test_google_names_the_key_it_signed_with(google: GoogleServiceAccount) -> None:
    assert "simulated" == jwt.get_unverified_header(_asked(google).body["assertion"])["kid"]


def test_what_google_grants_it_admits(google: GoogleServiceAccount) -> None:
    assert google.admit(google.sign(BASE, _token(google)), NOW + 3599)


def test_google_refuses_a_token_that_expired(google: GoogleServiceAccount) -> None:
    assert not google.admit(google.sign(BASE, _token(google)), NOW + 3600)


@pytest.mark.parametrize("token", ["Bearer x", "Bearer simulated.9999999999.0", "Basic a", ""])
def test_google_refuses_a_token_it_never_gave(google: GoogleServiceAccount, token: str) -> None:
    assert not google.admit(BASE.put(Place("header.Authorization"), token), NOW)


def test_google_refuses_a_token_with_another_end(google: GoogleServiceAccount) -> None:
    word, expires, seal = _token(google).value.reveal().split(".")
    longer = Token(Secret(f"{word}.{int(expires) + 1}.{seal}"))
    assert not google.admit(google.sign(BASE, longer), NOW)


def test_google_refuses_a_jwt_of_another_key(google: GoogleServiceAccount) -> None:
    page = google.grant(_asked(google.rehearse("http://127.0.0.1:9")), NOW)
    assert page is not None
    assert (400, "invalid_grant") == (page.status, page.answer["error"])


@pytest.mark.parametrize("later", [3600, 100_000, -61])
def test_google_refuses_a_jwt_that_is_not_of_now(google: GoogleServiceAccount, later: int) -> None:
    page = google.grant(_asked(google), NOW + later)
    assert page is not None
    assert 400 == page.status


def test_google_grants_at_its_token_uri_alone(google: GoogleServiceAccount) -> None:
    assert google.grant(BASE, NOW) is None
    assert ["http://127.0.0.1:9/token"] == google.hosts()


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"access_token": 5}'])
def test_an_answer_without_a_token_is_a_refusal(google: GoogleServiceAccount, body: bytes) -> None:
    steps = google.renew(NOW)
    request = next(steps)
    with pytest.raises(CollectionError, match="sign-in was refused with status 200"):
        steps.send(Page(request, 200, body=body))


def test_a_refusal_shows_no_more_than_oauths_own_words(google: GoogleServiceAccount) -> None:
    steps = google.renew(NOW)
    request = next(steps)
    body = {"error": "invalid_grant", "error_description": "no such account", "debug": request.body["assertion"]}
    with pytest.raises(CollectionError) as raised:
        steps.send(Page(request, 400, body=json.dumps(body).encode()))
    assert "sign-in was refused with status 400: invalid_grant: no such account" == raised.value.message
