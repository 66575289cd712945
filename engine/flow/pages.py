"""What is written of each page that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.core import jsontext
from engine.core.errors import Json
from engine.core.wire import Page
from engine.flow.answer import redacted, times
from engine.flow.kept import digests_of, shortened
from engine.flow.paging import Turn
from engine.flow.raw import Meta, Spot
from engine.spec.collect import Endpoint

Hears = Callable[[str, Spot, Meta, Page], None]
"""Who is told of kept pages: the endpoint, where the page is kept, what is known of it, and the page."""


def deaf(endpoint: str, place: Spot, meta: Meta, page: Page) -> None:
    """Hears nothing."""


def meta_of(turn: Turn, number: int, add: Mapping[str, Json], now: float) -> Meta:
    """What is known of a page besides its body; `number` is its own among those of its unit."""
    page = turn.page
    return Meta(
        page=number,
        request=page.request.describe(),
        fingerprint=page.request.fingerprint,
        at=now,
        cursor=turn.following,
        last=turn.following is None,
        rows=len(page.rows),
        skip=turn.repeated,
        stopped=turn.stopped,
        cut=turn.cut,
        total=turn.total,
        add=dict(jsontext.plain(add)),
        body=None if page.request.hides_query else page.request.body,
        coding=page.coding,
    )


def as_kept(endpoint: Endpoint, page: Page, meta: Meta, key: str) -> tuple[Meta, bytes]:
    """What is written of a page: the bytes received, or its records where these are redacted or decoded.

    The `key` makes that nobody can guess a redacted record from what it is known by.
    """
    if not (endpoint.redact or endpoint.decode_fields):
        return meta, page.body if page.received is None else page.received
    meta = meta.rewritten(redacted=bool(endpoint.redact), decoded=bool(endpoint.decode_fields))
    if endpoint.redact:
        seen = times(endpoint.incremental, page.rows) if endpoint.incremental else []
        meta = meta.of_records(b"".join(digests_of(key, page.rows)) if key else b"", shortened(seen))
    return meta, redacted(endpoint.redact, page.rows)
