"""A fixed key at any place of the request."""

from pydantic import Field

from engine.core.credential import Credential
from engine.core.kinds import Auth, Moment, Token, reveal
from engine.core.wire import Place, Request


class ApiKey(Auth):
    """Sends a key in a header, query field, cookie, piece of the path or field of the body.

    It cannot renew: a 401 fails the run.

    Misbehaving: A 401 fails the endpoint at once. An answer or a next link that repeats the key is kept without it;
    a redirect to another origin does not get it.

    Example:
        secrets:
          key: { env: ACME_API_KEY }
        connection:
          base_url: https://api.example.com
          auth: { api_key: { key: "${secret.key}", send: header.X-API-KEY } }
    """

    key: Credential = Field(description="The key, from a secret.")
    send: Place = Field(
        description="Where it goes: header.X-API-KEY, query.key, cookie.session, body.key, or path.key for the {key} "
        "of a path."
    )
    prefix: str = Field("", description="A text in front of the key, such as `token `.")
    also: dict[Place, Credential] = Field(
        {}, description='More keys that go along, each by its place: `{ header.X-APP-KEY: "${secret.app_key}" }`.'
    )

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with the key."""
        for place, text in self._sent().items():
            request = request.put(place, text)
        return request

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries the key."""
        return all(_at(request, place, text) for place, text in self._sent().items())

    def _sent(self) -> dict[Place, str]:
        return {self.send: self.prefix + reveal(self.key), **{place: reveal(key) for place, key in self.also.items()}}


def _at(request: Request, place: Place, text: str) -> bool:
    """Whether a text stands at a place; in a path that was filled nobody can tell which piece of it is the place."""
    if place.kind == "path":
        return Request("GET", "/{x}").put(Place("path.x"), text).url.removeprefix("/") in request.url
    return bool(request.get(place) == text)
