"""Several keys that share the work, each within the limit that the vendor gives a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from engine.core.credential import Credential
from engine.core.errors import ConfigError
from engine.core.kinds import Auth, Moment, Token, reveal
from engine.core.template import Template
from engine.core.values import Rate, Secret
from engine.core.wire import Place, Request
from engine.parts.auth._oauth import AUTHORIZATION
from engine.parts.auth.api_key import ApiKey


def _rate(value: Any) -> Any:
    return Template.read(value) if "${" in str(value) else Rate.read(value)


def _values(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Member(ApiKey):
    """One of the keys."""

    rate_limit: str | None = Field(None, description="How many requests the vendor allows it.")

    def limit(self) -> str | None:
        """The rate limit of this key."""
        return self.rate_limit


class Tokens(Auth):
    """Sends one of several keys: that which may go soonest.

    Each has the rate limit to itself. One that the vendor pushes back (429, or 403 with nothing left) rests until it
    may go on, while the others do; one that is refused (401) where another is taken is left out for the rest of the
    run, which the report says. An endpoint that refuses all of them leaves none out.

    Misbehaving: A key that is pushed back rests until it may go on, one that is refused is left out and the report
    names its number; the last one is never left out.

    Example:
        secrets:
          tokens: { env: ACME_TOKENS }
        connection:
          base_url: https://api.example.com
          auth: { tokens: { values: "${secret.tokens}", prefix: "token ", rate_limit: 5000/h } }
    """

    values: Annotated[list[Credential], BeforeValidator(_values)] = Field(
        min_length=1, description="The keys, from secrets; one secret may hold several, with commas or spaces between."
    )
    send: Place = Field(AUTHORIZATION, description="Where a key goes.")
    prefix: str = Field("Bearer ", description="A text in front of a key.")
    rate_limit: Annotated[Rate | Template | None, BeforeValidator(_rate)] = Field(
        None, description="How many requests the vendor allows each key: `5000/h`."
    )

    def members(self) -> Sequence[Auth]:
        """One sign-in for each key."""
        texts = [text for value in self.values for text in reveal(value).replace(",", " ").split()]
        if not texts:
            raise ConfigError("there are no tokens in the secret", "set it to the tokens, with commas between them")
        rate = None if self.rate_limit is None else Rate.read(str(self.rate_limit))
        return [
            Member.model_construct(
                key=Secret(text, f"token {number}"), send=self.send, prefix=self.prefix, also={}, rate_limit=rate
            )
            for number, text in enumerate(dict.fromkeys(texts), 1)
        ]

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with the first key; the walk lets each member sign for itself."""
        return self.members()[0].sign(request, token, at)

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries one of the keys."""
        return any(one.admit(request, now) for one in self.members())
