"""Signatures, proofs, certificates and pools of keys against vendors that were written from their documents."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from engine.core.clock import Clock
from engine.core.events import nowhere
from engine.core.wire import Request
from engine.flow.fetch import Fetcher, Route
from engine.flow.line import Patience
from engine.flow.session import Pool
from tests.flow.desk import Desk, Time, Tiny, of
from tests.flow.test_signin import EVERY, collect
from tests.parts.test_auth import auth
from tests.vendors.server import Answer, Asked
from tests.vendors.signin import AwsWay, Behind, DigestWay, HmacWay, JwtWay, KeysWay

ODD = {
    "things": {
        "get": "/a b/~x/é:@!$&'()*+,;=/things",
        "query": {"q": "a b+c/d~é&=!'()*", "empty": "", "Z": "1", "z": ["2", "10"]},
    },
    "posted": {"post": "/things", "body": {"text": "é €", "n": [1, 2.5, None]}, "query": {"a": "1"}},
    "form": {"post": "/things", "form": {"a": "x y&é", "b": ["1", "2"]}},
}
"""Requests that are hard to sign: the letters of their path, query and body are encoded in many ways."""

# --- digest


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])
def test_a_challenge_is_answered_once_and_serves_all_requests(desk: Desk, algorithm: str) -> None:
    with Behind(DigestWay("zoe", "p:4711", algorithm), lambda: desk.time.now) as vendor:
        result = collect(desk, vendor, {"digest": {"username": "zoe", "password": "${secret.P}"}}, P="p:4711")
        assert ("succeeded", [401] + [200] * EVERY) == (result.status, vendor.things())


def test_a_stale_nonce_is_no_refusal(desk: Desk) -> None:
    with Behind(DigestWay("zoe", "p", uses=2), lambda: desk.time.now) as vendor:
        result = collect(desk, vendor, {"digest": {"username": "zoe", "password": "${secret.P}"}}, P="p")
        assert "succeeded" == result.status
        assert [401, 200, 200, 401, 200, 200, 401, 200, 200, 401, 200] == vendor.things()


def test_a_nonce_that_is_stale_at_once_is_replaced_but_not_for_ever(desk: Desk) -> None:
    with Behind(DigestWay("zoe", "p", uses=0), lambda: desk.time.now) as vendor:
        collect(desk, vendor, {"digest": {"username": "zoe", "password": "${secret.P}"}}, P="p")
        assert [401] * 6 == vendor.things()


def test_a_password_that_is_wrong_is_proven_once(desk: Desk) -> None:
    with Behind(DigestWay("zoe", "right"), lambda: desk.time.now) as vendor:
        result = collect(desk, vendor, {"digest": {"username": "zoe", "password": "${secret.P}"}}, P="wrong-4711")
        assert ("incomplete", [401, 401]) == (result.status, vendor.things())


def test_a_vendor_that_wants_no_digest_is_named(desk: Desk, vendor: Tiny) -> None:
    desk.env = {"P": "p"}
    page: dict[str, Any] = {"connection": {"auth": {"digest": {"username": "zoe", "password": "${secret.P}"}}}}
    vendor.routes["/things"] = lambda asked: replace(Tiny().refusal(401), headers={"WWW-Authenticate": "Basic"})
    result = desk.collect({"things": "/things"}, **page, secrets={"P": {"env": "P"}})
    assert ("the vendor does not ask for digest in a way that is known here",) == of(result, "things").missing


def test_no_count_is_used_twice_by_many_threads() -> None:
    time, way = Time(), DigestWay("zoe", "p")
    fetcher = Fetcher(time.clock(), nowhere)
    with Behind(way, lambda: time.now) as vendor, closing(fetcher), ThreadPoolExecutor(16) as threads:
        pool = Pool(auth("digest", {"username": "zoe", "password": "${secret.p}"}, p="p"), time.clock())
        route = Route("things", pool, (), frozenset({"127.0.0.1"}), Patience(), 10**6)
        asked = [Request("GET", f"{vendor.url}/things", (("n", str(number)),)) for number in range(64)]
        assert {200} == {page.status for page in threads.map(lambda one: fetcher.fetch(one, route), asked)}
        assert {f"{count:08x}" for count in range(1, 65)} == set().union(*way.nonces.values())


# --- signatures


def test_a_vendors_own_signature_covers_what_is_sent(desk: Desk) -> None:
    settings = {
        "key": "${secret.K}",
        "key_encoding": "base64",
        "key_id": "id-1",
        "timestamp": "header.X-Time",
        "timestamp_format": "epoch_ms",
        "nonce": "header.X-Nonce",
        "sign": "${timestamp}\n${nonce}\n${request.method}\n${request.target}\n${request.body|hash('sha256')}",
        "algorithm": "sha512",
        "encoding": "base64",
        "send": "header.Authorization",
        "value": "ACME ${key_id}:${signature}",
    }
    key = bytes(range(64))
    with Behind(HmacWay(key, "id-1"), lambda: desk.time.now) as vendor:
        env = {"K": base64.b64encode(key).decode()}
        collect(desk, vendor, {"hmac_signature": settings}, endpoints=ODD, **env)
        assert [200, 200, 200] == [status for _, status in vendor.log]


def test_a_request_to_aws_is_signed_as_aws_checks_it(desk: Desk) -> None:
    settings = {"access_key": "AKIDEXAMPLE", "secret_key": "${secret.K}", "region": "eu-central-1", "service": "es"}
    with Behind(AwsWay("AKIDEXAMPLE", "s-4711", "eu-central-1", "es"), lambda: desk.time.now) as vendor:
        collect(desk, vendor, {"aws_sigv4": settings}, endpoints=ODD, K="s-4711")
        assert [200, 200, 200] == [status for _, status in vendor.log]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_each_request_has_a_token_of_its_own(
    desk: Desk, keys: Callable[[str], tuple[str, Any]], algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = keys(algorithm)
    settings = {
        "key": "${secret.K}",
        "algorithm": algorithm,
        "header": {"kid": "k-1"},
        "life": "2m",
        "claims": {"aud": "acme", "jti": "${nonce}", "uri": "${request.method} ${request.host}${request.target}"},
    }
    numbers = iter(range(10**6))
    clock = Clock(lambda: desk.time.now, desk.time.wait, lambda: next(numbers) / 10**6)
    monkeypatch.setattr(desk.time, "clock", lambda: clock)
    with Behind(JwtWay(public, algorithm), lambda: desk.time.now) as vendor:
        assert "succeeded" == collect(desk, vendor, {"jwt": settings}, K=private).status
        assert [200] * EVERY == vendor.things()


# --- keys that share the work


def _pooled(desk: Desk, vendor: Behind, tokens: str, **more: Any) -> Any:
    settings = {"values": "${secret.T}", "prefix": "token ", **more}
    return collect(desk, vendor, {"tokens": settings}, T=tokens)


def test_keys_take_turns(desk: Desk) -> None:
    way = KeysWay({"key-1": 99, "key-2": 99, "key-3": 99})
    with Behind(way, lambda: desk.time.now) as vendor:
        assert "succeeded" == _pooled(desk, vendor, "key-1, key-2\nkey-3").status
        assert {"key-1": 3, "key-2": 2, "key-3": 2} == way.spent


@pytest.mark.parametrize("status", [403, 429])
def test_a_key_that_is_used_up_rests_while_the_others_go_on(desk: Desk, status: int) -> None:
    way = KeysWay({"key-1": 1, "key-2": 99}, pushes_with=status)
    with Behind(way, lambda: desk.time.now) as vendor:
        assert "succeeded" == _pooled(desk, vendor, "key-1 key-2").status
        assert ([200, 200, status] + [200] * 5, []) == (vendor.things(), desk.time.waits)


def test_where_all_keys_are_used_up_the_first_to_be_free_is_waited_for(desk: Desk) -> None:
    way = KeysWay({"key-1": 2, "key-2": 2}, reset_seconds=600)
    with Behind(way, lambda: desk.time.now) as vendor:
        assert "succeeded" == _pooled(desk, vendor, "key-1 key-2").status
        assert [200, 200, 200, 200, 403, 403, 200, 200, 200] == vendor.things()
        assert 600.0 == sum(desk.time.waits)


def test_a_key_that_is_refused_is_left_out_and_named(desk: Desk) -> None:
    with Behind(KeysWay({"key-2": 99}), lambda: desk.time.now) as vendor:
        result = _pooled(desk, vendor, "key-1-taken-back key-2")
        assert ("succeeded", [401] + [200] * EVERY) == (result.status, vendor.things())
        assert ["sign-in 1 of 2 was left out: status 401"] == result.notes


def test_an_endpoint_that_refuses_all_keys_leaves_none_out_and_asks_each_once(desk: Desk) -> None:
    with Behind(KeysWay({}), lambda: desk.time.now) as vendor:
        result = _pooled(desk, vendor, "key-1 key-2")
        assert ("incomplete", [401, 401], []) == (result.status, vendor.things(), result.notes)


def test_an_endpoint_that_refuses_all_keys_leaves_them_to_the_others(desk: Desk, vendor: Tiny) -> None:
    keys: list[str] = []

    def open_to_all(asked: Asked) -> Any:
        keys.append(asked.headers["authorization"])
        return [{"id": 1}]

    vendor.routes |= {"/closed": Answer.json({"error": "not for you"}, 401), "/things": open_to_all}
    desk.env = {"ACME_KEYS": "key-1-long key-2-long key-3-long"}
    connection = {"auth": {"tokens": {"values": "${secret.keys}"}}, "concurrency": 1}
    closed = {"closed": {"for_each": {"it": [1, 2, 3]}, "get": "/closed", "query": {"of": "${it}"}}}
    things = {f"things_{at}": "/things" for at in range(6)}
    result = desk.collect({**closed, **things}, connection=connection, secrets={"keys": {"env": "ACME_KEYS"}})
    assert ("incomplete", []) == (result.status, result.notes)
    assert [2, 2, 2] == [keys.count(f"Bearer key-{at}-long") for at in (1, 2, 3)]
    assert 3 + 2 == sum(target.startswith("/closed") for target in vendor.targets())


def test_each_key_has_the_limit_to_itself(desk: Desk) -> None:
    with Behind(KeysWay({"key-1": 99, "key-2": 99}), lambda: desk.time.now) as vendor:
        assert "succeeded" == _pooled(desk, vendor, "key-1 key-2", rate_limit="1/s").status
        assert [1.0, 1.0, 1.0] == desk.time.waits  # seven requests, two a second


# --- certificates


class Authority:
    """A certificate authority that lives for the length of a test."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._signed(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))

    @property
    def pem(self) -> str:
        """Its own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, name: str, password: bytes | None = None) -> tuple[str, str]:
        """A certificate for 127.0.0.1 and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._signed(subject, key, x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]))
        lock: Any = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        written = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        return made.public_bytes(serialization.Encoding.PEM).decode(), written.decode()

    def _signed(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, more: x509.ExtensionType) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        public = self.key.public_key()
        return (
            x509.CertificateBuilder(self.name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(more, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )


class Certified(Tiny):
    """A vendor that speaks TLS to those alone whose certificate its authority signed."""

    context: ssl.SSLContext

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return super().url.replace("http://", "https://")


@contextmanager
def _certified(folder: Path, authority: Authority) -> Iterator[Certified]:
    certificate, key = authority.issue("vendor")
    for name, text in (("server.pem", certificate + key), ("authority.pem", authority.pem)):
        (folder / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "authority.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    vendor = Certified({"/things": lambda asked: [{"id": 1}] if asked.headers.get("authorization") else 401})
    with vendor:
        listener = vendor._listener
        listener.socket = context.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        yield vendor


def _shown(desk: Desk, vendor: Certified, **env: str) -> Any:
    desk.vendor, desk.env = vendor, {"T": "t-4711", **env}
    settings = {word: f"${{secret.{word}}}" for word in env}
    bearer = {"bearer": {"token": "${secret.T}"}}
    return desk.collect(
        {"things": "/things"},
        connection={
            "auth": {"mtls": {**settings, "and": bearer}},
            "ca_file": "authority.pem",
        },
        secrets={word: {"env": word} for word in desk.env},
    )


@pytest.mark.parametrize("password", [None, b"p-4711"])
def test_a_certificate_is_shown_beside_another_sign_in(desk: Desk, tmp_path: Path, password: bytes | None) -> None:
    authority = Authority()
    certificate, key = authority.issue("collector", password)
    more = {"password": password.decode()} if password else {}
    with _certified(tmp_path, authority) as vendor:
        assert "succeeded" == _shown(desk, vendor, certificate=certificate, key=key, **more).status
        assert ["Bearer t-4711"] == [asked.headers["authorization"] for asked, _ in vendor.log]


def test_a_key_may_stand_beside_its_certificate(desk: Desk, tmp_path: Path) -> None:
    authority = Authority()
    with _certified(tmp_path, authority) as vendor:
        assert "succeeded" == _shown(desk, vendor, certificate="".join(authority.issue("collector"))).status


def test_a_certificate_of_a_stranger_is_refused_in_words(desk: Desk, tmp_path: Path) -> None:
    certificate, key = Authority().issue("stranger")
    with _certified(tmp_path, Authority()) as vendor:
        result = _shown(desk, vendor, certificate=certificate, key=key)
        assert "wants a certificate of the client" in of(result, "things").missing[0]
