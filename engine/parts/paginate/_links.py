"""Following an address that an answer names, as next links do."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

from engine.core import jsontext
from engine.core.errors import CollectionError, Json
from engine.core.wire import Page, Place, Request, origin, request_to

POSITION = Place("query.after")
"""Where the vendor's side says in its links how many records came before."""


def absolute(page: Page, link: Json) -> str:
    """The address a link leads to from the request that the page answers. Source: RFC 3986 section 5.

    Raises CollectionError for what is no address, and for one that leads out of TLS.
    """
    asked, scheme = page.request.describe(), ""
    try:
        found = urljoin(page.request.full_url, link.strip()) if isinstance(link, str) else ""
        scheme = origin(found)[0]
    except ValueError:
        pass
    if scheme not in ("http", "https"):
        text = f"{asked}: {jsontext.canonical(link)[:80]} is no address"
        raise CollectionError(text, "correct where the paginator reads it")
    if scheme == "http" and page.request.origin[0] == "https":
        text = f"{asked}: the next link leads from https to http"
        raise CollectionError(text, "report it to the vendor: what is signed must not go unencrypted")
    return found


def follow(request: Request, address: str) -> Request:
    """The same request to another address, with the query that stands there."""
    there = request_to(request.method, address)
    return replace(request, url=there.url, query=there.query)


def served_link(request: Request, at: int) -> str:
    """The vendor's side: the link to the page behind so many records."""
    return request.put(POSITION, at).full_url
