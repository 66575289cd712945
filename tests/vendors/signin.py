"""Vendors that know one way to sign in each, written from its RFC or vendor document; they know nothing of the engine.

Behind the sign-in lies a list of things in pages: `GET /things?page=1`.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from tests.vendors.server import Answer, Asked, Server

PAGES = 6


class Way:
    """One way to sign in; `now` is the vendor's clock."""

    now: Callable[[], float]

    def token(self, asked: Asked) -> Answer | None:
        """The answer of the place where one signs in, None elsewhere."""
        return None

    def lets_in(self, asked: Asked) -> bool:
        """Whether a request is signed as it should be."""
        raise NotImplementedError

    def challenge(self, asked: Asked) -> Mapping[str, str]:
        """The headers of a 401."""
        return {}


class Behind(Server):
    """Things behind a way to sign in."""

    def __init__(self, way: Way, now: Callable[[], float]) -> None:
        super().__init__()
        self.way, way.now = way, now
        self.then: Callable[[], None] = lambda: None
        """What happens with each page of things."""

    def answer(self, asked: Asked) -> Answer:
        """A token, a refusal or a page of things."""
        with self._lock:
            if (token := self.way.token(asked)) is not None:
                return token
            if not self.way.lets_in(asked):
                challenge = {name.replace("-", "_"): text for name, text in self.way.challenge(asked).items()}
                return Answer.json({"error": {"message": "who are you?"}}, 401, **challenge)
        if asked.path == "/echo":  # some vendors repeat what they were sent
            return Answer.json([{"id": 1, "seen": dict(asked.headers)}])
        self.then()
        page = int(dict(asked.query).get("page", 1))
        return Answer.json([{"id": page}] if page <= PAGES else [])

    def things(self) -> list[int]:
        """The statuses of all answers that were no sign-in."""
        return [status for asked, status in self.log if asked.path == "/things"]


# --- what is sent as it is


@dataclass
class BasicWay(Way):
    """RFC 7617."""

    user: str
    password: str

    def lets_in(self, asked: Asked) -> bool:
        scheme, _, rest = asked.headers.get("authorization", "").partition(" ")
        name, _, password = base64.b64decode(rest or "", validate=True).decode().partition(":")
        return (scheme.lower(), name, password) == ("basic", self.user, self.password)

    def challenge(self, asked: Asked) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Basic realm="things", charset="UTF-8"'}


@dataclass
class KeysWay(Way):
    """Keys with a quota each, as GitHub has: at zero a 403 with the reset; a 429 where it says so."""

    quota: dict[str, int]
    reset_seconds: int = 3600
    pushes_with: int = 403
    spent: dict[str, int] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)

    def token(self, asked: Asked) -> Answer | None:
        """The refusal of a key whose quota is used up."""
        key = asked.headers.get("authorization", "").removeprefix("token ")
        if key not in self.quota:
            return None
        if self.now() >= self.since.setdefault(key, self.now()) + self.reset_seconds:
            self.spent[key], self.since[key] = 0, self.now()
        self.spent[key] = self.spent.get(key, 0) + 1
        if self.spent[key] <= self.quota[key]:
            return None
        left = int(self.since[key] + self.reset_seconds - self.now())
        if self.pushes_with == 429:
            return Answer.json({"message": "slow down"}, 429, Retry_After=str(left))
        at = str(int(self.now()) + left)
        return Answer.json({"message": "quota"}, 403, X_RateLimit_Remaining="0", X_RateLimit_Reset=at)

    def lets_in(self, asked: Asked) -> bool:
        return asked.headers.get("authorization", "").removeprefix("token ") in self.quota


# --- OAuth


