"""What goes over the wire, as frozen values: all that auth and paginators ever see."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from engine.core import jsontext, links, select
from engine.core.errors import Json, Mistake
from engine.core.values import Spelled, source_text

FORM = "application/x-www-form-urlencoded"
KINDS = ("query", "header", "cookie", "path", "body")
IN_PATH = "".join(set(map(chr, range(33, 127))) - set('"<>`'))
"""What the HTTP client sends of a path as it is; braces are the places of a path."""
SIMPLE = re.compile(rf"https?://[a-z0-9.:-]+/[{re.escape(''.join(set(IN_PATH) - set('?#')))}]*")
"""An address that is sent as it is: mostly, one a request of many."""
COOKIE = re.compile(r'(?:^|,)\s*([^\s=;,"]+)="?([^;,"]*)')
"""Name and value in Set-Cookie; several stand in one text, and so do dates with a comma."""
Pairs = tuple[tuple[str, str], ...]
Media = Literal["json", "form", "multipart"]


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
    """A scalar as it goes over the wire: numbers by their source text, booleans in lower case.

    Raises Mistake for an object or a list, which have no text.
    """
    if isinstance(value, Mapping):
        raise Mistake("template", "an object cannot be sent here", "name one of its fields")
    if isinstance(value, (list, tuple)):
        raise Mistake("template", "a list cannot be sent here", "write ${…|join(',')}")
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
    media: Media = "json"
    """How the body goes."""
    hides_query: bool = False
    """Whether its query and body stay out of what is shown and kept, as they may be what lets somebody in."""
    path: Pairs = ()
    """What was put into the places of its address."""

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
            hole, text = "{" + name + "}", as_text(value)
            if value is None:
                return replace(self, url=self.url.replace(f"/{hole}", ""))
            return replace(self, url=self.url.replace(hole, quote(text, safe="")), path=(*self.path, (name, text)))
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
        if kind == "path":
            return next((v for k, v in self.path if k == name), None)
        value = self.body
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _cookies(self) -> list[tuple[str, str]]:
        text = next((v for k, v in self.header if k.lower() == "cookie"), "")
        return [(k.strip(), v) for k, _, v in (part.partition("=") for part in text.split(";")) if k.strip()]

    @cached_property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return origin(self.url)

    @cached_property
    def full_url(self) -> str:
        """The address with its query, letter by letter as it is sent."""
        if not self.query:
            return self.url
        return f"{self.url}?{urlencode(self.query, quote_via=quote, safe='', errors='surrogateescape')}"

    @cached_property
    def content(self) -> tuple[str, bytes] | None:
        """The type of the body and its bytes, as they are sent; None where there is no body."""
        if self.body is None:
            return None
        if self.media == "form":
            return FORM, urlencode(_fields(self.body)).encode()
        if self.media == "multipart":
            return _multipart(_fields(self.body))
        return "application/json", jsontext.write(self.body)

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of what is asked for: method, address, query and body, no headers."""
        asked = jsontext.canonical([self.method, self.full_url, self.body])
        return hashlib.sha256(asked.encode()).hexdigest()[:16]

    def describe(self) -> str:
        """The request for a person, without headers: it is never signed when it is described."""
        return f"{self.method} {self.url}?…" if self.hides_query and self.query else f"{self.method} {self.full_url}"


def _fields(body: Mapping[str, Json]) -> Pairs:
    return tuple(pair for name, value in body.items() for pair in as_pairs(name, value))


def _multipart(pairs: Pairs) -> tuple[str, bytes]:
    """A form in parts; its boundary is a hash, so that the same body is sent the same. Source: RFC 7578."""
    boundary = hashlib.sha256(jsontext.write(pairs)).hexdigest()[:32]
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{quote(name, safe=" []")}"\r\n\r\n{value}\r\n'
        for name, value in pairs
    ]
    return f"multipart/form-data; boundary={boundary}", f"{''.join(parts)}--{boundary}--\r\n".encode()


