"""OAuth's sign-in for machines: a client id and its secret are exchanged for a token."""

from __future__ import annotations

import base64
from collections.abc import Generator, Sequence
from typing import ClassVar, Literal, Self
from urllib.parse import quote_plus

from pydantic import Field

from engine.core.credential import Credential
from engine.core.errors import Json
from engine.core.kinds import Auth, Token, reveal
from engine.core.template import Template
from engine.core.values import Secret
from engine.core.wire import Page, Place, Request
from engine.parts.auth._oauth import AUTHORIZATION, answered, granted, holds, issued

EARLY_SECONDS = 60.0
"""Longer than a request may take unless a page says otherwise, so that none is under way when its token ends."""
EARLY_SHARE = 0.1
"""Of a token that lives shorter than ten minutes: 60 s of a minute would be a sign-in for each request."""
SIMULATED_LIFE_SECONDS = 1800
REFUSED = "check the client id and its secret, what the client may do, and token_url"


class Oauth2ClientCredentials(Auth):
    """Signs in with a client id and its secret, then sends the token that came back.

    Renews 60 s before the token expires, or when a tenth of its life is left, whichever is later; and once on a 401. A
    token of no stated life is kept until a 401. Source: RFC 6749 sections 2.3.1 and 4.4.

    Example:
        secrets:
          client_id: { env: ACME_CLIENT_ID }
          client_secret: { env: ACME_CLIENT_SECRET }
        connection:
          base_url: https://api.example.com
          auth:
            oauth2_client_credentials:
              token_url: https://auth.example.com/oauth/token
              client_id: ${secret.client_id}
              client_secret: ${secret.client_secret}
    """

    renewable: ClassVar[bool] = True

    token_url: Template = Field(description="The address that gives tokens.")
    client_id: Template = Field(description="Who signs in.")
    client_secret: Credential = Field(description="The client's secret, from a secret.")
    client_auth: Literal["body", "basic"] = Field(
        "body", description="Where id and secret go: into the form, or into a Basic Authorization header."
    )
    scopes: list[str] = Field([], description="The OAuth scopes that are asked for; none unless said.")
    send: Place = Field(AUTHORIZATION, description="Where the token goes.")
    prefix: str = Field("Bearer ", description="A text in front of the token.")

    def renew(self, now: float) -> Generator[Request, Page, Token]:
        """Exchange id and secret for a token; raises CollectionError when the vendor refuses them."""
        form = {"grant_type": "client_credentials"} | ({"scope": " ".join(self.scopes)} if self.scopes else {})
        request = Request("POST", reveal(self.token_url), body=form, form=True)
        if self.client_auth == "basic":
            request = request.put(AUTHORIZATION, self._basic())
        else:
            form |= {"client_id": reveal(self.client_id), "client_secret": reveal(self.client_secret)}
        page = yield request
        answer = granted(page, REFUSED, reveal(self.client_secret), self._basic().removeprefix("Basic "))
        return Token(Secret(answer["access_token"], "access token"), _renew_at(answer.get("expires_in"), now))

    def sign(self, request: Request, token: Token) -> Request:
        """The request with the token."""
        return request.put(self.send, self.prefix + token.value.reveal())

    def hosts(self) -> Sequence[str]:
        """The token endpoint."""
        return [reveal(self.token_url)]

    def _basic(self) -> str:
        pair = ":".join(quote_plus(reveal(one)) for one in (self.client_id, self.client_secret))
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    # --- the vendor's side

    def rehearse(self, url: str) -> Self:
        """The same sign-in with its token endpoint below this address: id and secret are made up like all others."""
        return self.model_copy(update={"token_url": Template(f"{url}/token")})

    def grant(self, request: Request, now: float) -> Page | None:
        """A token for whoever sends this client's id and secret in the way that the page says."""
        if (request.method, request.url) != ("POST", reveal(self.token_url)):
            return None
        form = request.body if isinstance(request.body, dict) else {}
        if form.get("grant_type") != "client_credentials":
            return answered(request, 400, {"error": "unsupported_grant_type"})
        if not self._knows(request, form):
            return answered(request, 401, {"error": "invalid_client"})
        token = issued(reveal(self.client_secret), int(now) + SIMULATED_LIFE_SECONDS)
        return answered(
            request, 200, {"access_token": token, "expires_in": SIMULATED_LIFE_SECONDS, "token_type": "Bearer"}
        )

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries a token that `grant` gave and that has not expired."""
        text = str(request.get(self.send) or "")
        return text.startswith(self.prefix) and holds(reveal(self.client_secret), text.removeprefix(self.prefix), now)

    def _knows(self, request: Request, form: dict[str, Json]) -> bool:
        if self.client_auth == "basic":
            return bool(request.get(AUTHORIZATION) == self._basic())
        known = (reveal(self.client_id), reveal(self.client_secret))
        return known == (form.get("client_id"), form.get("client_secret"))


def _renew_at(life: Json, now: float) -> float:
    """When a token of so many seconds is renewed; some vendors write the number as a text."""
    try:
        seconds = float(life)
    except (TypeError, ValueError):
        return float("inf")
    return now + seconds - min(EARLY_SECONDS, seconds * EARLY_SHARE)
