"""One SELECT over the page's tables, as a lazy frame; each WITH and each subquery in FROM becomes a frame too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl
from sqlglot import exp

from engine.core.errors import Mistake, nearest
from engine.core.sql import syntax
from engine.core.sql.functions import AGGREGATE, WINDOW
from engine.core.sql.scope import TROUBLE, Scope, Source, sample, settle, write
from engine.core.sql.syntax import refuse, show
from engine.core.sql.typed import walk
from engine.core.sql.words import named as type_named

Tables = Mapping[str, pl.LazyFrame]
EXACT = ("count", "max", "min", "sum")
"""They give the same in whatever order rows come, where they add up no floats."""
TELLING = ("first_value", "lag", "lead", "row_number")
"""Windows that tell rows apart which are equal to their ORDER BY; others do so with ROWS only."""


def types(
    text: str, schemas: Mapping[str, Mapping[str, pl.DataType]], constants: Mapping[str, object]
) -> dict[str, pl.DataType]:
    """The columns of a query, from running it on sample rows. Raises Mistake."""
    tables = {name: sample(schema).lazy() for name, schema in schemas.items()}
    build = Build(constants)
    try:
        return dict(_settled(build.frame(syntax.read_query(text), tables)).collect().schema)
    except TROUBLE as error:
        raise _plain(str(error), text) from None


def run(text: str, tables: Tables, constants: Mapping[str, object]) -> pl.DataFrame:
    """The rows of a query. Raises Mistake.

    Only what groups rows is streamed, and only where their order cannot be seen: threads end in any order.
    """
    tree = syntax.read_query(text)
    build = Build(constants, ties=_breaks_ties(tree))
    try:
        rows = _settled(build.frame(tree, tables, ordered=True))
        return rows.collect(engine="streaming" if build.seen == {"groups"} else "in-memory")
    except TROUBLE:
        read = {name for name, _ in syntax.tables(syntax.read_query(text))}
        types(text, {name: tables[name].collect_schema() for name in read}, constants)  # tells what is wrong with it
        raise


@dataclass
class Build:
    """One query on its way to a frame; every frame it reads is registered under a name of its own."""

    constants: Mapping[str, object]
    ties: bool = False
    """Whether a part may tell rows apart by their order, so that groups, which come in any, must be put into one."""
    registered: dict[str, pl.LazyFrame] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """Whether it groups, and whether the order of rows can be seen: "groups", "order". Its parts share this."""

    def frame(self, tree: exp.Query, known: Tables, *, ordered: bool = False) -> pl.LazyFrame:
        """The frame of a SELECT or of several, joined by UNION and the like; `ordered` leaves no order open."""
        inner = [one for one in tree.find_all(exp.Limit, exp.Offset) if not (ordered and one.parent is tree)]
        outputs = self.body(tree, known, None)
        if inner or any(kind.is_nested() for kind in outputs.values()):
            self.seen.add("order")
        columns = [name for name, kind in outputs.items() if not kind.is_nested()]
        if ordered or tree.args.get("limit") or tree.args.get("offset"):
            order = [exp.column(name, quoted=True) for name in columns]
            tree = tree.order_by(*order, append=True, copy=False) if order else tree
        rows = pl.SQLContext(self.registered).execute(write(tree), eager=False)
        return _steady(rows, columns) if self.ties and not ordered and _groups(tree) else rows

    def body(
        self, tree: exp.Query, known: Tables, outer: Scope | None, *, named: bool = True
    ) -> dict[str, pl.DataType]:
        """Make ready in place what the tree reads and says; gives the columns that come out."""
        known = self.ctes(tree, known)
        if isinstance(tree, exp.SetOperation):
            left = self.body(tree.left, known, outer, named=named)
            _alike(tree, left, self.body(tree.right, known, outer, named=False))
            scope = Scope({"": Source(left)}, self.constants)
            for name in ("order", "limit", "offset"):
                if tree.args.get(name):
                    walk(tree.args[name], scope)
            return left
        if isinstance(tree, exp.Subquery):
            return self.body(tree.this, known, outer, named=named)
        assert isinstance(tree, exp.Select)
        return self.select(tree, known, outer, named=named)

    def ctes(self, tree: exp.Query, known: Tables) -> Tables:
        """The known tables with those of the tree's own WITH."""
        if not (clause := tree.args.get("with_")):
            return known
        tree.set("with_", None)
        for cte in clause.expressions:
            known = {**known, cte.alias: replace(self, registered={}).frame(cte.this, known)}
        return known

    def select(self, select: exp.Select, known: Tables, outer: Scope | None, *, named: bool) -> dict[str, pl.DataType]:
        """One SELECT made ready; gives its columns with their types."""
        places = self.places(select, known)
        sources = {alias: Source(dict(rows.collect_schema())) for alias, (_, rows) in places.items()}
        scope = Scope(sources, self.constants, outer, shared=_shared(select, sources))
        scope.nested = lambda tree, inside: self.nested(tree, known, inside)
        for join in select.args.get("joins") or []:
            if join.args.get("on"):
                walk(join.args["on"], scope)
        if select.args.get("where"):
            walk(select.args["where"], scope)
        _expand(select, scope)
        outputs = _projections(select, scope, named=named)
        scope.outputs.update(outputs)
        for name in ("distinct", "group", "having", "qualify", "order", "limit", "offset"):
            if select.args.get(name):
                walk(select.args[name], scope)
        if select.args.get("group"):
            _order_groups(select)
        self.look(select, scope, outputs)
        for alias, (place, rows) in places.items():
            self.register(place, alias, rows, sources[alias])
        return outputs

    def look(self, select: exp.Select, scope: Scope, outputs: Mapping[str, pl.DataType]) -> None:
        """Note whether a SELECT groups rows, and whether it may give something else where they come in another order.

        Floats count as such: they are added up one after the other, and 0.0 equals -0.0, so that either may stand for
        both in a group, or be the greatest. Subqueries are looked at by themselves.
        """
        every = (one for one in select.find_all(exp.Anonymous) if one.parent_select is select)
        calls = [one for one in every if one.name.lower() in AGGREGATE | WINDOW]
        distinct, group = select.args.get("distinct"), select.args.get("group")
        if calls or distinct or group:
            self.seen.add("groups")
        chosen = [value for one in calls if one.name.lower() != "count" for value in one.expressions]
        kinds = [*map(scope.try_type, [*chosen, *(group.expressions if group else ())]), *outputs.values()]
        if (
            select.find(exp.Window)
            or any(kind is None or kind.is_float() or kind.is_nested() for kind in kinds)
            or any(one.name.lower() not in EXACT for one in calls)
            or (distinct and distinct.args.get("on"))
        ):
            self.seen.add("order")

    def places(self, select: exp.Select, known: Tables) -> dict[str, tuple[exp.Expr, pl.LazyFrame]]:
        """Each name in FROM and JOIN with its place in the tree and its rows."""
        clauses = [one for one in (select.args.get("from_"), *(select.args.get("joins") or [])) if one]
        found: dict[str, tuple[exp.Expr, pl.LazyFrame]] = {}
        for place in (clause.this for clause in clauses):
            alias = place.alias_or_name
            if isinstance(place, exp.Table):
                rows = _table(place, known)
            else:
                rows = replace(self, registered={}).frame(place.this, known)
            if not alias:
                raise refuse(place, "a subquery in FROM needs a name", "write (SELECT …) AS name")
            if alias in found:
                raise refuse(place, f'two tables are called "{alias}" here', "give one of them another name with AS")
            found[alias] = (place, rows)
        return found

    def register(self, place: exp.Expr, alias: str, rows: pl.LazyFrame, source: Source) -> None:
        """Put the rows, with what was lifted, under a fresh name into the tree."""
        for name, one in source.lifted.items():
            rows = rows.with_columns(one.alias(name))
        fresh = f"rows {len(self.registered)}"
        self.registered[fresh] = rows
        place.replace(exp.alias_(exp.Table(this=exp.to_identifier(fresh, quoted=True)), alias, table=True, quoted=True))

    def nested(self, tree: exp.Query, known: Tables, inside: Scope) -> None:
        """A subquery in a condition or a column."""
        holder = tree.parent.parent if isinstance(tree.parent, exp.Subquery) else tree.parent
        one_value = isinstance(tree.parent, exp.Subquery) and not isinstance(holder, (exp.In, exp.Exists))
        if one_value and not _single(tree):
            raise refuse(tree, "this subquery stands for one value, but may give many", "use IN, max(…) or LIMIT 1")
        self.body(tree, known, inside, named=False)


