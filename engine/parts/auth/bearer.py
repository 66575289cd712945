"""A fixed token in the Authorization header."""

from pydantic import Field

from engine.core.credential import Credential
from engine.core.kinds import Auth, Moment, Token, reveal
from engine.core.wire import Place, Request

AUTHORIZATION = Place("header.Authorization")


class Bearer(Auth):
    """Sends `Authorization: Bearer <token>`. It cannot renew: a 401 fails the run. Source: RFC 6750 section 2.1.

    Misbehaving: A 401 fails the endpoint at once: the same token would be refused again. An answer that repeats the
    token is kept without it.

    Example:
        secrets:
          token: { env: ACME_TOKEN }
        connection:
          base_url: https://api.example.com
          auth: { bearer: { token: "${secret.token}" } }
    """

    token: Credential = Field(description="The token, from a secret.")

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with the token."""
        return request.put(AUTHORIZATION, f"Bearer {reveal(self.token)}")

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries the token."""
        return bool(request.get(AUTHORIZATION) == f"Bearer {reveal(self.token)}")
