"""Google's sign-in for service accounts: a signed JWT is exchanged for a token that lives an hour."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import ClassVar, Self

from pydantic import Field

from engine.core import jsontext
from engine.core.credential import Credential
from engine.core.errors import ConfigError
from engine.core.kinds import Auth, Token, reveal
from engine.core.values import Secret
from engine.core.wire import Page, Request
from engine.parts.auth._oauth import AUTHORIZATION, answered, granted, holds, issued

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE_SECONDS = 3600
EARLY_SECONDS = 225
"""Google's own client renews so long before a token expires."""
FIELDS = ("client_email", "private_key", "token_uri")


class GoogleServiceAccount(Auth):
    """Signs in with a service account's key file: RS256 JWT to the key's own `token_uri`, then a bearer token.

    Renews 3 min 45 s before the token expires, and once on a 401. Source: RFC 7523; google-auth 2.62.

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

    def renew(self, now: float) -> Generator[Request, Page, Token]:
        """Exchange a signed JWT for a token; raises CollectionError when Google refuses it."""
        import jwt

        account = self._account()
        claims = {
            "iss": account["client_email"],
            "scope": " ".join(self.scopes),
            "aud": account["token_uri"],
            "iat": int(now),
            "exp": int(now) + LIFE_SECONDS,
        }
        try:
            signed = jwt.encode(
                claims, account["private_key"], algorithm="RS256", headers={"kid": account.get("private_key_id", "")}
            )
        except (ValueError, TypeError, jwt.PyJWTError):
            raise ConfigError(
                "the service account's private_key cannot be read", "download a new key file and use it unchanged"
            ) from None
        form = {"grant_type": GRANT, "assertion": signed}
        page = yield Request("POST", account["token_uri"], body=form, form=True)
        answer = granted(page, REFUSED, signed)  # the assertion itself is as good as a password for an hour
        life = float(answer.get("expires_in", LIFE_SECONDS))
        return Token(Secret(answer["access_token"], "access token"), now + max(life - EARLY_SECONDS, life / 2))

    def sign(self, request: Request, token: Token) -> Request:
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
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        account = {
            "type": "service_account",
            "client_email": "collector@simulated.iam.gserviceaccount.com",
            "private_key_id": "simulated",
            "private_key": pem,
            "token_uri": f"{url}/token",
        }
        return self.model_copy(update={"key": Secret(jsontext.write(account).decode(), "service account")})

    def grant(self, request: Request, now: float) -> Page | None:
        """A token for a JWT that is signed with this account's key, for this endpoint, and not expired."""
        account = self._account()
        if request.url != account["token_uri"]:
            return None
        body = request.body if isinstance(request.body, dict) else {}
        if not self._signed(str(body.get("assertion", "")), account, now):
            return answered(request, 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        expires = int(now) + LIFE_SECONDS
        token = issued(reveal(self.key), expires)
        return answered(request, 200, {"access_token": token, "expires_in": LIFE_SECONDS - 1, "token_type": "Bearer"})

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries a token that `grant` gave and that has not expired."""
        scheme, _, token = str(request.get(AUTHORIZATION) or "").partition(" ")
        return scheme == "Bearer" and holds(reveal(self.key), token, now)

    def _signed(self, assertion: str, account: dict[str, str], now: float) -> bool:
        import jwt
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        public = load_pem_private_key(account["private_key"].encode(), password=None).public_key()
        try:
            claims = jwt.decode(
                assertion,
                public,  # type: ignore[arg-type]  # the key is RSA: `rehearse` made it
                algorithms=["RS256"],
                audience=account["token_uri"],
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return False
        issued, expires = int(claims.get("iat", 0)), int(claims.get("exp", 0))
        return expires - issued <= LIFE_SECONDS and issued <= now + 60 and now < expires


REFUSED = "check that the key is not deleted or disabled, that its account may use the API, and this machine's clock"
