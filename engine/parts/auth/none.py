"""Requests go out as they are."""

from engine.core.kinds import Auth, Moment, Token
from engine.core.wire import Request


class None_(Auth):
    """No sign-in.

    Misbehaving: A vendor that asks for a sign-in all the same answers 401, and the endpoint fails with the vendor's
    words.

    Example:
        connection:
          base_url: https://api.example.com
          auth: none
    """

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request itself."""
        return request

    def admit(self, request: Request, now: float) -> bool:
        """Everybody is admitted."""
        return True
