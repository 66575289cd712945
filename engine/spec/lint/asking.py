"""Lints of how the vendor is asked: paging, windows, responses, and what keys and modes make of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from engine.core import select, template
from engine.core.credential import EXPOSED, check_address, has_user
from engine.core.errors import Mistake, nearest
from engine.core.values import Duration
from engine.spec.lint.look import Found, Look, leaves, references_in
from engine.spec.model import Response, Table

READ = ("answer", "headers", "status", "rows", "last", "link", "window")
"""What paginators may read of an answer."""


def assumed_endpoints(look: Look) -> Iterator[Found]:
    """Nobody can be sure of an endpoint: no mistake, but whoever reads its tables must know."""
    for name, endpoint in look.pipeline.endpoints.items():
        if endpoint.assumed:
            message = f'"{name}" rests on assumption: {endpoint.assumed}'
            mistake = Mistake("assumed", message, "take assumed out once the vendor has confirmed it")
            yield Found(("endpoints", name, "assumed"), mistake, "note")


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


def wrong_addresses(look: Look) -> Iterator[Found]:
    """A base address cannot be asked, or an address holds a password; params stand for their defaults."""
    defaults = {name: param.default for name, param in look.pipeline.params.items()}
    known = {name: value for name, value in defaults.items() if isinstance(value, str) and "${" not in value}
    for path, text in look.leaves:
        if not isinstance(text, str):
            continue
        names = [one.path[0] for one in references_in(text) if one.namespace == "param" and one.path]
        place = ("params", names[0], "default") if names else path
        try:
            if path[-1] == "base_url" and set(names) <= set(known):
                check_address(str(template.render(text, {"param": known})))
            elif has_user(text):
                check_address(text)
        except Mistake as mistake:
            if mistake.code in ("address", EXPOSED):  # of names that nobody knows another lint tells
                yield Found(place, mistake)


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
        if not table.key and table.mode == "append":
            how = {one: endpoint.incremental for one, endpoint in look.pipeline.endpoints.items() if one in table.from_}
            for again in (one for one, asked in how.items() if asked and asked.overlap.seconds):
                message = f'"{again}" asks for its overlap once more; without a key those records are added again'
                fix = "write key: COLUMN and take mode out, or take overlap out of incremental"
                yield Found(("tables", name, "mode"), Mistake("no-key", message, fix), "warning")


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
    return next((name for name in table.from_ if look.pipeline.gives_a_part(name)), None)