@dataclass
class OauthWay(Way):
    """RFC 6749: a token endpoint of one grant; refresh tokens are used once, as RFC 9700 section 4.14.2 advises."""

    grant: dict[str, str]
    """The fields that are wanted of the form."""
    life_seconds: int = 3600
    rotates: bool = True
    given: list[str] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)
    """The newest is the one that is good."""
    key: PublicKeyTypes | None = None
    """The client's public key, where it signs (RFC 7523)."""
    audience: str = ""
    until: float = 0.0

    def token(self, asked: Asked) -> Answer | None:
        if asked.path != "/token":
            return None
        form = dict(parse_qsl(asked.body.decode(), keep_blank_values=True, strict_parsing=True))
        if asked.method != "POST" or asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            return Answer.json({"error": "invalid_request"}, 400)
        if any(form.get(name) != value for name, value in self.grant.items()) or not self._signed(form):
            return Answer.json({"error": "invalid_client", "error_description": f"not {form}"}, 401)
        if self.refresh_tokens and form.get("refresh_token") != self.refresh_tokens[-1]:
            return Answer.json({"error": "invalid_grant", "error_description": "token was used"}, 400)
        self.given.append(f"access-{secrets.token_hex(12)}")
        self.until = self.now() + self.life_seconds
        answer = {"access_token": self.given[-1], "expires_in": self.life_seconds, "token_type": "Bearer"}
        if self.refresh_tokens and self.rotates:
            self.refresh_tokens.append(f"refresh-{secrets.token_hex(12)}")
            answer["refresh_token"] = self.refresh_tokens[-1]
        return Answer.json(answer)

    def _signed(self, form: Mapping[str, str]) -> bool:
        if self.key is None:
            return True
        claims = jwt.decode(
            form["client_assertion"],
            self.key,  # type: ignore[arg-type]  # a key that signs
            algorithms=["RS256"],
            audience=self.audience,
            options={"require": ["iss", "sub", "exp", "jti"], "verify_exp": False, "verify_iat": False},
        )
        return bool(claims["iss"] == claims["sub"] == form["client_id"] and claims["exp"] > self.now())

    def lets_in(self, asked: Asked) -> bool:
        good = self.given and self.now() < self.until
        return bool(good and asked.headers.get("authorization") == f"Bearer {self.given[-1]}")


# --- a vendor's own sign-in


@dataclass
class CookieWay(Way):
    """A form as in a browser: the answer is a page in HTML and a cookie, or a redirect with a cookie."""

    user: str
    password: str
    redirects: bool = False
    sessions: list[str] = field(default_factory=list)
    uses: int = 1000
    """A session ends after so many requests."""

    def token(self, asked: Asked) -> Answer | None:
        if (asked.method, asked.path) != ("POST", "/login"):
            return None
        if dict(parse_qsl(asked.body.decode())) != {"user": self.user, "password": self.password}:
            return Answer(403, b"<html>wrong</html>", {"Content-Type": "text/html"})
        self.sessions.append(secrets.token_hex(16))
        self.left = self.uses
        headers = {"Content-Type": "text/html"} | ({"Location": "https://app.acme.example/"} if self.redirects else {})
        until = "Expires=Wed, 21 Oct 2099 07:28:00 GMT"
        cookie = f"lang=en; {until}, session={self.sessions[-1]}; Path=/; HttpOnly; SameSite=Lax, seen=1"
        return Answer(302 if self.redirects else 200, b"<html>hello</html>", {**headers, "Set-Cookie": cookie})

    def lets_in(self, asked: Asked) -> bool:
        cookies = [one.strip() for one in asked.headers.get("cookie", "").split(";")]
        good = bool(self.sessions) and f"session={self.sessions[-1]}" in cookies
        self.left = getattr(self, "left", 0) - good
        return good and self.left >= 0


@dataclass
class TokenWay(Way):
    """JSON in, JSON out: a token and until when it is good, as a time."""

    body: dict[str, Any]
    life_seconds: int = 600
    given: list[str] = field(default_factory=list)

    def token(self, asked: Asked) -> Answer | None:
        if asked.path != "/v1/session":
            return None
        if asked.headers.get("content-type") != "application/json" or json.loads(asked.body) != self.body:
            return Answer.json({"message": f"wrong: {asked.body.decode()}"}, 401)
        self.given.append(secrets.token_hex(16))
        self.until = self.now() + self.life_seconds
        at = dt.datetime.fromtimestamp(self.until, dt.UTC).isoformat()
        return Answer.json({"data": {"token": self.given[-1], "until": at}})

    def lets_in(self, asked: Asked) -> bool:
        good = self.given and self.now() < self.until
        return bool(good and asked.headers.get("x-token") == self.given[-1])


# --- signatures of a request


