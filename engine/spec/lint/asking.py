"""Lints of how the vendor is asked: paging, windows, responses, and what keys and modes make of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from engine.core import select
from engine.core.errors import Mistake, nearest
from engine.core.values import Duration
from engine.spec.lint.look import Found, Look, leaves
from engine.spec.model import Endpoint, Response, Table

READ = ("answer", "headers", "status", "rows", "last", "link", "window")
"""What paginators may read of an answer."""


def unknown_roots(look: Look) -> Iterator[Found]:
    """A paginator reads from something that an answer does not have."""
    for name, endpoint in look.pipeline.endpoints.items():
        for path, text in leaves(endpoint.paginate, ("endpoints", name, "paginate")) if endpoint.paginate else ():
            if not isinstance(text, select.Jmes):
                continue
            for root in sorted(select.compile(text).roots - set(READ)):
                near = nearest(root, READ)
                fix = f"write answer.{text}" if not near and root != "*" else f"it can start with {', '.join(READ)}"
                message = f'this starts with "{root}", which is no part of an answer{near}'
                yield Found(path, Mistake("unknown-root", message, fix, offset=max(text.find(root), 0)))


def headers_in_capitals(look: Look) -> Iterator[Found]:
    """A paginator reads a header by a name with capitals, which never is there."""
    for name, endpoint in look.pipeline.endpoints.items():
        for path, text in leaves(endpoint.paginate, ("endpoints", name, "paginate")) if endpoint.paginate else ():
            for found in select.compile(text).paths if isinstance(text, select.Jmes) else ():
                if found[:1] == ("headers",) and len(found) > 1 and found[1] != found[1].lower():
                    message = f'names of headers are in lower case here, so "{found[1]}" is never found'
                    fix = f"""write headers."{found[1].lower()}\""""
                    yield Found(path, Mistake("header-name", message, fix, offset=text.find(found[1])))


def unreachable_responses(look: Look) -> Iterator[Found]:
    """A response rule stands behind one that takes every answer it is for."""
    for name, endpoint in look.pipeline.endpoints.items():
        for number, response in enumerate(endpoint.responses):
            if any(_covers(before, response) for before in endpoint.responses[:number]):
                message = "this rule is never reached: one above it takes all its answers"
                path = ("endpoints", name, "responses", number)
                yield Found(path, Mistake("unreachable", message, "put the narrower rule first"))


def _covers(before: Response, response: Response) -> bool:
    if before.when.header or before.when.body:
        return False
    return before.when.status is None or (response.when.status is not None and _statuses(response) <= _statuses(before))


def _statuses(response: Response) -> set[int]:
    status = response.when.status
    return set(status) if isinstance(status, list) else {status} if status is not None else set()


def wrong_starts(look: Look) -> Iterator[Found]:
    """`incremental.start` is neither a time nor so long ago."""
    for name, endpoint in look.pipeline.endpoints.items():
        if endpoint.incremental and not _is_start(endpoint.incremental.start):
            message = f'"{endpoint.incremental.start}" is no time and no duration'
            path = ("endpoints", name, "incremental", "start")
            yield Found(path, Mistake("incremental", message, "write 2026-01-01 or 30d"))


def _is_start(text: str) -> bool:
    try:
        Duration.read(text)
    except Mistake:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return False
    return True


def unsent_windows(look: Look) -> Iterator[Found]:
    """An incremental endpoint never tells the vendor its window, so that it asks for everything each time."""
    asked = {
        path[1] for path, _, reference in look.references if path[0] == "endpoints" and reference.namespace == "window"
    }
    for name, endpoint in look.pipeline.endpoints.items():
        if endpoint.incremental and not endpoint.incremental.send and name not in asked:
            fix = "write send: query.updated_since in incremental, or ${window.start} in the query"
            mistake = Mistake("unsent-window", "the window is never sent, so every collection asks for everything", fix)
            yield Found(("endpoints", name, "incremental"), mistake, key=True)


def replaced_by_a_part(look: Look) -> Iterator[Found]:
    """A table in mode replace is fed with nothing but what is new, and would lose the rest."""
    for name, table in look.pipeline.tables.items():
        if table.mode == "replace" and (part := _partial(look, table)):
            message = f'"{part}" gives only what is new, and mode: replace would throw the rest away'
            yield Found(("tables", name, "mode"), Mistake("mode", message, "leave mode out, or write mode: upsert"))


def tables_without_key(look: Look) -> Iterator[Found]:
    """A table that is brought up to date has no key, so that changed records stand in it twice."""
    for name, table in look.pipeline.tables.items():
        if not table.key and table.mode is None and (part := _partial(look, table)):
            message = f'"{part}" gives only what is new; without a key its records are added, changed ones once more'
            fix = "write key: COLUMN, or say mode: append where that is meant"
            yield Found(("tables", name), Mistake("no-key", message, fix), "warning", key=True)


def units_without_time(look: Look) -> Iterator[Found]:
    """A column has a unit of time and is no time."""
    for name, table in look.pipeline.tables.items():
        for column, said in table.columns.items():
            if said.unit and said.type != "datetime":
                message = f"a unit is for times that arrive as numbers; this column is {said.type or 'of no type'}"
                path = ("tables", name, "columns", column, "unit")
                yield Found(path, Mistake("unit", message, "write type: datetime, or take unit out"))


def _partial(look: Look, table: Table) -> str | None:
    """The first endpoint of a table that gives only what is new or changed."""
    endpoints: Sequence[tuple[str, Endpoint | None]] = [
        (name, look.pipeline.endpoints.get(name)) for name in table.from_
    ]
    for name, one in endpoints:
        if one and (
            one.incremental
            or any(p.when_changed or any(u.when_changed for u in p.union) for p in one.for_each.values())
        ):
            return name
    return None