NO_NAMES = ("", "/", "?")
"""What a path may begin with, so that it is no part of a host's name."""


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host in lower case, and port of an address."""
    return _server("/".join(url.split("/", 3)[:3]))


@lru_cache(maxsize=1024)
def _server(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def below(base: str, path: str, said: str) -> str:
    """The address of a path below a base, or the whole address that it is; `said` is how the page writes it.

    Raises Mistake for what is neither: it would change the name of the host.
    """
    if path.startswith(("http://", "https://")):
        return path
    if path[:1] not in NO_NAMES:
        begins = "what it gives does not begin" if said.startswith("${") else "it does not begin"
        text = f'"{said}" is no path below the base address: {begins} with /'
        raise Mistake("path", text, f'write "/{said}", or a whole address: https://…')
    return base.rstrip("/") + path


def request_to(method: str, url: str, **more: Json) -> Request:
    """A request to an address that may carry a query, as next links do; also one whose escapes are no UTF-8."""
    if SIMPLE.fullmatch(url):
        return Request(method, url, **more)
    parts = urlsplit(url)
    bare = parts._replace(path=quote(parts.path, safe=IN_PATH), query="", fragment="").geturl()
    query = (*parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape"), *more.pop("query", ()))
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
class Coding:
    """How an answer was decoded, so that its bytes can be decoded again."""

    chain: Json
    """As a page may write it: `gzip+csv`, or a list of words with their settings."""
    option: str = ""
    """Which of the page's ways the answer chose; an empty text where there is one way only."""
    charset: str | None = None
    """What Content-Type said."""


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
    received: bytes | None = None
    """The bytes received, where the body was decoded from them."""
    coding: Coding | None = None
    """How the body was decoded; None where it came as JSON."""
    taken: select.Taken | None = None
    """What was taken out of the body when it was looked through."""

    @cached_property
    def answer(self) -> Json:
        """The decoded body; raises Mistake when it is not JSON."""
        try:
            return jsontext.read(self.body) if self.body.strip() else None
        except jsontext.NoJson as error:
            raise Mistake("answer", f"the answer is not JSON: {error}") from None

    @cached_property
    def links(self) -> Mapping[str, Mapping[str, str]]:
        """Its Link headers: relation -> `url`, absolute, and the link's attributes; raises Mistake."""
        return links.links(self.headers.get("link", ""), self.request.full_url)

    def read(self, expression: str) -> Json:
        """What a JMESPath expression reads.

        It starts with `answer`, `headers`, `cookies`, `status`, `rows`, `last`, `link` or `window`. A plain path into
        `answer` is taken from the bytes without decoding the rest.
        """
        chosen = select.compile(expression)
        if chosen.plain and chosen.plain[0] == "answer" and self.body.strip():
            return self._value(chosen.plain[1:])
        return chosen.search(self._root(chosen))

    def _value(self, path: tuple[str, ...]) -> Json:
        """What stands at a plain path of the answer."""
        known = self.taken.at if self.taken else {}
        found = known[path] if path in known else select.split(jsontext.paired(self.body), path)
        return None if found is None or found is select.MISSING else jsontext.read(found)

    def _root(self, chosen: select.Selection) -> dict[str, Json]:
        names, known = chosen.roots, self.taken.at if self.taken else {}
        of_answer = [path[1:] for path in chosen.paths if path[:1] == ("answer",)]
        is_known = bool(of_answer) and all(path in known for path in of_answer)
        makers: dict[str, Callable[[], Json]] = {
            "answer": lambda: _tree({path: self._value(path) for path in of_answer}) if is_known else self.answer,
            "headers": lambda: dict(self.headers),
            "cookies": lambda: dict(COOKIE.findall(self.headers.get("set-cookie", ""))),
            "status": lambda: self.status,
            "rows": lambda: [jsontext.read(row) for row in self.rows],
            "last": lambda: jsontext.read(self.rows[-1]) if self.rows else None,
            "link": lambda: dict(self.links),
            "window": lambda: dict(self.window),
        }
        wanted = makers if "*" in names else {name: makers[name] for name in names if name in makers}
        return {name: make() for name, make in wanted.items()}


def _tree(values: Mapping[tuple[str, ...], Json]) -> Json:
    """A document that has nothing but these values."""
    found: Json = {}
    for path, value in values.items():
        found = _nested(found, path, value)
    return found
