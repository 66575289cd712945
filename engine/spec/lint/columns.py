"""Lints of columns: every rule, step, query and chart is tried on tables without rows, typed as the page declares them.

Polars is loaded only when a page has something to try.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from engine.core import sql
from engine.core.errors import Mistake
from engine.core.kinds import Given, Lookup, Rule, Step, View
from engine.core.order import Circle, ordered
from engine.core.sql import Sql
from engine.spec.lint.charts import wrong_charts
from engine.spec.lint.constants import constants
from engine.spec.lint.look import Found, Look, leaves, missing
from engine.spec.model import RAW, Column, Table
from engine.spec.read import Loc
from engine.spec.yamlfile import Node

if TYPE_CHECKING:
    import polars as pl

Schema = Mapping[str, "pl.DataType"]
T = TypeVar("T")


class Unknown(Exception):
    """Raised where the columns of a table or file cannot be known before a run."""


def wrong_columns(look: Look) -> Iterator[Found]:
    """A column that is not there, or a type that does not fit: in rules, steps, queries, keys and charts."""
    tables = look.pipeline.tables
    if all(surely_suits(look, name) for name in tables):
        yield from wrong_charts(look, {name: declared(table) for name, table in tables.items()})
    else:
        trial = Trial(look, constants(look))
        for name in in_order(look):
            trial.outputs[name] = trial.table(name, look.pipeline.tables[name])
            yield from trial.take()
        yield from wrong_charts(look, trial.outputs)


def surely_suits(look: Look, name: str) -> bool:
    """Whether everything that a table says surely goes with its declared columns, so that nothing need be tried."""
    table = look.pipeline.tables[name]
    worked_out = table.sql or any(column.sql for column in table.columns.values())
    if worked_out or table.where or table.delete_when or table.enrich:
        return False
    types = declared(table)
    return types is None or all(_surely_holds(look, rule, types) for rule in table.validate_)


def _surely_holds(look: Look, rule: Rule, types: Mapping[str, str]) -> bool:
    if not (all(types.values()) and rule.suits(types) and set(rule.uses()) <= set(types)):
        return False
    reference = rule.refers()
    other = look.pipeline.tables.get(reference.table) if reference else None
    if reference is None or other is None:
        return True
    theirs, mine = declared(other), types[reference.column]
    return theirs is not None and mine != "list" and theirs.get(reference.to) == mine


def declared(table: Table) -> Mapping[str, str] | None:
    """The columns of a table that reads them all, with their declared types, empty where there is none."""
    if not table.columns or table.other_columns == "keep":
        return None
    types = {name: column.type or "" for name, column in table.columns.items()}
    return types | ({RAW: "json"} if table.other_columns == "raw" else {})


def wrong_keys(look: Look) -> Iterator[Found]:
    """A key, or the order of deduplicate, names a column that the table does not have."""
    for name, table in look.pipeline.tables.items():
        if not table.columns or table.other_columns == "keep":
            continue
        named: list[tuple[Loc, str]] = [(("tables", name, "key", n), one) for n, one in enumerate(table.key)]
        if table.deduplicate and table.deduplicate.order_by:
            named.append((("tables", name, "deduplicate", "order_by"), table.deduplicate.order_by))
        yield from missing(named, table.columns, f"in {name}")
        for path, one in named:
            if path[2] == "key" and one in table.columns and (kind := table.columns[one].type) in ("list", "json"):
                text = f"the key {one} is of type {kind}: written in another order it is another row"
                yield Found(path, Mistake("key-type", text, "name columns that hold one value each"), "warning")


@dataclass
class Trial:
    """The tables of a page, made one after the other of no rows."""

    look: Look
    constants: Mapping[str, object]
    outputs: dict[str, Schema | None] = field(default_factory=dict)
    """Table -> its columns when all is done; None where they cannot be known."""
    found: list[Found] = field(default_factory=list)
    untyped: set[str] = field(default_factory=set)
    """Tables with a column of no declared type, which here fits everything."""

    def take(self) -> list[Found]:
        """What was found since the last time; of a template in SQL another lint tells."""
        found, self.found = self.found, []
        return [one for one in found if "${" not in self.look.source.document.at(one.path).text]

    def table(self, name: str, table: Table) -> Schema | None:
        """Try everything a table says; gives its columns at the end."""
        columns = self._query(name, table) if table.sql else self._declared(name, table)
        if columns is None:
            return None
        for word, text in (("where", table.where), ("delete_when", table.delete_when)):
            if text:
                self._condition(("tables", name, word), text, columns, name)
        for number, rule in enumerate(table.validate_):
            self._rule(("tables", name, "validate", number, type(rule).word), rule, columns, name)
        after = self._steps(name, table, columns)
        for number, rule in enumerate(table.validate_):
            if after is not None and (says := rule.finished(after)):
                path = ("tables", name, "validate", number, type(rule).word)
                self.found.append(
                    Found(path, Mistake("never-holds", f"this rule never holds: {says}", "drop or rename the column"))
                )
        return after

    def _declared(self, name: str, table: Table) -> Schema | None:
        from engine.core.sql.types import TYPES

        if not table.columns:
            return None
        import polars as pl

        if any(column.type is None and not column.sql for column in table.columns.values()):
            self.untyped.add(name)
        raw = {RAW: TYPES["json"]}
        known = {one: TYPES[column.type] if column.type else pl.Null() for one, column in table.columns.items()}
        read: Schema = {one: kind for one, kind in known.items() if not table.columns[one].sql}
        if table.other_columns == "keep":
            return None
        for one, column in table.columns.items():
            if column.sql:
                known[one] = self._worked_out(("tables", name, "columns", one), column, {**read, **raw}, name)
                read = {**read, one: known[one]}
        return known | (raw if table.other_columns == "raw" else {})

    def _worked_out(self, path: Loc, column: Column, known: Schema, name: str) -> pl.DataType:
        """The type of a column with SQL; the declared one where it cannot be told."""
        import polars as pl

        from engine.core.sql.types import TYPES

        declared = TYPES[column.type] if column.type else None
        assert column.sql
        if name in self.untyped and not self._has_types((*path, "sql"), column.sql, known):
            return declared or pl.Null()
        try:
            return sql.computed({str(path[-1]): (column.sql, declared)}, known, self.constants)[str(path[-1])][1]
        except Mistake as mistake:
            self.found.append(Found((*path, "type" if mistake.code == "column-type" else "sql"), mistake))
            self.untyped.add(name)
            return declared or pl.Null()

    def _query(self, name: str, table: Table) -> Schema | None:
        read = [ref.name for ref in self.look.reads(name)]
        known = {one: columns for one in read if (columns := self.outputs.get(one)) is not None}
        if not read or len(known) < len(set(read)):
            self.untyped.add(name)
            return None
        assert table.sql
        path, text = ("tables", name, "sql"), table.sql
        fewer = {one: with_types(columns) for one, columns in known.items()}
        try:
            columns = self._tried(path, lambda them: sql.query_type(text, them, self.constants), known, fewer)
        except Unknown:
            return None
        except Mistake as mistake:
            self.found.append(Found(path, mistake))
            return None
        if len(with_types(columns)) < len(columns):
            self.untyped.add(name)
        self.found += missing(
            [(("tables", name, "key", n), one) for n, one in enumerate(table.key)], columns, f"in {name}"
        )
        return columns

    def _condition(self, path: Loc, text: Sql, columns: Schema, name: str) -> None:
        import polars as pl

        if name in self.untyped and not self._has_types(path, text, columns):
            return
        try:
            kind = sql.expression(text, columns, self.constants)[1]
        except Mistake as mistake:
            self.found.append(Found(path, mistake))
            return
        if kind != pl.Boolean:
            self.found.append(
                Found(path, Mistake("sql-type", f"{text} is no condition", "write what is true or false for each row"))
            )

    def _has_types(self, path: Loc, text: Sql, columns: Schema) -> bool:
        """Whether the types of all columns that it names are known; what is not there is told."""
        try:
            names = sorted(sql.columns_of(text))
        except Mistake as mistake:
            self.found.append(Found(path, mistake))
            return False
        unknown = list(missing([(path, one) for one in names], columns, "here"))
        self.found += unknown
        return not unknown and self._are_typed(path, names, columns)

    def _are_typed(self, path: Loc, names: Iterable[str], columns: Schema) -> bool:
        if set(names) <= set(with_types(columns)):
            return True
        self._untried(path)
        return False

    def _rule(self, path: Loc, rule: Rule, columns: Schema, name: str) -> None:
        import polars as pl

        try:
            unknown = list(missing([(path, one) for one in rule.uses()], columns, "here"))
            self.found += [replace(one, path=self._spot(path, one.mistake)) for one in unknown]
            fits_all = rule.suits({}) and not rule.refers()
            if unknown or not (fits_all or self._are_typed(path, rule.uses(), columns)):
                return
            view = View(columns, self.constants, datetime(2026, 1, 1, tzinfo=UTC))
            rule.checks(view)
            wanted = rule.totals()
            empty = pl.DataFrame(schema=dict(columns))
            rule.verdict(
                empty.select(one.alias(it) for it, one in wanted.items()).row(0, named=True) if wanted else {}, view
            )
            self._reference(path, rule, columns, name)
        except Mistake as mistake:
            self._blame(path, mistake, rule, columns)

    def _reference(self, path: Loc, rule: Rule, columns: Schema, name: str) -> None:
        import polars as pl

        reference = rule.refers()
        theirs = {**self.outputs, name: columns}.get(reference.table) if reference else None
        if reference is None or theirs is None:
            return
        unknown = list(missing([((*path, "to"), reference.to)], theirs, f"in {reference.table}"))
        self.found += unknown
        mine = columns[reference.column]
        kind = mine.inner if isinstance(mine, pl.List) else mine
        if not unknown and theirs[reference.to] not in (kind, pl.Null):
            message = f"{reference.column} and {reference.table}.{reference.to} are of different types"
            is_list = isinstance(theirs[reference.to], pl.List)
            fix = "refer to a column of one value a row" if is_list else "give both the same type"
            self.found.append(Found(path, Mistake("column-type", message, fix)))

    def _steps(self, name: str, table: Table, columns: Schema) -> Schema | None:
        """The columns behind all steps."""
        for number, step in enumerate(table.enrich):
            path = ("tables", name, "enrich", number, type(step).word)
            try:
                columns = self._tried(path, partial(self._step, step), columns, with_types(columns))
            except Unknown:
                return None
            except Mistake as mistake:
                self._blame(path, mistake, step, columns)
                return None
        return columns

    def _tried(self, path: Loc, make: Callable[[T], Schema], columns: T, typed: T) -> Schema:
        """What is made of these columns; of those without a type it is not known, and noted. Raises Mistake, Unknown.

        A column without a type fits everything here, so only what goes wrong without such columns too is a mistake.
        """
        import polars as pl

        if typed == columns:
            return make(columns)
        made, wrong = _attempt(make, columns)
        sure, also = _attempt(make, typed)
        if wrong and (wrong.code == "unknown-column" or (also and _said(also) == _said(wrong))):
            raise wrong
        if also:
            self._untried(path)
        if wrong:
            raise Unknown
        return {**dict.fromkeys(made, pl.Null()), **sure}

    def _untried(self, path: Loc) -> None:
        """Note what rests on a column without a type."""
        text = "this uses a column without a type, so it is tried only when it runs"
        self.found.append(Found(path, Mistake("untyped", text, "write the type of each column it uses"), "note"))

    def _step(self, step: Step, columns: Schema) -> Schema:
        """The columns behind a step."""
        import polars as pl

        view = View(columns, self.constants, datetime(2026, 1, 1, tzinfo=UTC))
        rows = step.apply(pl.LazyFrame(schema=dict(columns)), Given(view, self._rows, self._file))
        return dict(rows.collect_schema())

    def _rows(self, name: str) -> pl.LazyFrame:
        import polars as pl

        columns = self.outputs.get(name)
        if columns is None or name in self.untyped:
            raise Unknown
        return pl.LazyFrame(schema=dict(columns))

    def _file(self, wanted: Lookup) -> pl.DataFrame:
        import polars as pl

        place = self.look.source.folder / wanted.file
        if place.suffix == ".csv" and place.is_file():
            return pl.read_csv(place, infer_schema=False, n_rows=0)
        if place.suffix == ".parquet" and place.is_file():
            return pl.read_parquet(place, n_rows=0)
        raise Unknown

    # --- where on the page

    def _blame(self, path: Loc, mistake: Mistake, part: Rule | Step, columns: Schema) -> None:
        """Note a mistake of a part at the expression or the name that is to blame."""
        known = dict(columns)
        for place, text in leaves(part, path[:-1]):
            if isinstance(text, Sql):
                try:
                    known[str(place[-1])] = sql.expression(text, known, self.constants)[1]
                except Mistake as same:
                    if str(same) == str(mistake):
                        self.found.append(Found(place, mistake))
                        return
        self.found.append(Found(self._spot(path, mistake), mistake))

    def _spot(self, path: Loc, mistake: Mistake) -> Loc:
        """The place below a path where the name stands that a mistake quotes."""
        quoted = re.search(r'"(.+?)"', str(mistake))
        node = self.look.source.document.at(path)
        return (*path, *(_below(node, quoted[1]) or ())) if quoted else path


def _below(node: Node, name: str) -> Loc | None:
    """The path to the first value, or else key, of this name."""
    children: Mapping[Any, Node] = {}
    if isinstance(node.value, dict):
        children = node.value
    elif isinstance(node.value, list):
        children = dict(enumerate(node.value))
    for step, child in children.items():
        if child.text == name:
            return (step,)
        if (found := _below(child, name)) is not None:
            return (step, *found)
    return (name,) if name in children else None


def with_types(columns: Schema) -> Schema:
    """The columns whose type is known."""
    import polars as pl

    return {name: kind for name, kind in columns.items() if kind != pl.Null}


def _attempt(make: Callable[[T], Schema], columns: T) -> tuple[Schema, Mistake | None]:
    try:
        return make(columns), None
    except Mistake as mistake:
        return {}, mistake


def _said(mistake: Mistake) -> str:
    """What is wrong, without the name that may have been meant."""
    return str(mistake).partition(";")[0]


def in_order(look: Look) -> Sequence[str]:
    """The tables, each behind those it reads; in the page's order where they go in circles."""
    tables = look.pipeline.tables
    try:
        return ordered({name: look.needs(name) for name in tables}, "tables")
    except Circle:
        return list(tables)
