"""Signatures against published examples; and whatever of a signed request is altered, it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clock import read_instant
from engine.core.errors import CollectionError, ConfigError
from engine.core.kinds import Auth, Moment, Renewal, Token
from engine.core.values import Secret
from engine.core.wire import Page, Place, Request
from tests.parts.tables import cases
from tests.parts.test_auth import NOW, auth

AUTHORIZATION = Place("header.Authorization")

# --- published examples of AWS

SUITE = {"access_key": "AKIDEXAMPLE", "region": "us-east-1", "service": "service"}
AS: dict[str, tuple[dict[str, str], str, str]] = {
    "suite": (SUITE, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "2015-08-30T12:36:00Z"),
    "sts": (
        {**SUITE, "session_token": "${secret.session}"},
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "2015-08-30T12:36:00Z",
    ),
    "s3": (
        {"access_key": "AKIAIOSFODNN7EXAMPLE", "region": "us-east-1", "service": "s3"},
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "2013-05-24T00:00:00Z",
    ),
}
SESSION = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="signature"))
def test_a_request_to_aws_is_signed_as_published(word: str, case: dict[str, Any]) -> None:
    settings, key, at = AS[case["as"]]
    part = auth(word, {**settings, "secret_key": "${secret.key}"}, key=key, session=SESSION)
    address, _, query = case["url"].partition("?")
    form: Any = {"body": case["form"], "media": "form"} if "form" in case else {}
    header = tuple((name, value) for name, value in case.get("header", []))
    request = Request(case["method"], address, tuple(parse_qsl(query, keep_blank_values=True)), header, **form)
    now = read_instant(at).timestamp()
    signed = part.sign(request, Token(), Moment(now))
    end = f"SignedHeaders={case['headers']}, Signature={case['signature']}"
    assert str(signed.get(AUTHORIZATION)).endswith(end)
    assert part.admit(signed, now)


# --- published examples of digest


def _challenged(case: dict[str, Any]) -> tuple[Auth, Token]:
    part = auth("digest", case["settings"], **case["secrets"])
    refused = Page(Request("GET", "http://127.0.0.1/"), 401, {"www-authenticate": case["challenge"]})
    with pytest.raises(StopIteration) as ended:
        next(part.renew(Renewal(NOW, case.get("nonce", ""), refused=refused)))
    token: Token = ended.value.value
    return part, token


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="answers"))
def test_a_challenge_is_answered_as_published(word: str, case: dict[str, Any]) -> None:
    part, token = _challenged(case)
    address, _, query = case["url"].partition("?")
    request = Request("GET", address, tuple(parse_qsl(query)))
    scheme, _, rest = str(part.sign(request, token, Moment(NOW)).get(AUTHORIZATION)).partition(" ")
    said = dict(re.findall(r'([\w*]+)=("(?:\\.|[^"])*"|[^,]+)', rest))
    assert ("Digest", case["answers"]) == (scheme, {name: said.get(name) for name in case["answers"]})


@pytest.mark.parametrize(("word", "case"), cases("auth", asking="unknown"))
def test_a_challenge_that_is_unknown_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises(CollectionError, match=case["unknown"]):
        _challenged(case)


@pytest.mark.parametrize(("text", "expected"), [("stale=TRUE", True), ("stale=false", False), ("", False)])
def test_a_stale_nonce_is_told_from_a_refusal(text: str, expected: bool) -> None:
    part = auth("digest", {"username": "a", "password": "${secret.p}"}, p="b")
    header = f'Digest realm="x", nonce="n", {text}'
    assert expected == part.passing(Page(Request("GET", ""), 401, {"www-authenticate": header}))


# --- tokens of a request, read by PyJWT

ALGORITHMS = ["HS256", "HS512", "RS256", "PS384", "ES256", "ES512", "EdDSA"]


def _public(part: Auth) -> Any:
    text = part.key.reveal()  # type: ignore[attr-defined]  # a Jwt
    return load_pem_private_key(text.encode(), None).public_key() if "PRIVATE KEY" in text else text


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_others_read_what_a_token_says(algorithm: str) -> None:
    claims = {
        "sub": "${param.who}",
        "scope": ["a", "${secret.b}"],
        "jti": "${nonce}",
        "path": "${request.target}",
        "n": 5,
    }
    settings = {"key": "${secret.k}", "algorithm": algorithm, "life": "10m", "claims": claims, "header": {"kid": "1"}}
    part = auth("jwt", settings, {"who": "me"}, k="k" * 64, b="c").rehearse("")
    request = Request("GET", "https://api.example.com/x", (("q", "1 2"),))
    token = str(part.sign(request, Token(), Moment(NOW, "n-1")).get(AUTHORIZATION)).removeprefix("Bearer ")
    options: Any = {"verify_exp": False, "verify_iat": False}
    told = jwt.decode_complete(token, _public(part), algorithms=[algorithm], options=options)
    expected = {"sub": "me", "scope": ["a", "c"], "jti": "n-1", "path": "/x?q=1%202", "n": 5}
    assert {**expected, "iat": int(NOW), "exp": int(NOW) + 600} == told["payload"]
    assert {"alg": algorithm, "typ": "JWT", "kid": "1"} == told["header"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_admitted_in_its_time_alone(algorithm: str) -> None:
    part = auth("jwt", {"key": "${secret.k}", "algorithm": algorithm}, k="k" * 64).rehearse("")
    request = part.sign(Request("GET", "https://api.example.com/x"), Token(), Moment(NOW))
    times = {NOW - 61: False, NOW - 60: True, NOW + 299: True, NOW + 300: False}
    assert times == {now: part.admit(request, now) for now in times}


def test_times_may_be_left_out_of_a_token() -> None:
    claims = {"iat": None, "exp": None, "sub": "me"}
    part = auth("jwt", {"key": "${secret.k}", "claims": claims}, k="k" * 64)
    token = str(part.sign(Request("GET", "https://a.example/"), Token(), Moment(NOW)).get(AUTHORIZATION))
    assert {"sub": "me"} == jwt.decode(token.removeprefix("Bearer "), "k" * 64, algorithms=["HS256"])


@pytest.mark.parametrize(
    ("algorithm", "encoding", "key", "words"),
    [
        ("RS256", "text", "no key", "the key cannot sign with RS256"),
        ("ES256", "text", "", "the key cannot sign with ES256"),
        ("HS256", "hex", "xyz", "the key is not written as hex"),
        ("HS256", "base64", "a*b", "the key is not written as base64"),
    ],
)
def test_a_key_that_is_none_is_named_but_not_shown(algorithm: str, encoding: str, key: str, words: str) -> None:
    part = auth("jwt", {"key": "${secret.k}", "algorithm": algorithm, "key_encoding": encoding}, k=key)
    with pytest.raises(ConfigError, match=words):
        part.sign(Request("GET", "https://a.example/"), Token(), Moment(NOW))


# --- whatever is altered is refused

SIGNED: dict[str, tuple[str, Any]] = {
    "aws": ("aws_sigv4", {"access_key": "A", "secret_key": "${secret.k}", "region": "r", "service": "es"}),
    "s3": ("aws_sigv4", {"access_key": "A", "secret_key": "${secret.k}", "region": "r", "service": "s3"}),
    "hmac": (
        "hmac_signature",
        {
            "key": "${secret.k}",
            "timestamp": "header.X-Time",
            "nonce": "header.X-Nonce",
            "sign": "${timestamp} ${nonce} ${request.method} ${request.url} ${request.body|hash('md5')}",
            "send": "header.Authorization",
        },
    ),
    "jwt": (
        "jwt",
        {
            "key": "${secret.k}",
            "claims": {"what": "${request.method} ${request.url}", "body": "${request.body|hash('sha256')}"},
        },
    ),
}
LETTERS = st.characters(codec="utf-8", exclude_characters="\r\n/?#%.\\ ", exclude_categories=["Cs", "Cc"])
WORDS = st.text(LETTERS, min_size=1, max_size=8)
PLAIN = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Any request with a query and a body."""
    path = "/".join(draw(st.lists(PLAIN, min_size=1, max_size=3)))
    pairs = draw(st.lists(st.tuples(WORDS, WORDS), max_size=3))
    body = draw(st.none() | st.dictionaries(WORDS, WORDS | st.integers(-9, 9), min_size=1, max_size=3))
    method = draw(st.sampled_from(["GET", "POST", "PUT"]))
    return Request(method, f"https://api.example.com/{path}", tuple(pairs), (("X-Amz-Meta", "m"),), body)


