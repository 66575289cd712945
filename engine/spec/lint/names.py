"""Lints of names: endpoints, tables, params and secrets that are not there, that nobody uses, or that go in circles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from engine.core import sql
from engine.core.errors import Mistake, nearest
from engine.core.order import Circle, ordered
from engine.core.settle import ParamTemplate, Settling
from engine.core.template import Template, compile
from engine.core.values import EndpointName, TableName, param_of
from engine.spec.lint.look import Found, Look, is_default
from engine.spec.params import typed
from engine.spec.read import used_styles


def unknown_endpoints(look: Look) -> Iterator[Found]:
    """`from` or `for_each` names an endpoint that the page does not have."""
    known = list(look.pipeline.endpoints)
    for path, name in look.leaves:
        if isinstance(name, EndpointName) and name not in known:
            message = f'no endpoint is called "{name}"{nearest(name, known)}'
            yield Found(path, Mistake("unknown-endpoint", message, f"the endpoints are: {', '.join(known)}"))


def unknown_tables(look: Look) -> Iterator[Found]:
    """A rule, a step, a query or a report names a table that the page does not have."""
    known = look.table_names()
    named = [(path, str(name), 0) for path, name in look.leaves if isinstance(name, TableName)]
    for table in look.pipeline.tables:
        named += [(("tables", table, "sql"), ref.name, ref.offset) for ref in look.reads(table)]
    for path, name, offset in named:
        if name not in known:
            message = f'no table is called "{name}"{nearest(name, known)}'
            yield Found(path, Mistake("unknown-table", message, f"the tables are: {', '.join(known)}", offset=offset))


def unreadable_queries(look: Look) -> Iterator[Found]:
    """The text of a query is not one SELECT of the language."""
    for name, table in look.pipeline.tables.items():
        try:
            sql.tables_of(table.sql) if table.sql else ()
        except Mistake as mistake:
            yield Found(("tables", name, "sql"), mistake)


def unknown_switches(look: Look) -> Iterator[Found]:
    """`skip_unless` names a param that the page does not have."""
    known = list(look.pipeline.params)
    for name, endpoint in look.pipeline.endpoints.items():
        if endpoint.skip_unless and endpoint.skip_unless.param not in known:
            message = f'no param is called "{endpoint.skip_unless.param}"{nearest(endpoint.skip_unless.param, known)}'
            fix = f"the params are: {', '.join(known) or 'none'}"
            yield Found(("endpoints", name, "skip_unless", "param"), Mistake("unknown-param", message, fix))


def parents_that_are_no_list(look: Look) -> Iterator[Found]:
    """An endpoint is repeated for a param that is no list."""
    for path, text in look.leaves:
        name = param_of(text) if isinstance(text, ParamTemplate) and "for_each" in path else None
        param = look.pipeline.params.get(name or "")
        if param and param.type != "list":
            message = f'param "{name}" is of type {param.type}, and an endpoint is repeated for a list'
            yield Found(path, Mistake("param", message, "declare it with type: list, or use it without for_each"))


def wrong_defaults(look: Look) -> Iterator[Found]:
    """The default or example of a param is not of its type."""
    for name, param in look.pipeline.params.items():
        for word, value in (("default", param.default), ("example", param.example)):
            if value is None or (isinstance(value, str) and "${" in value):
                continue
            try:
                typed(param, value)
            except Mistake as mistake:
                fix = (
                    f"{mistake.fix}, or change type: {param.type}"
                    if mistake.fix
                    else f"change it, or type: {param.type}"
                )
                yield Found(("params", name, word), Mistake("param", f'param "{name}": {mistake}', fix))


def wrong_choices(look: Look) -> Iterator[Found]:
    """The default of a param is no option of the choice it makes, or no path where it stands for one."""
    page = look.source.pipeline
    known = {name: one.default for name, one in page.params.items() if one.optional or one.default is not None}
    settling = Settling({name: value for name, value in known.items() if "${" not in str(value)}, choose=False)
    settling.of(page)
    for name, mistake in settling.problems:
        yield Found(("params", name, "default"), mistake)


def circles(look: Look) -> Iterator[Found]:
    """Endpoints, tables or params need each other in a circle."""
    pipeline = look.pipeline
    defaults = {
        name: str(param.default)
        for name, param in pipeline.params.items()
        if is_default(("params", name, "default"), param.default)
    }
    needs: dict[str, Mapping[str, Iterable[str]]] = {
        "endpoints": {name: endpoint.parents for name, endpoint in pipeline.endpoints.items()},
        "tables": {name: look.needs(name) for name in pipeline.tables},
        "params": {name: _params_in(text) for name, text in defaults.items()},
    }
    for section, graph in needs.items():
        try:
            ordered(graph, section)
        except Circle as mistake:
            yield Found((section, mistake.names[0]), mistake, key=True)


def tables_of_their_own(look: Look) -> Iterator[Found]:
    """An endpoint is repeated for the rows of a table that nothing but itself fills."""
    for name, endpoint in look.pipeline.endpoints.items():
        for alias, parent in endpoint.for_each.items():
            table = look.pipeline.tables.get(parent.table or "")
            if table and set(table.from_) == {name}:
                message = f'"{parent.table}" is made of nothing but this endpoint: while it is empty, nobody is asked'
                fix = f"write {{ union: [ENDPOINT, {{ table: {parent.table} }}] }}, or name another table"
                yield Found(("endpoints", name, "for_each", alias, "table"), Mistake("circle", message, fix))


def endpoints_without_table(look: Look) -> Iterator[Found]:
    """No table is made of an endpoint, so that it gets one of its own name."""
    for name in look.pipeline.endpoints:
        if name not in look.pipeline.tables and not look.pipeline.table_of(name):
            message = f'no table is made of "{name}": it gets one of its own name, with all fields as they come'
            fix = f"write tables: {{ {name}: {{ from: {name}, key: …, columns: {{ … }} }} }}"
            yield Found(("endpoints", name), Mistake("no-table", message, fix), "warning", key=True)
        elif name in look.pipeline.tables and not look.pipeline.table_of(name):
            message = f'no table is made of "{name}", and the table of that name is made of something else'
            yield Found(
                ("endpoints", name), Mistake("no-table", message, f"write from: {name} in a table"), "warning", key=True
            )


def unused_params(look: Look) -> Iterator[Found]:
    """Nothing on the page reads a param."""
    read = _named(look, "param") | {
        one.skip_unless.param for one in look.pipeline.endpoints.values() if one.skip_unless
    }
    for _, text in look.leaves:
        read |= set(re.findall(r"\bparam\.(\w+)", text)) if isinstance(text, str) else set()
    yield from _unused(look.pipeline.params, read, "params", "param")


def unused_secrets(look: Look) -> Iterator[Found]:
    """Nothing on the page reads a secret."""
    yield from _unused(look.pipeline.secrets, _named(look, "secret"), "secrets", "secret")


def unused_styles(look: Look) -> Iterator[Found]:
    """No endpoint uses a style."""
    sections = look.source.written.value
    assert isinstance(sections, dict)
    styles, endpoints = (sections[name].value if name in sections else {} for name in ("styles", "endpoints"))
    if isinstance(styles, dict) and isinstance(endpoints, dict):
        told = [one.value.get("use") for one in endpoints.values() if isinstance(one.value, dict)]
        used = {style.value for use in told for style in used_styles(use)}
        for name, node in styles.items():
            if name not in used:
                mistake = Mistake(
                    "unused", f'no endpoint uses the style "{name}"', f"write use: {name}, or take it out"
                )
                yield Found(("styles", name), mistake, "warning", key=True, mark=node.key_mark)


def _unused(declared: Iterable[str], read: set[str], section: str, noun: str) -> Iterator[Found]:
    for name in declared:
        if name not in read:
            mistake = Mistake(
                "unused",
                f'nothing on the page reads the {noun} "{name}"',
                f"write ${{{noun}.{name}}} somewhere, or take it out",
            )
            yield Found((section, name), mistake, "warning", key=True)


def _named(look: Look, namespace: str) -> set[str]:
    return {one.path[0] for _, _, one in look.references if one.namespace == namespace and one.path}


def _params_in(text: str) -> set[str]:
    try:
        return {one.path[0] for one in compile(text).references if one.namespace == "param" and one.path}
    except Mistake:
        return set()


def missing_files(look: Look) -> Iterator[Found]:
    """A contract, a lookup or ca_file names a file that is not beside the page."""
    for path, name in look.leaves:
        named = (path[0] == "tables" and path[-1] == "file") or path[-1] == "ca_file"
        if not named or not isinstance(name, Template) or not compile(name).constant:
            continue
        place = look.source.folder / name
        if not place.is_file():
            there = sorted(one.name for one in place.parent.glob(f"*{place.suffix}")) if place.parent.is_dir() else []
            message = f"there is no file {name} beside the page{nearest(place.name, there)}"
            yield Found(path, Mistake("no-file", message, f"put it at {place}, or correct the path"))
