"""Google's sign-in for service accounts: a signed JWT is exchanged for a token that lives an hour."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import ClassVar, Self

from pydantic import Field

from engine.core import jsontext
from engine.core.credential import Credential
from engine.core.errors import ConfigError
from engine.core.kinds import Auth, Moment, Renewal, Token, reveal
from engine.core.values import Secret
from engine.core.wire import Page, Request
from engine.parts.auth._jws import Key, new_key
from engine.parts.auth._oauth import AUTHORIZATION, answered, granted, holds, issued

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_SECONDS = 3600
EARLY_SECONDS = 225
"""Google's own client renews so long before a token expires."""
FIELDS = ("client_email", "private_key", "token_uri")


class GoogleServiceAccount(Auth):
    """Signs in with a service account's key file: RS256 JWT to the key's own `token_uri`, then a bearer token.

    Renews 3 min 45 s before the token expires, and once on a 401. Source: RFC 7523; google-auth 2.62.

    Misbehaving: A refusal is asked for once and fails the run in Google's own words; a 401 of the API is followed
    by one new sign-in.

    Example:
        secrets:
          service_account: { env: ACME_SERVICE_ACCOUNT, or_path: true }
        connection:
          base_url: https://apigee.googleapis.com/v1
          auth:
            google_service_account:
              key: ${secret.service_account}
              scopes: [https://www.googleapis.com/auth/cloud-platform]
    """

    renewable: ClassVar[bool] = True

    key: Credential = Field(description="The key file's JSON, from a secret.")
    scopes: list[str] = Field(
        ["https://www.googleapis.com/auth/cloud-platform"], description="The OAuth scopes that are asked for."
    )

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Exchange a signed JWT for a token; raises CollectionError when Google refuses it."""
        account = self._account()
        claims = {
            "iss": account["client_email"],
            "scope": " ".join(self.scopes),
            "aud": account["token_uri"],
            "iat": int(on.now),
            "exp": int(on.now) + LIFE_SECONDS,
        }
        try:
            signed = Key("RS256", account["private_key"]).sign(claims, {"kid": account.get("private_key_id", "")})
        except ConfigError:
            raise ConfigError(
                "the service account's private_key cannot be read", "download a new key file and use it unchanged"
            ) from None
        form = {"grant_type": GRANT, "assertion": signed}
        page = yield Request("POST", account["token_uri"], body=form, media="form")
        answer = granted(page, REFUSED, signed)  # the assertion itself is as good as a password for an hour
        life = float(answer.get("expires_in", LIFE_SECONDS))
        return Token(Secret(answer["access_token"], "access token"), on.now + max(life - EARLY_SECONDS, life / 2))

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with the token."""
        return request.put(AUTHORIZATION, f"Bearer {token.value.reveal()}")

    def hosts(self) -> Sequence[str]:
        """The token endpoint."""
        return [self._account()["token_uri"]]

    def _account(self) -> dict[str, str]:
        text = reveal(self.key)
        try:
            account = jsontext.read(text)
        except jsontext.NoJson:
            account = None
        missing = [name for name in FIELDS if not isinstance(account, dict) or not isinstance(account.get(name), str)]
        if missing:
            raise ConfigError(
                f"the service account key has no {', '.join(missing)}",
                "give the JSON of the key file as Google made it, or the path of that file",
            )
        assert isinstance(account, dict)
        return account

    # --- the vendor's side

    def rehearse(self, url: str) -> Self:
        """The same sign-in with a key pair made on the spot."""
        account = {
            "type": "service_account",
            "client_email": "collector@simulated.iam.gserviceaccount.com",
            "private_key_id": "simulated",
            "private_key": new_key("RS256"),
            "token_uri": f"{url}/token",
        }
        return self.model_copy(update={"key": Secret(jsontext.write(account).decode(), "service account")})

    def grant(self, request: Request, now: float) -> Page | None:
        """A token for a JWT that is signed with this account's key, for this endpoint, and not expired."""
        account = self._account()
        if request.url != account["token_uri"]:
            return None
        body = request.body if isinstance(request.body, dict) else {}
        read = Key("RS256", account["private_key"]).read(str(body.get("assertion", "")), now, LIFE_SECONDS)
        if read is None or (read[1].get("aud"), read[1].get("iss")) != (account["token_uri"], account["client_email"]):
            return answered(request, 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        expires = int(now) + LIFE_SECONDS
        token = issued(reveal(self.key), expires)
        return answered(request, 200, {"access_token": token, "expires_in": LIFE_SECONDS - 1, "token_type": "Bearer"})

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries a token that `grant` gave and that has not expired."""
        scheme, _, token = str(request.get(AUTHORIZATION) or "").partition(" ")
        return scheme == "Bearer" and holds(reveal(self.key), token, now)


REFUSED = "check that the key is not deleted or disabled, that its account may use the API, and this machine's clock"
