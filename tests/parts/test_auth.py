"""Each auth: what it signs it admits and nothing else, through its YAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from engine.core.clock import read_instant
from engine.core.errors import CollectionError, Mistake
from engine.core.kinds import Auth, Moment, Renewal, Token
from engine.core.settle import Settling
from engine.core.values import Secret
from engine.core.wire import Page, Place, Request, request_to
from engine.parts.auth.google_service_account import GRANT, GoogleServiceAccount
from tests.parts.tables import REGISTRY, cases, said

BASE = Request("GET", "https://api.example.com/things", query=(("a", "1"),), header=(("Accept", "x"),))
NOW = 1_781_524_800.0
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


def auth(word: str, settings: Any, params: Mapping[str, str] | None = None, **secrets: str) -> Auth:
    """The auth as a page names it, settled by its params, its secrets filled in."""
    value = word if settings is None else {word: settings}
    named = TypeAdapter(Auth).validate_python(value, context={"registry": REGISTRY})
    part: Auth = Settling(params or {}).of(named)
    return part.filled({"secret": {name: Secret(text, name) for name, text in secrets.items()}, "param": params or {}})


def asked(case: dict[str, Any]) -> Request:
    """The request of a case; a list of things unless it says another."""
    if "request" not in case:
        return BASE
    said = json.loads(json.dumps(case["request"]))
    header = tuple(tuple(pair) for pair in said.get("header", []))
    return request_to(
        said.get("method", "GET"), said["url"], header=header, body=said.get("body"), media=said.get("media", "json")
    )


def _signed(word: str, case: dict[str, Any]) -> tuple[Auth, Request, float]:
    """The part of a case, its request as it is sent, and when."""
    part = auth(word, case["settings"], case.get("params"), **case.get("secrets", {}))
    now = read_instant(case["at"]).timestamp() if "at" in case else NOW
    return part, part.sign(asked(case), Token(), Moment(now, "nonce-1")), now


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="sends"))
def test_a_signed_request_is_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    _, request, _ = _signed(word, case)
    sent = {place: request.full_url if place == "url" else request.get(Place(place)) for place in case["sends"]}
    assert case["sends"] == sent


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="sends"))
def test_what_it_signs_it_admits(word: str, case: dict[str, Any]) -> None:
    part, request, now = _signed(word, case)
    assert part.admit(request, now)


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="refuses"))
def test_a_request_that_was_altered_is_refused(word: str, case: dict[str, Any]) -> None:
    part, signed, now = _signed(word, case)
    altered = [signed.put(Place(place), value) for place, value in case["refuses"].items()]
    assert [False] * len(altered) == [part.admit(request, now) for request in altered]


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="refuses"))
def test_a_request_that_is_not_signed_is_refused(word: str, case: dict[str, Any]) -> None:
    part, _, now = _signed(word, case)
    assert not part.admit(asked(case), now)


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        auth(word, case["settings"])
    assert case["mistake"] in said(raised.value)


@given(TEXTS, TEXTS)
def test_a_token_is_admitted_only_by_its_owner(one: str, other: str) -> None:
    mine = auth("bearer", {"token": "${secret.t}"}, t=one)
    theirs = auth("bearer", {"token": "${secret.t}"}, t=other)
    assert (one == other) == theirs.admit(mine.sign(BASE, Token(), Moment(NOW)), NOW)


@pytest.mark.parametrize(
    ("word", "field", "more"),
    [
        ("bearer", "token", {}),
        ("api_key", "key", {"send": "header.X-Key"}),
        ("google_service_account", "key", {}),
        ("oauth2_client_credentials", "client_secret", {"token_url": "https://a.example/token", "client_id": "c"}),
    ],
)
def test_a_secret_never_shows_itself(word: str, field: str, more: dict[str, str]) -> None:
    part = auth(word, {field: "${secret.planted}", **more}, planted="hunter-4711")
    assert "hunter-4711" not in f"{part} {part!r} {part.model_dump()}"


# --- tokens for a client's id and secret


def _exchanged(part: Auth, page: Page) -> Token:
    steps = part.renew(Renewal(NOW))
    next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send(page)
    token: Token = ended.value.value
    return token


def _answered(case: dict[str, Any]) -> Page:
    return Page(BASE, case.get("status", 200), case.get("headers", {}), json.dumps(case["answer"]).encode())


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="asks"))
def test_a_token_is_asked_for_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    request = next(auth(word, case["settings"], **case["secrets"]).renew(Renewal(NOW)))
    authorization = request.get(Place("header.Authorization"))
    assert case["asks"] == {"url": request.url, "form": request.body, "authorization": authorization}
    assert ("POST", "form") == (request.method, request.media)


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="lives"))
def test_a_token_lives_and_is_sent_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    part = auth(word, case["settings"], **case["secrets"])
    token = _exchanged(part, _answered(case))
    request = part.sign(BASE, token, Moment(NOW))
    assert case["signed"] == {place: request.get(Place(place)) for place in case["signed"]}
    assert case["lives"] == token.renew_at - NOW


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="refused"))
def test_a_refused_sign_in_says_what_the_table_says(word: str, case: dict[str, Any]) -> None:
    with pytest.raises(CollectionError) as raised:
        _exchanged(auth(word, case["settings"], **case["secrets"]), _answered(case))
    assert case["refused"] == raised.value.message


CLIENT = {"client_id": "${secret.id}", "client_secret": "${secret.secret}"}


def _client(way: str = "body", secret: str = "s-1") -> Auth:
    settings = {"token_url": "https://auth.example.com/t", "client_auth": way, **CLIENT}
    return auth("oauth2_client_credentials", settings, id="c-1", secret=secret).rehearse("http://127.0.0.1:9")


def _granted(part: Auth, to: Auth) -> Page:
    page = part.grant(next(to.renew(Renewal(NOW))), NOW)
    assert page is not None
    return page


@pytest.mark.parametrize("way", ["body", "basic"])
def test_what_is_granted_to_a_client_is_admitted_until_it_expires(way: str) -> None:
    part = _client(way)
    request = part.sign(BASE, _exchanged(part, _granted(part, part)), Moment(NOW))
    assert (True, False) == (part.admit(request, NOW + 1799), part.admit(request, NOW + 1800))


@pytest.mark.parametrize("way", ["body", "basic"])
def test_a_client_with_another_secret_is_refused(way: str) -> None:
    page = _granted(_client(way), _client(way, "s-2"))
    assert (401, {"error": "invalid_client"}) == (page.status, page.answer)


@pytest.mark.parametrize(("way", "other"), [("body", "basic"), ("basic", "body")])
def test_a_client_that_signs_in_another_way_is_refused(way: str, other: str) -> None:
    assert 401 == _granted(_client(way), _client(other)).status


def test_a_token_of_another_client_is_not_admitted() -> None:
    other = _client(secret="s-2")
    token = _exchanged(other, _granted(other, other))
    assert not _client().admit(_client().sign(BASE, token, Moment(NOW)), NOW)


@pytest.mark.parametrize("token", ["Bearer x", "Bearer simulated.9999999999.0", "Bearer ä.1.ö", "", None])
def test_a_token_that_nobody_gave_is_not_admitted(token: str | None) -> None:
    assert not _client().admit(BASE.put(Place("header.Authorization"), token), NOW)


def test_a_client_is_given_tokens_at_its_token_url_alone() -> None:
    assert _client().grant(BASE, NOW) is None
    assert ["http://127.0.0.1:9/token"] == _client().hosts()


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
    request: Request = next(part.renew(Renewal(now)))
    return request


def _token(part: GoogleServiceAccount, now: float = NOW) -> Token:
    steps = part.renew(Renewal(now))
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
    assert ("POST", "http://127.0.0.1:9/token", "form") == (request.method, request.url, request.media)
    assert GRANT == request.body["grant_type"]


def test_google_names_the_key_it_signed_with(google: GoogleServiceAccount) -> None:
    assert "simulated" == jwt.get_unverified_header(_asked(google).body["assertion"])["kid"]


def test_what_google_grants_it_admits(google: GoogleServiceAccount) -> None:
    assert google.admit(google.sign(BASE, _token(google), Moment(NOW)), NOW + 3599)


def test_google_refuses_a_token_that_expired(google: GoogleServiceAccount) -> None:
    assert not google.admit(google.sign(BASE, _token(google), Moment(NOW)), NOW + 3600)


@pytest.mark.parametrize("token", ["Bearer x", "Bearer simulated.9999999999.0", "Basic a", ""])
def test_google_refuses_a_token_it_never_gave(google: GoogleServiceAccount, token: str) -> None:
    assert not google.admit(BASE.put(Place("header.Authorization"), token), NOW)


def test_google_refuses_a_token_with_another_end(google: GoogleServiceAccount) -> None:
    word, expires, seal = _token(google).value.reveal().split(".")
    longer = Token(Secret(f"{word}.{int(expires) + 1}.{seal}"))
    assert not google.admit(google.sign(BASE, longer, Moment(NOW)), NOW)


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
    steps = google.renew(Renewal(NOW))
    request = next(steps)
    with pytest.raises(CollectionError, match="sign-in was refused with status 200"):
        steps.send(Page(request, 200, body=body))


def test_a_refusal_shows_no_more_than_oauths_own_words(google: GoogleServiceAccount) -> None:
    steps = google.renew(Renewal(NOW))
    request = next(steps)
    body = {"error": "invalid_grant", "error_description": "no such account", "debug": request.body["assertion"]}
    with pytest.raises(CollectionError) as raised:
        steps.send(Page(request, 400, body=json.dumps(body).encode()))
    assert "sign-in was refused with status 400: invalid_grant: no such account" == raised.value.message