def _method(request: Request, letter: str) -> Request:
    return replace(request, method=request.method + "X")


def _path(request: Request, letter: str) -> Request:
    return replace(request, url=request.url[:-1] + chr(ord(request.url[-1]) ^ 1))


def _longer_path(request: Request, letter: str) -> Request:
    return replace(request, url=f"{request.url}/x")


def _host(request: Request, letter: str) -> Request:
    return replace(request, url=request.url.replace("api.example.com", "api.example.org"))


def _more_query(request: Request, letter: str) -> Request:
    return replace(request, query=(*request.query, ("added", letter)))


def _other_query(request: Request, letter: str) -> Request:
    (name, value), *rest = request.query or (("added", ""),)
    return replace(request, query=((name, value + letter), *rest))


def _body(request: Request, letter: str) -> Request:
    return replace(request, body={**(request.body or {}), "added": letter})


def _signature(request: Request, letter: str) -> Request:
    text = str(request.get(AUTHORIZATION))
    return request.put(AUTHORIZATION, text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1])


ALTERATIONS = [_method, _path, _longer_path, _host, _more_query, _other_query, _body, _signature]


@pytest.mark.parametrize("name", SIGNED)
@given(request=requests(), alter=st.sampled_from(ALTERATIONS), letter=LETTERS)
def test_what_is_altered_is_refused(
    name: str, request: Request, alter: Callable[[Request, str], Request], letter: str
) -> None:
    part = auth(*SIGNED[name], k="secret-key-4711")
    signed = part.sign(request, Token(), Moment(NOW, "n-1"))
    assert (True, False) == (part.admit(signed, NOW), part.admit(alter(signed, letter), NOW))


