"""Requests go out as they are."""

from engine.core.kinds import Auth, Token
from engine.core.wire import Request


class None_(Auth):
    """No sign-in.

    Example:
        connection:
          base_url: https://api.example.com
          auth: none
    """

    def sign(self, request: Request, token: Token) -> Request:
        """The request itself."""
        return request

    def admit(self, request: Request, now: float) -> bool:
        """Everybody is admitted."""
        return True
