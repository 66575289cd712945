"""What sign-ins share: asking a token endpoint, how long a token lives, and the vendor's side of a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self
from urllib.parse import quote, quote_plus

from pydantic import Field, model_validator

from engine.core import jsontext
from engine.core.credential import Credential
from engine.core.errors import CollectionError, Json, Mistake
from engine.core.kinds import Auth, Moment, Renewal, Token, reveal
from engine.core.template import Template
from engine.core.values import Secret
from engine.core.wire import Page, Place, Request
from engine.parts.auth._jws import Algorithm, Key, new_key

AUTHORIZATION = Place("header.Authorization")
EARLY_SECONDS = 60.0
"""Longer than a request may take unless a page says otherwise, so that none is under way when its token ends."""
EARLY_SHARE = 0.1
"""Of a token that lives shorter than ten minutes: 60 s of a minute would be a sign-in for each request."""
SIMULATED_LIFE_SECONDS = 1800
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_SECONDS = 300
REASONS = ("error", "error_description", "message")


class TokenEndpoint(Auth):
    """A sign-in by OAuth: a form is exchanged for a token. Source: RFC 6749 sections 2.3.1, 4 and 5."""

    renewable: ClassVar[bool] = True
    grant_type: ClassVar[str]
    refusal_fix: ClassVar[str]

    token_url: Template = Field(description="The address that gives tokens.")
    client_id: Template | None = Field(None, description="Who signs in.")
    client_secret: Credential | None = Field(None, description="The client's secret, from a secret.")
    client_auth: Literal["body", "basic", "private_key_jwt"] = Field(
        "body",
        description="How the client proves itself: id and secret in the form, or in a Basic Authorization header, or a "
        "token that it signs with private_key (RFC 7523).",
    )
    private_key: Credential | None = Field(None, description="The client's private key (PEM), from a secret.")
    key_id: Template | None = Field(None, description="The id of that key, where the vendor wants it.")
    algorithm: Algorithm = Field("RS256", description="How that key signs.")
    scopes: list[str] = Field([], description="The OAuth scopes that are asked for; none unless said.")
    form: dict[str, Template] = Field({}, description="More fields of the form, such as `audience`.")
    send: Place = Field(AUTHORIZATION, description="Where the token goes.")
    prefix: str = Field("Bearer ", description="A text in front of the token.")

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with the token."""
        return request.put(self.send, self.prefix + token.value.reveal())

    def hosts(self) -> Sequence[str]:
        """The token endpoint."""
        return [reveal(self.token_url)]

    @abstractmethod
    def credential(self) -> str:
        """The secret that stands for this sign-in."""

    @model_validator(mode="after")
    def _proven(self) -> Self:
        """A private key and the way that needs it stand together."""
        if (self.client_auth == "private_key_jwt") != (self.private_key is not None):
            text = "private_key and client_auth: private_key_jwt belong together"
            raise Mistake("sign-in", text, "write both, or a client_secret")
        return self

    def asked(self, on: Renewal, **fields: str) -> Request:
        """The request for a token, with what this grant sends besides the client."""
        form = {"grant_type": self.grant_type, **fields}
        form |= {"scope": " ".join(self.scopes)} if self.scopes else {}
        form |= {name: reveal(value) for name, value in self.form.items()}
        request = Request("POST", reveal(self.token_url), body=form, media="form")
        if self.client_auth == "basic":
            return request.put(AUTHORIZATION, self._basic())
        if self.private_key is not None:
            form |= {"client_assertion_type": ASSERTION, "client_assertion": self._assertion(on)}
        form |= {"client_id": reveal(self.client_id)} if self.client_id is not None else {}
        form |= {"client_secret": reveal(self.client_secret)} if self.client_secret is not None else {}
        return request

    def token(self, page: Page, now: float, *hidden: str, keep: Secret | None = None) -> Token:
        """The token in an answer; raises CollectionError when there is none."""
        known = (self.client_secret, self.credential(), self._basic().removeprefix("Basic "), *hidden)
        answer = granted(page, self.refusal_fix, *(reveal(one) for one in known if one))
        return Token(Secret(answer["access_token"], "access token"), renew_at(answer.get("expires_in"), now), keep)

    def _basic(self) -> str:
        pair = ":".join(quote_plus(reveal(one or "")) for one in (self.client_id, self.client_secret))
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def _assertion(self, on: Renewal) -> str:
        """The client's word for itself. Source: RFC 7523 section 3."""
        client = reveal(self.client_id or "")
        claims = {"iss": client, "sub": client, "aud": reveal(self.token_url), "jti": on.nonce}
        times = {"iat": int(on.now), "exp": int(on.now) + ASSERTION_LIFE_SECONDS}
        return self._key().sign(claims | times, {"kid": reveal(self.key_id)} if self.key_id else {})

    def _key(self) -> Key:
        return Key(self.algorithm, reveal(self.private_key or ""))

    # --- the vendor's side

    def rehearse(self, url: str) -> Self:
        """The same sign-in with its token endpoint below this address: its secrets are made up like all others."""
        made = {"private_key": Secret(new_key(self.algorithm), "private key")} if self.private_key else {}
        return self.model_copy(update={"token_url": Template(f"{url}/token"), **made})

    def grant(self, request: Request, now: float) -> Page | None:
        """A token for whoever sends what this sign-in sends, in the way that the page says."""
        if (request.method, request.url) != ("POST", reveal(self.token_url)):
            return None
        given = request.body if isinstance(request.body, dict) else {}
        if given.get("grant_type") != self.grant_type:
            return answered(request, 400, {"error": "unsupported_grant_type"})
        if not self._knows(request, given, now):
            return answered(request, 401, {"error": "invalid_client"})
        if (more := self.granting(given, now)) is None:
            return answered(request, 400, {"error": "invalid_grant"})
        token = issued(self.credential(), int(now) + SIMULATED_LIFE_SECONDS)
        told = {"access_token": token, "expires_in": SIMULATED_LIFE_SECONDS, "token_type": "Bearer"}
        return answered(request, 200, told | more)

    def _knows(self, request: Request, given: dict[str, Json], now: float) -> bool:
        wanted = self.asked(Renewal(now))
        if self.private_key is not None:
            read = self._key().read(str(wanted.body.pop("client_assertion")), now, ASSERTION_LIFE_SECONDS)
            shown = self._key().read(str(given.get("client_assertion")), now, ASSERTION_LIFE_SECONDS)
            same = ("iss", "sub", "aud")
            if not read or not shown or any(read[1][name] != shown[1].get(name) for name in same):
                return False
        basic = request.get(AUTHORIZATION) if self.client_auth == "basic" else None
        return bool(wanted.get(AUTHORIZATION) == basic and wanted.body.items() <= given.items())

    def granting(self, given: dict[str, Json], now: float) -> dict[str, Json] | None:
        """What this grant adds to the answer, None where its own fields are wrong."""
        return {}

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries a token that `grant` gave and that has not expired."""
        text = str(request.get(self.send) or "")
        return text.startswith(self.prefix) and holds(self.credential(), text.removeprefix(self.prefix), now)


def granted(page: Page, fix: str, *hidden: str) -> dict[str, Json]:
    """The answer with its `access_token`; raises CollectionError with OAuth's own words for a refusal."""
    found = told(page)
    if 200 <= page.status < 300 and isinstance(found.get("access_token"), str):
        return found
    raise refused(page, fix, *hidden)


