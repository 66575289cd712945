"""What an answer means for the unit that asked: records, a part that the page leaves out, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from engine.core import jsontext, redact, select
from engine.core.clock import read_instant
from engine.core.errors import CollectionError, Json, Mistake
from engine.core.wire import Page
from engine.flow.raw import rows_in
from engine.spec.model import Endpoint, Redact, Skip

FIXES = {401: "check the credentials", 403: "check what the credentials may read", 404: "check the path and base_url"}


def skip_of(endpoint: Endpoint, page: Page) -> Skip | None:
    """What the first response rule that matches leaves out; None when there is none."""
    for rule in endpoint.responses:
        when = rule.when
        statuses = when.status if isinstance(when.status, list) else [when.status]
        if when.status is not None and page.status not in statuses:
            continue
        if any(page.headers.get(name.lower()) != value for name, value in when.header.items()):
            continue
        if when.body and not _body_matches(when.body, page):
            continue
        return rule.skip
    return None


def with_records(endpoint: Endpoint, page: Page) -> Page:
    """The page with its records; raises CollectionError when it is a refusal or has none where they should be."""
    if not 200 <= page.status < 300:
        raise _refused(page)
    try:
        rows = rows_in(page.body, endpoint.records) if page.body.strip() else []
    except select.SelectError as error:
        raise CollectionError(f"{page.request.describe()}: {error}", "correct the records path") from None
    if rows is None:
        if not endpoint.may_be_absent:
            raise CollectionError(
                f"{page.request.describe()}: the answer has nothing at records: {endpoint.records}",
                "correct the records path, or say may_be_absent: true if the vendor leaves an empty list out",
            )
        rows = []
    return replace(page, rows=rows)


def redacted(rules: Sequence[Redact], rows: Sequence[bytes]) -> bytes:
    """The records as a JSON list, without what must never be kept."""
    records = [jsontext.read(row) for row in rows]
    for rule in rules:
        mend = redact.hashed if rule.with_ == "hash" else redact.drop
        records = [redact.redact(record, rule.path, mend) for record in records]
    return jsontext.write(records)


def greatest(path: str, rows: Sequence[bytes]) -> datetime | None:
    """The latest time at a path of the records; raises CollectionError for what is no time."""
    found = (select.compile(path).search(jsontext.read(row)) for row in rows)
    return max((_instant(value, path) for value in found if value is not None), default=None)


def _instant(value: Json, path: str) -> datetime:
    try:
        return read_instant(str(value))
    except ValueError:
        raise CollectionError(f'{path} is "{value}", which is no time', "correct incremental.field") from None


def _refused(page: Page) -> CollectionError:
    """An answer that is no success, with the vendor's own sentence where it has one."""
    words = ""
    try:
        found = select.compile("error.message || message || error_description || error").search(page.answer)
        words = f": {found}" if isinstance(found, str) else ""
    except (Mistake, select.SelectError):
        pass
    return CollectionError(f"{page.request.describe()}: status {page.status}{words[:300]}", FIXES.get(page.status, ""))


def _body_matches(expression: str, page: Page) -> bool:
    try:
        return bool(select.compile(expression).search(page.answer))
    except (Mistake, select.SelectError):
        return False
