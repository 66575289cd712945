"""OAuth's sign-in on behalf of a person who agreed once: a refresh token is exchanged for a token, again and again."""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from pydantic import Field

from engine.core.credential import Credential
from engine.core.errors import Json
from engine.core.kinds import Renewal, Token, reveal
from engine.core.values import Secret
from engine.core.wire import Page, Request
from engine.parts.auth._oauth import TokenEndpoint, holds, issued, told

LIFE_SECONDS = 10 * 365 * 86400


class Oauth2RefreshToken(TokenEndpoint):
    """Signs in with a refresh token, then sends the token that came back.

    A new refresh token in an answer replaces the old one: it is kept in the storage before the token that came with
    it is used, and later runs go on from it. Another one in the settings ends what was kept; one that was kept and is
    refused (`invalid_grant`) is followed by the one in the settings, once. Renews 60 s before the token expires, or
    when a tenth of its life is left, whichever is later; and once on a 401. Source: RFC 6749 section 6.

    Misbehaving: Where a run dies between the vendor's answer and the storage, the new refresh token is lost: some
    vendors take the old one for a while, else the person must agree once more. A refusal is asked for once; a 401
    of the API is followed by one new sign-in.

    Example:
        secrets:
          client_id: { env: ACME_CLIENT_ID }
          client_secret: { env: ACME_CLIENT_SECRET }
          refresh_token: { env: ACME_REFRESH_TOKEN }
        connection:
          base_url: https://api.example.com
          auth:
            oauth2_refresh_token:
              token_url: https://auth.example.com/oauth/token
              refresh_token: ${secret.refresh_token}
              client_id: ${secret.client_id}
              client_secret: ${secret.client_secret}
    """

    grant_type: ClassVar[str] = "refresh_token"
    refusal_fix: ClassVar[str] = "let the person agree once more and set the new refresh token; check the client, too"

    refresh_token: Credential = Field(description="The first refresh token, from a secret.")

    def keeps(self) -> Secret:
        """The first refresh token."""
        return Secret(reveal(self.refresh_token), "refresh token")

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Exchange the newest refresh token for a token; raises CollectionError when the vendor refuses it."""
        first = self.keeps()
        used = on.kept or first
        page = yield self.asked(on, refresh_token=used.reveal())
        if used != first and page.status >= 400 and told(page).get("error") == "invalid_grant":
            used = first
            page = yield self.asked(on, refresh_token=used.reveal())
        newer = told(page).get("refresh_token")
        keep = Secret(newer, "refresh token") if newer and isinstance(newer, str) else used
        return self.token(page, on.now, used.reveal(), keep=keep if on.kept or keep != first else None)

    def credential(self) -> str:
        """The first refresh token."""
        return reveal(self.refresh_token)

    def granting(self, given: dict[str, Json], now: float) -> dict[str, Json] | None:
        """Another refresh token, for the first one and for those that were given for it."""
        shown = str(given.get("refresh_token"))
        if shown != self.credential() and not holds(f"refresh {self.credential()}", shown, now):
            return None
        return {"refresh_token": issued(f"refresh {self.credential()}", int(now) + LIFE_SECONDS)}
