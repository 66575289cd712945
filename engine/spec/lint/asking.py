"""Lints of assumptions, of addresses, and of what keys and modes make of the answers."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core import template
from engine.core.credential import EXPOSED, check_address, has_user
from engine.core.errors import Mistake
from engine.core.wire import below
from engine.spec.collect import METHODS
from engine.spec.lint.look import Found, Look, references_in
from engine.spec.model import Table
from engine.spec.read import Loc


def assumed_endpoints(look: Look) -> Iterator[Found]:
    """Nobody can be sure of an endpoint: no mistake, but whoever reads its tables must know."""
    for name, endpoint in look.pipeline.endpoints.items():
        if endpoint.assumed:
            message = f'"{name}" rests on assumption: {endpoint.assumed}'
            mistake = Mistake("assumed", message, "take assumed out once the vendor has confirmed it")
            yield Found(("endpoints", name, "assumed"), mistake, "note")


def wrong_addresses(look: Look) -> Iterator[Found]:
    """A base address cannot be asked, or an address holds a password; params stand for their defaults."""
    known = _defaults(look)
    for path, text in look.leaves:
        if not isinstance(text, str):
            continue
        names = [one.path[0] for one in references_in(text) if one.namespace == "param" and one.path]
        place = ("params", names[0], "default") if names else path
        try:
            if path[-1] == "base_url" and set(names) <= set(known):
                check_address(str(template.render(text, {"param": known})))
            elif has_user(text) and path[-2:] != ("connection", "proxy"):  # that one was looked at when it was read
                check_address(text)
        except Mistake as mistake:
            if mistake.code in ("address", EXPOSED):  # of names that nobody knows another lint tells
                yield Found(place, mistake)


def wrong_paths(look: Look) -> Iterator[Found]:
    """A path would run into the name of the host; params stand for their defaults."""
    known = _defaults(look)
    for path, text in look.leaves:
        if path[-1] not in METHODS or not isinstance(text, str) or not _asks(path):
            continue
        begins, place, names = text, path, [one.path[:1] for one in references_in(text)]
        try:
            if text.startswith("${"):  # what it begins with only a run knows, or the default of a param
                begins = str(template.render(text, {"param": known}))
                place = ("params", *names[0], "default") if names else path
            below("", begins, begins)
        except Mistake as mistake:
            if mistake.code == "path":  # of names that nobody knows another lint tells
                yield Found(place, mistake)


def _asks(path: Loc) -> bool:
    """Whether a method stands here: of an endpoint, of a step of its job, or of a sign-in."""
    if path[0] == "endpoints":
        return len(path) == 3 or (len(path) == 5 and path[2] == "job")
    return path[:2] == ("connection", "auth") and path[-2] == "login"


def _defaults(look: Look) -> dict[str, str]:
    """Param -> its default, where that is a text without names."""
    defaults = {name: param.default for name, param in look.pipeline.params.items()}
    return {name: value for name, value in defaults.items() if isinstance(value, str) and "${" not in value}


def replaced_by_a_part(look: Look) -> Iterator[Found]:
    """A table in mode replace is fed with nothing but what is new, and would lose the rest."""
    for name, table in look.pipeline.tables.items():
        if table.mode == "replace" and (part := _partial(look, table)):
            message = f'"{part}" gives only what is new, and mode: replace would throw the rest away'
            yield Found(("tables", name, "mode"), Mistake("mode", message, "leave mode out, or write mode: upsert"))


def tables_without_key(look: Look) -> Iterator[Found]:
    """A table that is brought up to date has no key, so that what comes once more stands in it twice."""
    for name, table in look.pipeline.tables.items():
        part = _partial(look, table)
        if table.key or part is None:
            continue
        again = next(((one, why) for one in table.from_ if (why := _comes_again(look, one))), None)
        part, why = again or (part, "a changed record comes once more")
        if table.mode is None:
            message = f'"{part}" gives only what is new, and {why}; without a key it is added again'
            fix = "write key: COLUMN, or mode: append where that is meant"
            yield Found(("tables", name), Mistake("no-key", message, fix), key=True)
        elif table.mode == "append" and again:
            message = f'of "{part}" {why}; without a key it is added again'
            fix = "write key: COLUMN and take mode out"
            yield Found(("tables", name, "mode"), Mistake("no-key", message, fix), "warning")


def units_without_time(look: Look) -> Iterator[Found]:
    """A column has a unit of time and is no time."""
    for name, table in look.pipeline.tables.items():
        for column, said in table.columns.items():
            path = ("tables", name, "columns", column)
            if said.unit and said.type != "datetime":
                message = f"a unit is for times that arrive as numbers; this column is {said.type or 'of no type'}"
                yield Found((*path, "unit"), Mistake("unit", message, "write type: datetime, or take unit out"))
            if said.format and (said.type not in ("datetime", "date") or said.unit):
                message = "a format is for times and dates that come without a unit"
                yield Found((*path, "format"), Mistake("unit", message, "write type: datetime, or take format out"))


def _partial(look: Look, table: Table) -> str | None:
    """The first endpoint of a table that gives only what is new or changed."""
    return next((name for name in table.from_ if look.pipeline.gives_a_part(name)), None)


def _comes_again(look: Look, name: str) -> str:
    """What an endpoint gives a second time, though nothing changed; empty where that is nothing."""
    incremental = look.pipeline.endpoints[name].incremental if name in look.pipeline.endpoints else None
    if incremental and incremental.overlap.seconds:
        return f"what lies in its overlap of {incremental.overlap} comes again in every collection"
    return "the newest record comes again in every collection" if incremental and incremental.field else ""