@pytest.mark.parametrize("name", ["aws", "hmac", "jwt"])
@given(request=requests(), now=st.floats(NOW - 10_000, NOW + 10_000))
def test_a_signature_is_admitted_in_its_time_alone(name: str, request: Request, now: float) -> None:
    part = auth(*SIGNED[name], k="secret-key-4711")
    early, late = {"aws": (900, 900), "hmac": (300, 300), "jwt": (60, 300)}[name]
    if abs(now - (NOW - early)) > 1 and abs(now - (NOW + late)) > 1:
        assert (NOW - early < now < NOW + late) == part.admit(part.sign(request, Token(), Moment(NOW, "n")), now)


@pytest.mark.parametrize("name", SIGNED)
@given(st.text("abc", min_size=1, max_size=3), st.text("abc", min_size=1, max_size=3))
def test_a_signature_is_admitted_by_its_key_alone(name: str, one: str, other: str) -> None:
    mine, theirs = (auth(*SIGNED[name], k=key) for key in (one, other))
    request = mine.sign(Request("GET", "https://api.example.com/x"), Token(), Moment(NOW, "n"))
    assert (one == other) == theirs.admit(request, NOW)


@pytest.mark.parametrize(
    ("place", "value"), [("header.X-Amz-Meta", "other"), ("header.X-Amz-Date", "20260615T120001Z")]
)
def test_a_header_that_is_signed_is_not_altered(place: str, value: str) -> None:
    part = auth(*SIGNED["aws"], k="k")
    request = Request("GET", "https://api.example.com/x", header=(("X-Amz-Meta", "m"),))
    assert not part.admit(part.sign(request, Token(), Moment(NOW)).put(Place(place), value), NOW)


# --- digest, from both sides


def _proven(request: Request, now: float = NOW, count: int = 1) -> tuple[Auth, Request]:
    part = auth("digest", {"username": "zoë", "password": "${secret.p}"}, p="p-4711")
    refused = Page(request, 401, part.challenge(request, now))
    with pytest.raises(StopIteration) as ended:
        next(part.renew(Renewal(now, "cnonce", refused=refused)))
    return part, part.sign(request, ended.value.value, Moment(now, "n", count))


@given(request=requests(), alter=st.sampled_from([_method, _path, _longer_path, _more_query]), letter=LETTERS)
def test_a_proof_is_of_its_method_and_address(
    request: Request, alter: Callable[[Request, str], Request], letter: str
) -> None:
    part, signed = _proven(request)
    assert (True, False) == (part.admit(signed, NOW), part.admit(alter(signed, letter), NOW))


def test_an_old_nonce_is_called_stale() -> None:
    part, signed = _proven(Request("GET", "https://api.example.com/x"))
    assert (True, False) == (part.admit(signed, NOW + 299), part.admit(signed, NOW + 300))
    headers = part.challenge(signed, NOW + 300)
    assert part.passing(Page(signed, 401, headers))


def test_without_a_proof_nobody_is_called_stale() -> None:
    part, _ = _proven(Request("GET", "https://api.example.com/x"))
    request = Request("GET", "https://api.example.com/x")
    assert not part.admit(request, NOW)
    assert not part.passing(Page(request, 401, part.challenge(request, NOW)))


# --- sign-ins that ask for a token, from both sides