def _breaks_ties(tree: exp.Query) -> bool:
    """Whether a query may give something else where rows that are equal to its ORDER BY come in another order."""
    gathered = (one for one in tree.find_all(exp.Order) if isinstance(one.parent, exp.Anonymous))
    chosen = (one for one in tree.find_all(exp.Distinct) if one.args.get("on"))
    return bool(tree.find(exp.Window) or any(gathered) or any(chosen))


def _order_groups(select: exp.Select) -> None:
    """Put behind the ORDER BY of its windows what a SELECT groups by: groups come in any order."""
    places = {str(place): one.unalias() for place, one in enumerate(select.expressions, 1)}
    keys = [
        places.get(one.name, one) if isinstance(one, exp.Literal) else one for one in select.args["group"].expressions
    ]
    for window in select.find_all(exp.Window):
        name, spec, order = window.this.name.lower(), window.args.get("spec"), window.args.get("order")
        rows = spec is not None and spec.args.get("kind") == "ROWS" and name not in ("rank", "dense_rank")
        if order and (rows or name in TELLING) and window.parent_select is select:
            for key in keys:
                order.append("expressions", exp.Ordered(this=key.copy()))


def _steady(rows: pl.LazyFrame, columns: list[str]) -> pl.LazyFrame:
    """The rows in the order of these columns, by way of Python: a lazy sort is left out where a join comes next."""
    if not columns:
        return rows
    return rows.map_batches(lambda frame: frame.sort(columns), projection_pushdown=False, slice_pushdown=False)


