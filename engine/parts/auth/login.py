"""A vendor's own sign-in: name and password, or whatever it wants, go to an address that gives a token."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from engine.core import jsontext, select
from engine.core.clock import read_instant
from engine.core.errors import CollectionError, ConfigError, Json, Mistake
from engine.core.kinds import Auth, Moment, Renewal, Token, reveal
from engine.core.select import Jmes, SelectError
from engine.core.settle import inside
from engine.core.template import Template
from engine.core.values import Duration, Secret, source_text
from engine.core.wire import Page, Place, Request, below, request_to
from engine.parts.auth._nested import nested, revealed
from engine.parts.auth._oauth import SIMULATED_LIFE_SECONDS, holds, issued, refused, renew_at

NEWEST_LIFE_SECONDS = 1e9
"""A greater number is a time, and no life: 31 years."""
FIX = "check the credentials, and what the vendor wants in body, form and header of the sign-in"


def _body(value: Any) -> Any:
    return nested(Template, value)


Body = Annotated[Any, BeforeValidator(_body, json_schema_input_type=Any)]


class Login(Auth):
    """Asks an address of the vendor for a token, then sends it with each request.

    The token is read from the answer, its headers or its cookies. It is renewed 60 s before it expires, or when a
    tenth of its life is left, whichever is later; and once on a 401, which is the only way where no life is stated.

    Misbehaving: A refusal is asked for once, so that no account is locked; an answer without a token counts as one.
    A 401 of the API is followed by one new sign-in; where the vendor says it in another way, write a response rule
    with renew_auth. An answer that redirects and sets a cookie is taken as it is.

    Example:
        secrets:
          user: { env: ACME_USER }
          password: { env: ACME_PASSWORD }
        connection:
          base_url: https://api.example.com
          auth:
            login:
              post: /session
              body: { user: "${secret.user}", password: "${secret.password}" }
              read: answer.token
              expires: answer.expires_in
              send: header.X-Token
    """

    renewable: ClassVar[bool] = True

    post: Template | None = Field(None, description="The path below base_url, or the whole address: asked with POST.")
    get: Template | None = Field(None, description="Or: asked with GET.")
    body: Body = Field(None, description="The JSON body.")
    form: dict[str, Template] = Field({}, description="Or: a body of form fields.")
    header: dict[str, Template] = Field({}, description="Headers of the sign-in.")
    read: Jmes = Field(description='Where the token is: answer.token, headers."x-token", cookies.session.')
    expires: Jmes | None = Field(
        None, description="Where the answer says until when: seconds from now, or a time (epoch or ISO)."
    )
    life: Duration | None = Field(None, description="Or: how long a token lives, where the answer does not say.")
    send: Place = Field(description="Where the token goes: header.X-Token, cookie.session.")
    prefix: str = Field("", description="A text in front of the token, such as `Bearer `.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.post is None) == (self.get is None):
            raise Mistake("login", "a sign-in is asked with post or with get", "write post: /session")
        if self.body is not None and self.form:
            raise Mistake("login", "a request has one body", "write body or form")
        return self

    def at(self, base_url: str) -> Self:
        """The same sign-in with its whole address."""
        changes = {}
        for word in ("post", "get"):
            path = getattr(self, word)
            if path is not None and not reveal(path).startswith(("http://", "https://")):
                changes[word] = below(base_url, reveal(path), str(path))
        return self.model_copy(update=changes)

    def hosts(self) -> Sequence[str]:
        """The address of the sign-in."""
        return [self._request().url]

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Ask for a token; raises CollectionError when the vendor gives none."""
        page = yield self._request()
        if page.status >= 400:
            raise refused(page, FIX, *(one.reveal() for one in inside(self, Secret)))
        token = source_text(_found(page, self.read))
        if not token or not isinstance(token, str):
            text = f"the sign-in was answered with status {page.status}, but {self.read} has no token"
            raise CollectionError(text, FIX, context={"status": page.status})
        life = _life(_found(page, self.expires), on.now) if self.expires else self.life and self.life.seconds
        return Token(Secret(token, "token"), renew_at(life, on.now))

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with the token."""
        return request.put(self.send, self.prefix + token.value.reveal())

    def _request(self) -> Request:
        method, address = ("GET", self.get) if self.post is None else ("POST", self.post)
        body, media = (revealed(self.form), "form") if self.form else (revealed(self.body), "json")
        header = tuple((name, reveal(value)) for name, value in self.header.items())
        return request_to(method, reveal(address), header=header, body=body, media=media)

    # --- the vendor's side

    def rehearse(self, url: str) -> Self:
        """The same sign-in below this address; raises ConfigError where nobody could make up an answer."""
        for path in (self.read, self.expires):
            if path and not select.compile(path).plain:
                fix = "read it with a plain path, such as answer.session.token"
                raise ConfigError(f"no answer can be made up from which {path} reads a token", fix)
        return self.model_copy(update={"get" if self.post is None else "post": f"{url}/sign-in"})

    def grant(self, request: Request, now: float) -> Page | None:
        """A token for whoever sends what the page says."""
        wanted = self._request()
        if (request.method, request.url) != (wanted.method, wanted.url):
            return None
        given = [request.get(Place(f"header.{name}")) for name, _ in wanted.header]
        if (given, request.query, request.body) != ([v for _, v in wanted.header], wanted.query, wanted.body):
            return Page(request, 401, {"content-type": "application/json"}, b'{"error": "wrong credentials"}')
        page = Page(request, 200, {"content-type": "application/json"}, b"{}")
        page = _with(page, self.read, issued(self._key(), int(now) + SIMULATED_LIFE_SECONDS))
        return _with(page, self.expires, SIMULATED_LIFE_SECONDS) if self.expires else page

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries a token that `grant` gave and that has not expired."""
        text = str(request.get(self.send) or "")
        return text.startswith(self.prefix) and holds(self._key(), text.removeprefix(self.prefix), now)

    def _key(self) -> str:
        return " ".join(one.reveal() for one in inside(self, Secret))


def _found(page: Page, path: Jmes) -> Json:
    try:
        return page.read(path)
    except (SelectError, ValueError):  # the answer is no JSON, or not of this shape
        return None


def _life(value: Json, now: float) -> float | None:
    """How many seconds are left, None where the value says nothing of it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        try:
            return read_instant(value).timestamp() - now
        except (TypeError, ValueError, AttributeError):
            return None
    if number < NEWEST_LIFE_SECONDS:
        return number
    return (number if number < NEWEST_LIFE_SECONDS * 100 else number / 1000) - now


def _with(page: Page, path: Jmes, value: Json) -> Page:
    """The answer with a value where the path reads it."""
    root, *keys = select.compile(path).plain or ("answer",)
    if root in ("headers", "cookies") and keys:
        name, text = ("set-cookie", f"{keys[0]}={value}; Path=/") if root == "cookies" else (keys[0], str(value))
        return Page(page.request, 200, {**page.headers, name: text}, page.body)
    body = Request("POST", "", body=page.answer).put(Place(f"body.{'.'.join(keys)}"), value).body
    return Page(page.request, 200, page.headers, jsontext.write(body))
