"""OAuth's sign-in of old: a user's name and password are exchanged for a token."""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from pydantic import Field

from engine.core.credential import Credential
from engine.core.errors import Json
from engine.core.kinds import Renewal, Token, reveal
from engine.core.template import Template
from engine.core.wire import Page, Request
from engine.parts.auth._oauth import TokenEndpoint


class Oauth2Password(TokenEndpoint):
    """Signs in with a user's name and password, then sends the token that came back.

    Renews 60 s before the token expires, or when a tenth of its life is left, whichever is later; and once on a 401,
    each time with name and password. Source: RFC 6749 section 4.3.

    Misbehaving: A refusal (400, 401, 403) is asked for once, so that no account is locked; a 401 of the API is
    followed by one new sign-in.

    Example:
        secrets:
          password: { env: ACME_PASSWORD }
        connection:
          base_url: https://api.example.com
          auth:
            oauth2_password:
              token_url: https://auth.example.com/oauth/token
              username: collector@example.com
              password: ${secret.password}
              client_id: engine
    """

    grant_type: ClassVar[str] = "password"
    refusal_fix: ClassVar[str] = "check the user's name and password, whether it may sign in this way, and token_url"

    username: Template = Field(description="The user.")
    password: Credential = Field(description="The user's password, from a secret.")

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Exchange name and password for a token; raises CollectionError when the vendor refuses them."""
        page = yield self.asked(on, **self._user())
        return self.token(page, on.now)

    def credential(self) -> str:
        """The user's password."""
        return reveal(self.password)

    def _user(self) -> dict[str, str]:
        return {"username": reveal(self.username), "password": reveal(self.password)}

    def granting(self, given: dict[str, Json], now: float) -> dict[str, Json] | None:
        """Nothing more, where name and password are this user's."""
        return {} if self._user().items() <= given.items() else None
