"""OAuth's sign-in for machines: a client id and its secret are exchanged for a token."""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.core.errors import Mistake
from engine.core.kinds import Renewal, Token, reveal
from engine.core.template import Template
from engine.core.wire import Page, Request
from engine.parts.auth._oauth import TokenEndpoint


class Oauth2ClientCredentials(TokenEndpoint):
    """Signs in with a client id and its secret, then sends the token that came back.

    Renews 60 s before the token expires, or when a tenth of its life is left, whichever is later; and once on a 401. A
    token of no stated life is kept until a 401. Source: RFC 6749 sections 2.3.1 and 4.4.

    Misbehaving: A refusal (400, 401, 403) is asked for once and fails the run in OAuth's own words; anything else
    is tried again. A 401 of the API is followed by one new sign-in; a second 401 fails the endpoint. The token's
    answer is never kept.

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

    grant_type: ClassVar[str] = "client_credentials"
    refusal_fix: ClassVar[str] = "check the client id and its secret, what the client may do, and token_url"

    client_id: Template = Field(description="Who signs in.")

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.client_secret is None) == (self.private_key is None):
            fix = 'write client_secret: "${secret.client_secret}"'
            raise Mistake("sign-in", "a client proves itself with client_secret or with private_key", fix)
        return self

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Exchange id and secret for a token; raises CollectionError when the vendor refuses them."""
        page = yield self.asked(on)
        return self.token(page, on.now)

    def credential(self) -> str:
        """The client's secret, or its private key."""
        return reveal(self.client_secret or self.private_key)