def told(page: Page) -> dict[str, Json]:
    """The object in an answer; empty where it is something else."""
    try:
        answer = page.answer
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {}


def refused(page: Page, fix: str, *hidden: str) -> CollectionError:
    """The refusal of a sign-in, in the vendor's words.

    The rest of a refusal may hold what must not be shown, and even its words may repeat what is `hidden`.
    """
    found = told(page)
    reason = "".join(f": {word}" for name in REASONS if isinstance(word := found.get(name), str))
    for text in sorted(filter(None, hidden), key=len, reverse=True):
        for spelling in (text, quote_plus(text), quote(text, safe="")):  # as a form repeats it
            reason = reason.replace(spelling, "***")
    text = f"sign-in was refused with status {page.status}{reason}"
    return CollectionError(text, fix, context={"status": page.status})


def renew_at(life: Json, now: float) -> float:
    """When a token of so many seconds is renewed; some vendors write the number as a text."""
    try:
        seconds = float(life)
    except (TypeError, ValueError):
        return float("inf")
    return now + seconds - min(EARLY_SECONDS, seconds * EARLY_SHARE)


# --- the vendor's side


def answered(request: Request, status: int, body: dict[str, Json]) -> Page:
    """An answer of a token endpoint."""
    return Page(request, status, {"content-type": "application/json"}, jsontext.write(body))


def issued(key: str, expires: int) -> str:
    """A token that only the holder of the key can make."""
    return f"simulated.{expires}.{_seal(key, expires)}"


def holds(key: str, token: str, now: float) -> bool:
    """Whether a token was issued with the key and has not expired."""
    pieces = token.split(".")
    if len(pieces) != 3 or not pieces[1].isdecimal():
        return False
    return hmac.compare_digest(pieces[2].encode(), _seal(key, int(pieces[1])).encode()) and int(pieces[1]) > now


def _seal(key: str, expires: int) -> str:
    return hmac.new(key.encode(), str(expires).encode(), hashlib.sha256).hexdigest()
