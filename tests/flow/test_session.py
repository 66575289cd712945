"""One sign-in for all threads: renewed once, given up in time, asked once when it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from engine.core.clock import Clock
from engine.core.errors import ConfigError, Stopped
from engine.core.kinds import Renewal, Token
from engine.core.values import Secret
from engine.core.wire import Page, Request
from engine.flow.session import Session
from engine.parts.auth.google_service_account import GoogleServiceAccount
from tests.flow.desk import NOON, Desk, Time, Tiny, of
from tests.vendors.server import Answer, Asked

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
GOOGLE: dict[str, Any] = {
    "connection": {"auth": {"google_service_account": {"key": "${secret.account}"}}},
    "secrets": {"account": {"env": "ACME_ACCOUNT"}},
}


class Google(Tiny):
    """A token endpoint that checks each JWT with PyJWT alone, and things behind the newest token."""

    def __init__(self) -> None:
        super().__init__({"/token": self.token, "/things": self.things})
        self.claims: list[dict[str, Any]] = []
        self.refusals = 0
        """How many requests with a good token are still refused."""

    def token(self, asked: Asked) -> Any:
        form = dict(part.split("=") for part in asked.body.decode().split("&"))
        found = jwt.decode(
            form["assertion"],
            KEY.public_key(),
            algorithms=["RS256"],
            audience=f"{self.url}/token",
            options={"verify_exp": False, "verify_iat": False},
        )
        self.claims.append(found)
        return {"access_token": f"token-4711-{len(self.claims)}", "expires_in": 3600, "token_type": "Bearer"}

    def things(self, asked: Asked) -> Any:
        good = asked.headers.get("authorization") == f"Bearer token-4711-{len(self.claims)}"
        if not good or self.refusals > 0:
            self.refusals -= 1
            return Answer.json({"error": {"message": "token expired"}}, 401)
        return [{"id": 1}]


@pytest.fixture
def vendor() -> Iterator[Google]:
    with Google() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _account(desk: Desk, vendor: Google) -> None:
    account = {"client_email": "me@acme.example", "private_key": PEM, "token_uri": f"{vendor.url}/token"}
    desk.env = {"ACME_ACCOUNT": json.dumps(account)}


def test_a_service_account_signs_in_with_a_jwt_that_others_accept(desk: Desk, vendor: Google) -> None:
    assert "succeeded" == desk.collect({"things": "/things"}, **GOOGLE).status
    scope = "https://www.googleapis.com/auth/cloud-platform"
    second = int(NOON) + 1
    expected = {"iss": "me@acme.example", "scope": scope, "aud": f"{vendor.url}/token", "iat": second}
    assert [{**expected, "exp": second + 3600}] == vendor.claims


def test_all_endpoints_share_one_sign_in(desk: Desk, vendor: Google) -> None:
    desk.collect({f"e{number}": "/things" for number in range(5)}, **GOOGLE)
    assert 1 == len(vendor.claims)


def test_a_401_renews_the_token_once(desk: Desk, vendor: Google) -> None:
    vendor.refusals = 1
    assert "succeeded" == desk.collect({"things": "/things"}, **GOOGLE).status
    assert 2 == len(vendor.claims)


def test_a_401_with_a_fresh_token_is_given_up(desk: Desk, vendor: Google) -> None:
    vendor.refusals = 9
    result = desk.collect({"things": "/things"}, **GOOGLE)
    assert 2 == len(vendor.asked("GET"))
    assert (f"GET {vendor.url}/things: status 401: token expired",) == of(result, "things").missing
    assert "check the credentials" == result.errors[0]["fix"]


def test_a_fixed_token_is_not_tried_again_on_a_401(desk: Desk, vendor: Google) -> None:
    desk.env = {"ACME_TOKEN": "old"}
    page: dict[str, Any] = {
        "connection": {"auth": {"bearer": {"token": "${secret.t}"}}},
        "secrets": {"t": {"env": "ACME_TOKEN"}},
    }
    desk.collect({"things": "/things"}, **page)
    assert 1 == len(vendor.log)


def test_a_sign_in_that_is_refused_is_asked_once(desk: Desk, vendor: Google) -> None:
    refusal = {"error": "invalid_grant", "error_description": "account disabled", "assertion": "secret-echo"}
    vendor.routes["/token"] = Answer.json(refusal, 400)
    result = desk.collect({f"e{number}": "/things" for number in range(5)}, **GOOGLE)
    words = "sign-in was refused with status 400: invalid_grant: account disabled"
    assert [(words,)] * 5 == [one.missing for one in result.collections]
    assert ["/token"] == vendor.targets()


def test_a_sign_in_that_fails_in_passing_is_asked_again(desk: Desk, vendor: Google) -> None:
    vendor.fault("token", times=5, status=503)
    result = desk.collect(
        {"a": "/things", "b": "/things"},
        connection={**GOOGLE["connection"], "concurrency": 1},
        secrets=GOOGLE["secrets"],
    )
    assert ("sign-in was refused with status 503",) == of(result, "a").missing
    assert () == of(result, "b").missing


def test_a_place_in_the_rate_limit_is_taken_behind_the_sign_in(desk: Desk, vendor: Google) -> None:
    def slow(asked: Asked) -> Any:
        desk.time.now += 5
        return vendor.token(asked)

    vendor.routes["/token"] = slow
    connection = {**GOOGLE["connection"], "concurrency": 1, "rate_limit": "1/s"}
    desk.collect({"a": "/things", "b": "/things"}, connection=connection, secrets=GOOGLE["secrets"])
    assert [1.0] == desk.time.waits


def test_a_sign_in_is_never_kept(desk: Desk, vendor: Google) -> None:
    desk.collect({"things": "/things"}, **GOOGLE)
    kept = b"".join(path.read_bytes() for path in desk.storage.rglob("*") if path.is_file())
    assert [] == [word for word in (b"token-4711", b"PRIVATE KEY") if word in kept]


def test_a_redirect_of_a_sign_in_does_not_leave_its_host(desk: Desk, vendor: Google) -> None:
    with Tiny() as other:
        there = other.url.replace("127.0.0.1", "127.0.0.2")
        vendor.routes["/token"] = Answer(307, b"", {"Location": f"{there}/token"})
        connection = {**GOOGLE["connection"], "allow_hosts": ["127.0.0.2"]}
        result = desk.collect({"things": "/things"}, connection=connection, secrets=GOOGLE["secrets"])
        assert [] == other.log
    assert ("a redirect leads to 127.0.0.2, which is not allowed",) == of(result, "things").missing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "the service account key has no client_email, private_key, token_uri"),
        ('{"client_email": "a", "private_key": "b"}', "the service account key has no token_uri"),
        (
            '{"client_email": "a", "private_key": "b", "token_uri": "http://127.0.0.1:9"}',
            "the service account's private_key cannot be read",
        ),
    ],
)
def test_a_key_that_is_none_ends_with_exit_2(desk: Desk, text: str, words: str) -> None:
    desk.env = {"ACME_ACCOUNT": text}
    with pytest.raises(ConfigError) as raised:
        desk.collect({"things": "/things"}, **GOOGLE)
    assert (words, 2) == (raised.value.message, raised.value.exit_code)


# --- the session alone


class Counting(GoogleServiceAccount):
    """A sign-in that asks for one page; the token is its body."""

    def renew(self, on: Renewal) -> Any:
        """One request."""
        page = yield Request("POST", "http://127.0.0.1/token")
        return Token(Secret(page.body.decode()), on.now + 100)


def _session(time: Time) -> tuple[Session, list[Request], Any]:
    asked: list[Request] = []

    def ask(request: Request) -> Page:
        asked.append(request)
        return Page(request, 200, body=b"t-%d" % len(asked))

    return Session(Counting.model_validate({"key": "${secret.k}"}), time.clock()), asked, ask


def test_a_hundred_threads_cause_one_renewal() -> None:
    session, asked, ask = _session(Time())
    old = session.token(ask)
    together = Barrier(100)

    def refused(_: int) -> str:
        together.wait()
        session.forget(old)
        return session.token(ask).value.reveal()

    with ThreadPoolExecutor(100) as pool:
        tokens = set(pool.map(refused, range(100)))
    assert ({"t-2"}, 2) == (tokens, len(asked))


def test_whoever_waits_for_the_sign_in_of_another_hears_a_stop() -> None:
    signing, stop, over = Event(), Event(), Event()

    def wait(seconds: float) -> None:
        if stop.is_set():
            raise Stopped("the run was stopped", "run it again")

    def hang(request: Request) -> Page:
        signing.set()
        over.wait(30)
        return Page(request, 200, body=b"t-1")

    session = Session(Counting.model_validate({"key": "${secret.k}"}), Clock(lambda: 0.0, wait, lambda: 0.5))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(session.token, hang)
        assert signing.wait(10)
        second = pool.submit(session.token, hang)
        stop.set()
        with pytest.raises(Stopped):
            second.result(2)
        over.set()
        assert "t-1" == first.result(10).value.reveal()


def test_a_token_is_renewed_before_it_expires() -> None:
    time = Time(0.0)
    session, _, ask = _session(time)
    tokens = []
    for now in (0.0, 99.9, 100.0):
        time.now = now
        tokens.append(session.token(ask).value.reveal())
    assert ["t-1", "t-1", "t-2"] == tokens


def test_a_late_401_does_not_throw_a_newer_token_away() -> None:
    session, asked, ask = _session(Time())
    old = session.token(ask)
    session.forget(old)
    session.token(ask)
    session.forget(old)
    session.token(ask)
    assert 2 == len(asked)


def test_googles_tokens_are_renewed_225_seconds_early() -> None:
    account = json.dumps({"client_email": "a", "private_key": PEM, "token_uri": "http://127.0.0.1/token"})
    auth = GoogleServiceAccount.model_validate({"key": "${secret.k}"}).filled({"secret": {"k": Secret(account)}})
    steps = auth.renew(Renewal(1000.0))
    request = next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send(Page(request, 200, body=b'{"access_token": "t", "expires_in": 3600}'))
    assert 1000.0 + 3600 - 225 == ended.value.value.renew_at


@pytest.mark.parametrize("text", ["tök-9912345", "s-9912345\n", "s-9912345\r\nX-Other: 1"])
def test_a_secret_that_no_header_can_hold_is_named_but_not_shown(desk: Desk, vendor: Tiny, text: str) -> None:
    desk.env = {"ACME_TOKEN": text}
    auth: dict[str, Any] = {"connection": {"auth": {"bearer": {"token": "${secret.main_token}"}}}}
    with pytest.raises(ConfigError, match='secret "main_token" has a letter or a line break') as caught:
        desk.collect({"things": "/things"}, **auth, secrets={"main_token": {"env": "ACME_TOKEN"}})
    assert (2, 0, False) == (caught.value.exit_code, len(vendor.log), "9912345" in str(caught.value))


def test_a_header_that_cannot_be_sent_leaves_its_endpoint_out(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": 1}]
    result = desk.collect({"things": {"get": "/things", "header": {"X-Who": "Zoë"}}, "others": "/things"})
    assert ("the header X-Who has a letter" in of(result, "things").missing[0], ()) == (
        True,
        of(result, "others").missing,
    )
