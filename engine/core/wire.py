"""What goes over the wire, as frozen values: all that auth and paginators ever see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from engine.core import jsontext, select
from engine.core.errors import Json, Mistake
from engine.core.values import Spelled, source_text

KINDS = ("query", "header", "cookie", "path", "body")
Pairs = tuple[tuple[str, str], ...]


class Place(Spelled):
    """An address in a request: `query.x`, `header.X`, `cookie.x`, `path.x` or `body.a.b`."""

    pattern = r"(query|header|cookie|path|body)\..+"
    says = "a place in a request; write query.x, header.X, cookie.x, path.x or body.a.b"

    @property
    def kind(self) -> str:
        """The part of the request: query, header, cookie, path or body."""
        return self.split(".", 1)[0]

    @property
    def name(self) -> str:
        """The name in that part; for a body the dotted path."""
        return self.split(".", 1)[1]


def as_text(value: Json) -> str:
    """A scalar as it goes over the wire: numbers by their source text, booleans in lower case."""
    return str(source_text(value))


def as_pairs(name: str, value: Json) -> Pairs:
    """A query field: null leaves it out, a list repeats its key."""
    if value is None:
        return ()
    values = value if isinstance(value, (list, tuple)) else [value]
    return tuple((name, as_text(one)) for one in values if one is not None)


@dataclass(frozen=True)
class Request:
    """A request before it is sent; `url` is absolute and has no query."""

    method: str
    url: str
    query: Pairs = ()
    header: Pairs = ()
    body: Json = None
    form: bool = False
    """Whether the body goes as a form instead of JSON."""

    def put(self, place: Place, value: Json) -> Request:
        """The request with a value at a place; null takes the place out."""
        kind, name = place.kind, place.name
        if kind == "query":
            return replace(self, query=(*(p for p in self.query if p[0] != name), *as_pairs(name, value)))
        if kind == "header":
            kept = tuple(p for p in self.header if p[0].lower() != name.lower())
            return replace(self, header=kept if value is None else (*kept, (name, as_text(value))))
        if kind == "cookie":
            others = [c for c in self._cookies() if c[0] != name] + ([] if value is None else [(name, as_text(value))])
            return self.put(Place("header.Cookie"), "; ".join(f"{k}={v}" for k, v in others) or None)
        if kind == "path":
            return replace(self, url=self.url.replace("{" + name + "}", quote(as_text(value), safe="")))
        return replace(self, body=_nested(self.body, name.split("."), value))

    def get(self, place: Place) -> Json:
        """What stands at a place, or None: the vendor's side of `put`."""
        kind, name = place.kind, place.name
        if kind == "query":
            return next((v for k, v in self.query if k == name), None)
        if kind == "header":
            return next((v for k, v in self.header if k.lower() == name.lower()), None)
        if kind == "cookie":
            return next((v for k, v in self._cookies() if k == name), None)
        if kind != "body":
            return None
        value = self.body
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _cookies(self) -> list[tuple[str, str]]:
        text = next((v for k, v in self.header if k.lower() == "cookie"), "")
        return [(k.strip(), v) for k, _, v in (part.partition("=") for part in text.split(";")) if k.strip()]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return origin(self.url)

    @cached_property
    def full_url(self) -> str:
        """The address with its query, as it is sent before signing."""
        return f"{self.url}?{urlencode(self.query)}" if self.query else self.url

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of what is asked for: method, address, query and body, no headers."""
        asked = jsontext.canonical([self.method, self.full_url, self.body])
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """The request for a person, without headers: it is never signed when it is described."""
        return f"{self.method} {self.full_url}"


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host in lower case, and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def request_to(method: str, url: str, **more: Json) -> Request:
    """A request to an address that may carry a query, as next links do."""
    parts = urlsplit(url)
    bare = parts._replace(query="", fragment="").geturl()
    query = (*parse_qsl(parts.query, keep_blank_values=True), *more.pop("query", ()))
    return Request(method, bare, query=query, **more)


def _nested(body: Json, keys: Sequence[str], value: Json) -> Json:
    """A copy of the body with a value at nested keys."""
    here = dict(body) if isinstance(body, dict) else {}
    if len(keys) > 1:
        here[keys[0]] = _nested(here.get(keys[0]), keys[1:], value)
    elif value is None:
        here.pop(keys[0], None)
    else:
        here[keys[0]] = value
    return here


@dataclass(frozen=True)
class Page:
    """One answer of a vendor, with the records that were found in it."""

    request: Request
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    rows: Sequence[bytes] = ()
    """The raw JSON of each record."""
    window: Mapping[str, Json] = field(default_factory=dict)
    tries: int = 1
    """How often it was asked for."""

    @cached_property
    def answer(self) -> Json:
        """The decoded body; raises Mistake when it is not JSON."""
        try:
            return jsontext.read(self.body) if self.body.strip() else None
        except jsontext.NoJson as error:
            raise Mistake("answer", f"the answer is not JSON: {error}") from None

    def read(self, expression: str) -> Json:
        """What a JMESPath expression reads from `answer`, `headers`, `status`, `rows`, `last`, `link`, `window`.

        A plain path into `answer` is taken from the bytes without decoding the rest.
        """
        chosen = select.compile(expression)
        if chosen.plain and chosen.plain[0] == "answer" and self.body.strip():
            found = select.split(jsontext.paired(self.body), chosen.plain[1:])
            return None if found is None or found is select.MISSING else jsontext.read(found)
        return chosen.search(self._root(chosen.roots))

    def _root(self, names: frozenset[str]) -> dict[str, Json]:
        makers: dict[str, Callable[[], Json]] = {
            "answer": lambda: self.answer,
            "headers": lambda: dict(self.headers),
            "status": lambda: self.status,
            "rows": lambda: [jsontext.read(row) for row in self.rows],
            "last": lambda: jsontext.read(self.rows[-1]) if self.rows else None,
            "window": lambda: dict(self.window),
        }
        wanted = makers if "*" in names else {name: makers[name] for name in names if name in makers}
        return {name: make() for name, make in wanted.items()}
