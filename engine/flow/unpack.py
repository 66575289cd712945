"""Answers that are no JSON become JSON, when they come and again each time that a kept page is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from engine.core import charset, jsontext, select
from engine.core.errors import CollectionError, Mistake
from engine.core.kinds import Undecodable
from engine.core.select import SelectError
from engine.core.settle import inside
from engine.core.wire import Coding, Page, Request, as_text
from engine.flow.line import Broken
from engine.flow.raw import Frame, array_of, split_rows
from engine.spec.answers import Decode
from engine.spec.collect import Endpoint

ERRORS = ("errors",)
"""Where an answer of GraphQL says what went wrong."""
HTML = (b"<!doctype html", b"<html")


def taking_of(endpoint: Endpoint) -> select.Taking | None:
    """What takes its records, and what its paginator reads, out of an answer; None where that takes a longer way."""
    read = [path for one in inside(endpoint.paginate, select.Jmes) for path in select.compile(one).paths]
    plain = select.compile(endpoint.records).plain
    paths = [path[1:] for path in read if path[:1] == ("answer",)]
    return select.taking(plain, [*paths, ERRORS] if endpoint.graphql else paths)


def unpacker(decode: Decode, most_bytes: int, teller: Page | None = None) -> Callable[[Page], Page] | None:
    """What makes JSON of an answer; None where it is JSON already."""
    return None if decode.is_json else partial(unpacked, decode, most_bytes=most_bytes, teller=teller)


def unpacked(decode: Decode, page: Page, most_bytes: int, teller: Page | None = None) -> Page:
    """The page with JSON as its body and the bytes that were received beside it; a `teller` may say how they are made.

    Raises Undecodable, and TooLarge for what unpacks to more than so many bytes.
    """
    if page.status == 204:  # it has no body by definition
        return page
    option = (teller and _option(decode, teller)) or _option(decode, page)
    chain = decode.options.get(option, decode.chain)
    if not chain.links:
        return page
    said = charset.named(page.headers.get("content-type"))
    try:
        if page.body[:100].lstrip().lower().startswith(HTML):
            raise Undecodable("is HTML")
        body = chain.decode(page.body, most_bytes, said)
    except Undecodable as error:
        raise type(error)(f"an answer that {error} (decode: {chain})") from None
    return replace(page, body=body, received=page.body, coding=Coding(chain.written, option, said))


def _option(decode: Decode, page: Page) -> str:
    """Which of its other ways the answer names; an empty text where it is none of them."""
    if decode.by is None:
        return ""
    try:
        found = page.read(decode.by)
    except (Mistake, SelectError):  # as where a function needs a header that is not there
        return ""
    plain = select.compile(decode.by).plain
    said = "" if found is None else as_text(found)
    said = said.partition(";")[0] if plain and plain[0] == "headers" else said
    return next((name for name in decode.options if name.lower() == said.strip().lower()), "")


def kept_rows(frame: Frame, endpoint: Endpoint) -> list[bytes]:
    """The raw records of a kept page, without those that repeat the page before. Raises Mistake, SelectError."""
    return split_rows(kept_array(frame, endpoint))


def kept_array(frame: Frame, endpoint: Endpoint) -> bytes:
    """The same as one JSON array."""
    return array_of(Frame(frame.meta, _decoded(frame, endpoint)), endpoint.records)


def answer_of(frame: Frame, endpoint: Endpoint) -> Page:
    """A kept page as it was when it came, but for its request and headers. Raises Mistake."""
    coding, body = frame.meta.coding, _decoded(frame, endpoint)
    return Page(Request("GET", ""), 200, body=body, received=frame.body if coding else None, coding=coding)


def _decoded(frame: Frame, endpoint: Endpoint) -> bytes:
    """JSON, as the page says now: what was wrong there can be mended without collecting again. Raises Mistake."""
    coding, decode = frame.meta.coding, decode_of(endpoint)
    if coding is None:
        return frame.body
    if coding.option and coding.option not in decode.options:
        fix = f'add "{coding.option}" to options of decode, or collect again'
        raise Mistake("decode", f"{frame.meta.request}: nothing says how this kept page is decoded", fix)
    chain = decode.options[coding.option] if coding.option else decode.chain
    try:
        return chain.decode(frame.body, sys.maxsize, coding.charset)
    except Undecodable as error:
        fix = "correct decode, or collect again"
        raise Mistake("decode", f"{frame.meta.request}: the kept page {error} (decode: {chain})", fix) from None


def decode_of(endpoint: Endpoint) -> Decode:
    """How the pages of an endpoint are decoded: of a job those of its files."""
    return (endpoint.job and endpoint.job.fetch.decode) or endpoint.decode


def looked_through(page: Page, taking: select.Taking | None) -> Page:
    """The page with what is taken out of it at once; raises Broken, CollectionError where it came as no JSON."""
    taken = taking.of(jsontext.paired(page.body)) if taking else None
    if taken is None and page.received is None:
        must_be_json(page)
    return replace(page, taken=taken) if taken else page


def must_be_json(page: Page) -> None:
    """A good status with a body that is HTML, empty or cut off is worth a new try."""
    if page.status == 204:
        return
    body = page.body.lstrip()
    if not body:
        raise Broken("an empty answer")
    if body.startswith(b"<"):
        raise Broken("HTML instead of JSON")
    if not jsontext.is_whole(body):
        other = jsontext.other_charset(body)
        if flaw := other or jsontext.flaw(body):  # the next try would bring the same
            fix = "write decode: json" if other else "report it to the vendor"
            raise CollectionError(f"{page.request.describe()}: the answer is {flaw}", fix)
        raise Broken("an answer that is not whole JSON")