ASKING: dict[str, tuple[str, Any]] = {
    "refresh": ("oauth2_refresh_token", {"token_url": "https://a.example/t", "refresh_token": "${secret.k}"}),
    "password": ("oauth2_password", {"token_url": "https://a.example/t", "username": "u", "password": "${secret.k}"}),
    "assertion": (
        "oauth2_client_credentials",
        {
            "token_url": "https://a.example/t",
            "client_id": "c",
            "private_key": "${secret.k}",
            "client_auth": "private_key_jwt",
        },
    ),
    "json": (
        "login",
        {
            "post": "/session",
            "body": {"a": {"b": ["${secret.k}"]}},
            "header": {"X-App": "a"},
            "read": "answer.data.token",
            "expires": "answer.data.life",
            "send": "header.X-Token",
        },
    ),
    "header": ("login", {"get": "/in?k=1", "header": {"X": "${secret.k}"}, "read": 'headers."x-t"', "send": "query.t"}),
    "cookie": ("login", {"post": "/in", "form": {"k": "${secret.k}"}, "read": "cookies.sid", "send": "cookie.sid"}),
}


def _rehearsed(name: str, key: str = "key-4711") -> Auth:
    return auth(*ASKING[name], k=key).at("https://api.example.com/v1/").rehearse("http://127.0.0.1:9")


def _token(part: Auth, vendor: Auth, kept: Secret | None = None) -> Token:
    steps = part.renew(Renewal(NOW, "n-1", kept))
    try:
        request = next(steps)
        while True:
            page = vendor.grant(request, NOW)
            assert page is not None
            request = steps.send(page)
    except StopIteration as end:
        token: Token = end.value
        return token


@pytest.mark.parametrize("name", ASKING)
def test_what_is_granted_is_admitted_until_it_expires(name: str) -> None:
    part = _rehearsed(name)
    request = part.sign(Request("GET", "https://api.example.com/x"), _token(part, part), Moment(NOW))
    assert (True, False) == (part.admit(request, NOW + 1799), part.admit(request, NOW + 1800))


@pytest.mark.parametrize("name", ASKING)
def test_whoever_has_another_key_is_refused(name: str) -> None:
    with pytest.raises(CollectionError, match=r"sign-in was refused with status 40[01]"):
        _token(_rehearsed(name, "key-4712"), _rehearsed(name))


@pytest.mark.parametrize("name", ASKING)
def test_a_token_is_given_at_its_address_alone(name: str) -> None:
    part = _rehearsed(name)
    assert part.grant(Request("GET", "https://api.example.com/x"), NOW) is None
    assert ["http://127.0.0.1:9"] == ["/".join(one.split("/")[:3]) for one in part.hosts()]


def test_a_refresh_token_that_was_given_is_taken_and_replaced() -> None:
    part = _rehearsed("refresh")
    first = _token(part, part).keep
    second = _token(part, part, first).keep
    assert first
    assert second
    assert part.keeps() not in (first, second)


def test_a_path_of_a_login_lies_below_the_base_address() -> None:
    settings = {"post": "/session", "read": "answer.t", "send": "header.T"}
    assert ["https://api.example.com/v1/session"] == auth("login", settings).at("https://api.example.com/v1/").hosts()


def test_a_whole_address_of_a_login_is_taken_as_it_is() -> None:
    settings = {"get": "https://login.example.com/in", "read": "answer.t", "send": "header.T"}
    assert ["https://login.example.com/in"] == auth("login", settings).at("https://api.example.com").hosts()


def test_a_login_that_nobody_can_rehearse_says_so() -> None:
    part = auth("login", {"post": "/in", "read": "answer.tokens[0]", "send": "header.T"}).at("https://a.example")
    with pytest.raises(ConfigError, match=r"no answer can be made up from which answer.tokens\[0\] reads a token"):
        part.rehearse("http://127.0.0.1:9")


def test_a_login_sends_what_the_page_says() -> None:
    body = {"user": "${param.u}", "deep": [{"password": "${secret.p}"}], "n": 1, "on": True, "none": None}
    settings = {"post": "/in", "body": body, "header": {"X-App": "a"}, "read": "answer.t", "send": "header.T"}
    part = auth("login", settings, {"u": "me"}, p="p-1").at("https://a.example")
    request = next(part.renew(Renewal(NOW)))
    expected = {"user": "me", "deep": [{"password": "p-1"}], "n": 1, "on": True, "none": None}
    assert ("POST", "https://a.example/in", "a") == (request.method, request.url, request.get(Place("header.X-App")))
    assert expected == json.loads((request.content or ("", b""))[1])