def _groups(tree: exp.Query) -> bool:
    return any(one.args.get("group") or one.args.get("distinct") for one in tree.find_all(exp.Query))


def _table(place: exp.Table, known: Tables) -> pl.LazyFrame:
    name = syntax.table_name(place)
    if name not in known:
        raise refuse(place, f'no table is called "{name}"{nearest(name, list(known))}')
    return known[name]


def _single(tree: exp.Query) -> bool:
    """Whether a subquery gives one row whatever the data."""
    limit = tree.args.get("limit")
    if limit and limit.expression.name == "1":
        return True
    calls = (one.name.lower() for part in tree.selects for one in part.find_all(exp.Anonymous))
    return isinstance(tree, exp.Select) and not tree.args.get("group") and any(name in AGGREGATE for name in calls)


def _shared(select: exp.Select, sources: Mapping[str, Source]) -> frozenset[str]:
    """The columns named by USING. Raises Mistake when a side lacks one."""
    names = [name for join in select.args.get("joins") or [] for name in join.args.get("using") or []]
    for name in names:
        if sum(name.name in source.columns for source in sources.values()) < 2:
            raise refuse(name, f'"{name.name}" is not a column of both tables', "write ON a.x = b.y")
    return frozenset(name.name for name in names)


def _expand(select: exp.Select, scope: Scope) -> None:
    """Write `*` and `t.*` out, so that every column has its name."""
    written: list[exp.Expr] = []
    for one in select.expressions:
        star = one.this if isinstance(one, exp.Column) else one
        if not isinstance(star, exp.Star):
            written.append(one)
            continue
        table = one.args["table"].name if isinstance(one, exp.Column) and one.args.get("table") else None
        if table is not None and table not in scope.sources:
            raise refuse(one, f'no table here is called "{table}"{nearest(table, list(scope.sources))}')
        left_out = {name.name for name in star.args.get("except_") or []}
        written += [column for column in _columns(select, scope, table, one) if column.name not in left_out]
    select.set("expressions", written)


