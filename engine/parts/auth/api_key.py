"""A fixed key at any place of the request."""

from pydantic import Field

from engine.core.credential import Credential
from engine.core.kinds import Auth, Token, reveal
from engine.core.wire import Place, Request


class ApiKey(Auth):
    """Sends a key in a header, query field or cookie. It cannot renew: a 401 fails the run.

    Example:
        secrets:
          key: { env: ACME_API_KEY }
        connection:
          base_url: https://api.example.com
          auth: { api_key: { key: "${secret.key}", send: header.X-API-KEY } }
    """

    key: Credential = Field(description="The key, from a secret.")
    send: Place = Field(description="Where it goes: header.X-API-KEY, query.key, cookie.session.")
    prefix: str = Field("", description="A text in front of the key, such as `token `.")

    def sign(self, request: Request, token: Token) -> Request:
        """The request with the key."""
        return request.put(self.send, self.prefix + reveal(self.key))

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries the key."""
        return bool(request.get(self.send) == self.prefix + reveal(self.key))
