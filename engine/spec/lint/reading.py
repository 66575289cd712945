"""Lints of paths: roots that no answer has, headers that are never found, a bare `null`, lists for one value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.core import select
from engine.core.errors import Mistake, nearest
from engine.spec.lint.look import Found, Look
from engine.spec.read import Loc

ANSWER = ("answer", "headers", "status")
PAGE = (*ANSWER, "rows", "last", "link", "window")
SINGLE = ("string", "integer", "float", "boolean", "datetime", "date")
LISTS = ("projection", "filter_projection", "value_projection", "flatten", "multi_select_list")
UNDECODED = ("headers", "status")


def unknown_roots(look: Look) -> Iterator[Found]:
    """Something is read from what an answer does not have there."""
    for path, text, known in _reads(look):
        for root in sorted(select.compile(text).roots - set(known)):
            near = nearest(root, known)
            fits = "answer" in known and root not in (*PAGE, "*") and not near
            fix = f"write answer.{text}" if fits else f"it can start with {', '.join(known)}"
            message = f'this starts with "{root}", which is no part of an answer{near}'
            if root in PAGE:
                message = f'"{root}" is not there yet: this is read {_when(path)}'
            yield Found(path, Mistake("unknown-root", message, fix, offset=max(text.find(root), 0)))


def headers_in_capitals(look: Look) -> Iterator[Found]:
    """A header is read by a name with capitals, which never is there."""
    for path, text, _ in _reads(look):
        for found in select.compile(text).paths:
            if found[:1] == ("headers",) and len(found) > 1 and found[1] != found[1].lower():
                message = f'names of headers are in lower case here, so "{found[1]}" is never found'
                fix = f"""write headers."{found[1].lower()}\""""
                yield Found(path, Mistake("header-name", message, fix, offset=text.find(found[1])))


def nulls_without_backticks(look: Look) -> Iterator[Found]:
    """A comparison with the field `null`: it holds as long as no record has one."""
    for path, text in look.settled:
        if isinstance(text, select.Jmes) and (mistake := select.bare(text, "null")):
            yield Found(path, mistake, "warning")


def lists_as_one_value(look: Look) -> Iterator[Found]:
    """A path that gives a list where the type of its column wants one value: each row that has one is set apart."""
    for name, table in look.pipeline.tables.items():
        for column, said in table.columns.items():
            if said.type in SINGLE and select.compile(said.path).tree["type"] in LISTS:
                text = f"{said.path} gives a list, and {column} is of type {said.type}: each row with one is set apart"
                fix = f"write type: list, or take one of them: {said.path} | [0]"
                yield Found(("tables", name, "columns", column, "path"), Mistake("list", text, fix), "warning")


def _reads(look: Look) -> Iterator[tuple[Loc, select.Jmes, Sequence[str]]]:
    """Each path that is read from an answer as a whole, with what it can start with."""
    for path, text in look.settled:
        if isinstance(text, select.Jmes) and (known := _known(path)):
            yield path, text, known


def _known(path: Loc) -> Sequence[str]:
    """What a path at this place can start with; nothing where it reads a record or the decoded body."""
    if path[:2] == ("connection", "auth"):
        return (*ANSWER, "cookies")
    if path[:2] == ("connection", "learn"):
        return ANSWER
    if path[0] != "endpoints":
        return ()
    if path[2] == "paginate":
        return () if path[-1] == "field" else PAGE
    if path[2:] == ("decode", "by"):
        return UNDECODED
    return ANSWER if path[2] == "job" or (path[2] == "responses" and path[-1] == "until") else ()


def _when(path: Loc) -> str:
    return "before the answer is decoded" if path[-1] == "by" else "before records are looked for"
