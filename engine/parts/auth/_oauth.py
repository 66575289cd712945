"""What sign-ins by OAuth share: a token endpoint's answers, and the vendor's side of a token."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote, quote_plus

from engine.core import jsontext
from engine.core.errors import CollectionError, Json
from engine.core.wire import Page, Place, Request

AUTHORIZATION = Place("header.Authorization")


def granted(page: Page, fix: str, *hidden: str) -> dict[str, Json]:
    """The answer with its `access_token`; raises CollectionError with OAuth's own words for a refusal.

    The rest of a refusal may hold what must not be shown, and even its words may repeat what is `hidden`.
    """
    try:
        answer = page.answer
    except ValueError:
        answer = None
    found: dict[str, Json] = answer if isinstance(answer, dict) else {}
    if 200 <= page.status < 300 and isinstance(found.get("access_token"), str):
        return found
    reason = "".join(f": {word}" for name in ("error", "error_description") if isinstance(word := found.get(name), str))
    for text in hidden:
        for spelling in (text, quote_plus(text), quote(text, safe="")):  # as a form repeats it
            reason = reason.replace(spelling, "***")
    text = f"sign-in was refused with status {page.status}{reason}"
    raise CollectionError(text, fix, context={"status": page.status})


# --- the vendor's side


def answered(request: Request, status: int, body: dict[str, Json]) -> Page:
    """An answer of a token endpoint."""
    return Page(request, status, {"content-type": "application/json"}, jsontext.write(body))


def issued(key: str, expires: int) -> str:
    """A token that only the holder of the key can make."""
    return f"simulated.{expires}.{_seal(key, expires)}"


def holds(key: str, token: str, now: float) -> bool:
    """Whether a token was issued with the key and has not expired."""
    pieces = token.split(".")
    if len(pieces) != 3 or not pieces[1].isdecimal():
        return False
    return hmac.compare_digest(pieces[2].encode(), _seal(key, int(pieces[1])).encode()) and int(pieces[1]) > now


def _seal(key: str, expires: int) -> str:
    return hmac.new(key.encode(), str(expires).encode(), hashlib.sha256).hexdigest()
