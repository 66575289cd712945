"""What an answer means for the unit that asked: records, a part that the page leaves out, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Literal

from engine.core import encoded, jsontext, redact, select, template
from engine.core.errors import CollectionError, Json, Mistake
from engine.core.filters import Unwritable, as_json, as_text
from engine.core.template import Expression, Template
from engine.core.times import instant_of
from engine.core.wire import Page
from engine.flow.raw import rows_in
from engine.spec.answers import Response, Verb
from engine.spec.collect import Endpoint, Redact
from engine.spec.foreach import Incremental

FIXES = {
    304: "the vendor says that it did not change, which nobody asked: report it there",
    401: "check the credentials",
    403: "check what the credentials may read",
    404: "check the path and base_url",
}
LATER = "try again later: what was kept stays kept"
UNSAID = "…"
"""Stands in the words of a response rule for what the answer does not have."""
SENTENCE = "error.message || message || error_description || error || errors[0].message || errors[0].detail"
"""Where vendors say what is wrong. Source: AIP-193, RFC 6749, GraphQL, JSON:API, among many."""


def verdict(responses: Sequence[Response], page: Page) -> Verb | None:
    """What the first response rule that matches says; None when there is none: then the built-in rules hold."""
    for rule in responses:
        when = rule.when
        statuses = when.status if isinstance(when.status, list) else [when.status]
        if when.status is not None and page.status not in statuses:
            continue
        if any(page.headers.get(name.lower()) != value for name, value in when.header.items()):
            continue
        if when.body and not _body_matches(when.body, page):
            continue
        return rule.verb
    return None


def said(words: Template, page: Page, scope: Mapping[str, Json]) -> str:
    """The words of a response rule, filled; `…` stands where a name in them has no value."""
    answer: Json = {}
    with suppress(Mistake):
        answer = page.answer if page.body.lstrip().startswith((b"{", b"[")) else {}
    whole = {**scope, "answer": answer or {}}
    return "".join(one if isinstance(one, str) else _word(one, whole) for one in template.compile(words).pieces)


def _word(word: Expression, scope: Mapping[str, Json]) -> str:
    try:
        value = as_json(word.evaluate(scope))
        return jsontext.canonical(jsontext.plain(value)) if isinstance(value, list | dict) else as_text(value)
    except (Mistake, Unwritable):
        return UNSAID


def with_records(endpoint: Endpoint, page: Page) -> Page:
    """The page with its records; raises CollectionError when it is a refusal or has none where they should be."""
    accepted(endpoint, page)
    if endpoint.graphql:
        _without_errors(page)
    try:
        rows: Sequence[bytes] | None = page.taken.rows if page.taken else None
        rows = rows_in(page.body, endpoint.records) if rows is None else rows
    except select.SelectError as error:
        fix = real_path(endpoint, "records") or "correct the records path"
        raise CollectionError(f"{page.request.describe()}: {error}", fix) from None
    if page.status == 202 and rows and len(rows) == 1 and jsontext.read(rows[0]) == {}:
        fix = "say in responses how long to wait for it: { when: { status: 202 }, retry: { wait: 5s, times: 20 } }"
        raise CollectionError(f"{page.request.describe()}: the answer is not made yet (status 202)", fix)
    if rows is None:
        if not endpoint.may_be_absent:
            nothing = f"is empty (status {page.status})"
            has = f"has nothing at records: {endpoint.records}" if page.body.strip() else nothing
            fix = "correct the records path, or say may_be_absent: true if the vendor leaves an empty list out"
            text = f"{page.request.describe()}: the answer {has}"
            raise CollectionError(text, real_path(endpoint, "records") or fix)
        rows = []
    return replace(page, rows=rows)


def _without_errors(page: Page) -> None:
    """Raise CollectionError where an answer of GraphQL has errors: what is beside them is a part of what was asked."""
    errors = select.compile("[].message || @").search(page.read("answer.errors"))
    if errors:
        first = errors[0] if isinstance(errors, list) else errors
        text = f"{page.request.describe()}: the answer has errors: {first}"
        raise CollectionError(text[:500], "mend the query, or say in responses what such an answer means")


def accepted(endpoint: Endpoint, page: Page) -> Page:
    """The page; raises CollectionError when it is a refusal."""
    if not 200 <= page.status < 300:
        raise _refused(endpoint, page)
    return page


def decoded(endpoint: Endpoint, page: Page, most_bytes: int, mask: Callable[[bytes], bytes]) -> Page:
    """The page with the encoded fields of its records decoded, and masked: secrets show only now.

    Raises CollectionError where a field is not what it says.
    """
    fields = endpoint.decode_fields
    if not fields:
        return page
    try:
        records = [encoded.decoded(jsontext.read(row), fields, most_bytes) for row in page.rows]
    except encoded.NotEncoded as error:
        fix = "look at what the vendor sends, and correct decode_fields"
        raise CollectionError(f"{page.request.describe()}: {error}", fix) from None
    return replace(page, rows=[mask(jsontext.write(record)) for record in records])


def real_path(endpoint: Endpoint, what: Literal["address", "records"]) -> str:
    """How to set what an endpoint only assumes; an empty text where it is sure."""
    if not endpoint.assumed:
        return ""
    names = [endpoint.records.param] if endpoint.records.param else []
    if what == "address":
        texts = (endpoint.path, endpoint.base_url)
        every = [one for text in texts if text for one in template.compile(text).references]
        names = [one.path[0] for one in every if one.namespace == "param" and one.path]
    way = f" with {' '.join(f'-p {name}=…' for name in dict.fromkeys(names))}" if names else " on the page"
    return f"set the real path{way}: it is assumed ({endpoint.assumed})"


def redacted(rules: Sequence[Redact], rows: Sequence[bytes]) -> bytes:
    """The records as a JSON list, without what must never be kept."""
    records = [jsontext.read(row) for row in rows]
    for rule in rules:
        mend = redact.hashed if rule.with_ == "hash" else redact.drop
        records = [redact.redact(record, rule.path, mend) for record in records]
    return jsontext.write(records)


def times(incremental: Incremental, rows: Sequence[bytes]) -> list[datetime]:
    """The times of the records, in their order; none without a field. Raises CollectionError for what is no time."""
    path = incremental.field
    if path is None:
        return []
    found = (select.compile(path).search(jsontext.read(row)) for row in rows)
    try:
        return [instant_of(value, incremental.read_format) for value in found if value is not None]
    except ValueError as error:
        fix = "correct incremental.field, or name the form in read_format"
        raise CollectionError(f"{path}: {error}", fix) from None


def of_request(error: Exception, request: str) -> CollectionError:
    """What is wrong with an answer, with the request that it answers."""
    text = f"{request}: {error}" if request else str(error)
    return CollectionError(text, getattr(error, "fix", "")).with_traceback(error.__traceback__)


def _refused(endpoint: Endpoint, page: Page) -> CollectionError:
    """An answer that is no success, with the vendor's own sentence where it has one."""
    words = ""
    try:
        found = select.compile(SENTENCE).search(page.answer)
        words = f": {found}" if isinstance(found, str) else ""
    except (Mistake, select.SelectError):
        pass
    fix = FIXES.get(page.status, LATER if page.tries > 1 else "")
    fix = (page.status == 404 and real_path(endpoint, "address")) or fix
    tries = f" after {page.tries} tries" if page.tries > 1 else ""
    return CollectionError(f"{page.request.describe()}: status {page.status}{tries}{words[:300]}", fix)


def _body_matches(expression: str, page: Page) -> bool:
    try:
        return bool(select.compile(expression).search(page.answer))
    except (Mistake, select.SelectError):
        return False