def _columns(select: exp.Select, scope: Scope, table: str | None, star: exp.Expr) -> list[exp.Expr]:
    hidden = {j.this.alias_or_name for j in select.args.get("joins") or [] if j.kind in ("SEMI", "ANTI")}
    found: list[exp.Expr] = []
    for alias in [table] if table is not None else [one for one in scope.sources if one not in hidden]:
        for name in list(scope.sources[alias].columns):
            if name in scope.sources[alias].lifted:
                continue
            if name in scope.shared and table is None:
                if any(column.name == name for column in found):
                    continue
                column = exp.column(exp.to_identifier(name, quoted=True))
            else:
                column = exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))
            column.this.meta["start"] = syntax.start(star)
            found.append(column)
    return found


def _projections(select: exp.Select, scope: Scope, *, named: bool) -> dict[str, pl.DataType]:
    """The columns of a SELECT, each under its name. Raises Mistake when one has no name, or two have the same."""
    outputs: dict[str, pl.DataType] = {}
    for number, one in enumerate(select.expressions):
        place = syntax.start(one)
        value = one.this if isinstance(one, exp.Alias) else one
        name = one.alias_or_name if isinstance(one, (exp.Alias, exp.Column)) else ""
        if isinstance(value, exp.Column) and value.table in syntax.NAMESPACES and not isinstance(one, exp.Alias):
            name = ""
        if not name and named:
            raise refuse(one, f"{show(one)} has no name", f"write {show(one)} AS name")
        name = name or f"column {number}"
        if name in outputs:
            raise Mistake("sql", f'two columns are called "{name}"', "name one of them with AS", offset=place)
        holder = exp.Alias(this=value.copy(), alias=exp.to_identifier(name, quoted=True))
        one.replace(holder)
        made = walk(holder.this, scope)
        if made is not holder.this:
            holder.set("this", made)
        kind = scope.type_of(holder.this) if not holder.find(exp.Window) else None
        outputs[name] = settle(kind, f'"{name}"', place) if kind is not None else pl.Null()
    return outputs


def _alike(tree: exp.SetOperation, left: Mapping[str, pl.DataType], right: Mapping[str, pl.DataType]) -> None:
    """Refuse a UNION of columns that differ in number or type. Raises Mistake."""
    if len(left) != len(right):
        raise refuse(tree.right, f"this SELECT has {len(right)} columns, the one before it {len(left)}")
    for (name, one), other in zip(left.items(), right.values(), strict=True):
        same = type(one) is type(other) or (one.is_numeric() and other.is_numeric())
        if not same and pl.Null not in (one, other):
            words = f'"{name}" is {type_named(one)} in one SELECT and {type_named(other)} in the next'
            raise refuse(tree.right, words, "give both the same type")


def _settled(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with the types that columns of ours have."""
    schema = rows.collect_schema()
    casts = [pl.col(name).cast(to) for name, kind in schema.items() if (to := settle(kind, f'"{name}"')) != kind]
    return rows.with_columns(casts) if casts else rows


def _plain(error: str, text: str) -> Mistake:
    """What Polars could not do, in plain words."""
    if found := re.search(r"'(.+)' should participate in the GROUP BY", error):
        words, fix = "is neither grouped nor aggregated", f"add it to GROUP BY, or write max({found[1]})"
    elif found := re.search(r'unable to find column "(.+?)"', error):
        words, fix = "is not to be had at this place", "behind GROUP BY or DISTINCT only what was selected is left"
    else:
        return Mistake("sql", "this SELECT cannot be run over these tables", "try it in smaller steps with WITH")
    place = re.search(rf"(?<!\w){re.escape(found[1])}(?!\w)", text)
    return Mistake("sql", f'"{found[1]}" {words}', fix, offset=place.start() if place else 0)