@dataclass
class DigestWay(Way):
    """RFC 7616 (RFC 2617 where the algorithm is MD5), with nonces that are good for some requests."""

    user: str
    password: str
    algorithm: str = "SHA-256"
    uses: int = 1000
    nonces: dict[str, set[str]] = field(default_factory=dict)
    """Nonce -> the counts it was used with."""
    realm = 'things, "all" of=them'

    def _hash(self, text: str) -> str:
        name = {"MD5": "md5", "SHA-256": "sha256"}[self.algorithm.removesuffix("-sess")]
        return hashlib.new(name, text.encode()).hexdigest()

    def lets_in(self, asked: Asked) -> bool:
        scheme, _, rest = asked.headers.get("authorization", "").partition(" ")
        said = {
            name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"((?:\\.|[^"])*)"|([^,\s]+))', rest)
        }
        nonce, count = said.get("nonce", ""), said.get("nc", "")
        if scheme != "Digest" or nonce not in self.nonces or said["uri"] != asked.target:
            return False
        one = self._hash(f"{self.user}:{self.realm}:{self.password}")
        if self.algorithm.endswith("-sess"):
            one = self._hash(f"{one}:{nonce}:{said['cnonce']}")
        two = self._hash(f"{asked.method}:{said['uri']}")
        wanted = self._hash(f"{one}:{nonce}:{count}:{said['cnonce']}:auth:{two}")
        if said["response"] != wanted or said["username"] != self.user or count in self.nonces[nonce]:
            return False
        self.nonces[nonce].add(count)
        self.stale = len(self.nonces[nonce]) > self.uses
        return not self.stale and len(count) == 8

    def challenge(self, asked: Asked) -> Mapping[str, str]:
        nonce = secrets.token_hex(8)
        self.nonces[nonce] = set()
        stale, self.stale = getattr(self, "stale", False), False
        realm = self.realm.replace('"', r"\"")
        text = f'Digest realm="{realm}", qop="auth,auth-int", algorithm={self.algorithm}, nonce="{nonce}"'
        return {"WWW-Authenticate": f'Basic realm="x", {text}, stale={str(stale).lower()}, opaque="o"'}


@dataclass
class HmacWay(Way):
    """As a trading API has it: time, method, path with query and a hash of the body, signed with a key in Base64."""

    key: bytes
    key_id: str

    def lets_in(self, asked: Asked) -> bool:
        at = asked.headers.get("x-time", "0")
        body = hashlib.sha256(asked.body).hexdigest()
        text = "\n".join((at, asked.headers.get("x-nonce", ""), asked.method, asked.target, body))
        signature = base64.b64encode(hmac.new(self.key, text.encode(), hashlib.sha512).digest()).decode()
        fresh = abs(int(at) / 1000 - self.now()) < 30
        return fresh and asked.headers.get("authorization") == f"ACME {self.key_id}:{signature}"


@dataclass
class JwtWay(Way):
    """A token for each request, read by PyJWT, which names the request that it is for."""

    key: PublicKeyTypes
    algorithm: str
    seen: set[str] = field(default_factory=set)

    def lets_in(self, asked: Asked) -> bool:
        text = asked.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            whole = jwt.decode_complete(
                text,
                self.key,  # type: ignore[arg-type]  # a key that signs
                algorithms=[self.algorithm],
                audience="acme",
                options={"require": ["exp", "iat", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return False
        said = whole["payload"]
        once, self.seen = said["jti"] not in self.seen, self.seen | {said["jti"]}
        timely = said["iat"] <= self.now() < said["exp"] <= said["iat"] + 120
        where = f"{asked.method} {asked.headers['host']}{asked.target}"
        return once and timely and said["uri"] == where and whole["header"]["kid"] == "k-1"


@dataclass
class AwsWay(Way):
    """AWS Signature Version 4, from "Create a signed AWS API request"."""

    access_key: str
    secret_key: str
    region: str
    service: str

    def lets_in(self, asked: Asked) -> bool:
        shown = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=(\S+)",
            asked.headers.get("authorization", ""),
        )
        stamp = asked.headers.get("x-amz-date", "")
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        if not shown or shown[1] != f"{self.access_key}/{scope}":
            return False
        at = dt.datetime.strptime(stamp + "+0000", "%Y%m%dT%H%M%SZ%z").timestamp()
        names = shown[2].split(";")
        if abs(at - self.now()) > 300 or "host" not in names or "x-amz-date" not in names:
            return False
        canonical = [asked.method, self._path(asked.path), self._query(asked.target.partition("?")[2])]
        canonical += [f"{name}:{asked.headers.get(name, '').strip()}" for name in names]
        canonical += ["", shown[2], hashlib.sha256(asked.body).hexdigest()]
        hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        key = ("AWS4" + self.secret_key).encode()
        for step in scope.split("/"):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}"
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == shown[3]

    def _path(self, path: str) -> str:
        """The path is in normal form here; each letter of it that is not unreserved is encoded (once more)."""
        return "".join(chr(one) if chr(one) in FREE + "/" else f"%{one:02X}" for one in path.encode())

    def _query(self, query: str) -> str:
        pairs = [part.partition("=")[::2] for part in query.split("&") if part]
        return "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs))


FREE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def _encoded(text: str) -> str:
    return "".join(chr(one) if chr(one) in FREE else f"%{one:02X}" for one in unquote(text).encode())
