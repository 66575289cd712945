"""A user's name and password in the Authorization header."""

from __future__ import annotations

import base64
from collections.abc import Generator

from pydantic import Field

from engine.core.credential import Credential
from engine.core.errors import ConfigError
from engine.core.kinds import Auth, Moment, Renewal, Token, reveal
from engine.core.template import Template
from engine.core.values import Secret
from engine.core.wire import Page, Request
from engine.parts.auth._oauth import AUTHORIZATION


class Basic(Auth):
    """Sends `Authorization: Basic …` with name and password in UTF-8. It cannot renew: a 401 fails the run.

    Some vendors take a key for the name and no password, or a fixed name and a key for the password.
    Source: RFC 7617 section 2.

    Misbehaving: A 401 fails the endpoint at once. An answer that repeats the password, also in Base64, is kept
    without it.

    Example:
        secrets:
          password: { env: ACME_PASSWORD }
        connection:
          base_url: https://api.example.com
          auth: { basic: { username: collector@example.com, password: "${secret.password}" } }
    """

    username: Template = Field(description="The user, also from a secret.")
    password: Credential | None = Field(None, description="The password, from a secret; empty unless said.")

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Nothing is asked; the pair counts as a token, so that no answer is kept that repeats it."""
        yield from ()
        return Token(self._pair())

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with name and password."""
        return request.put(AUTHORIZATION, f"Basic {self._pair().reveal()}")

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries name and password."""
        return bool(request.get(AUTHORIZATION) == f"Basic {self._pair().reveal()}")

    def _pair(self) -> Secret:
        name = reveal(self.username)
        if ":" in name:
            raise ConfigError("the user of basic has a colon in it", "correct it: what follows a colon is the password")
        pair = f"{name}:{reveal(self.password or '')}"
        return Secret(base64.b64encode(pair.encode()).decode(), "password")
