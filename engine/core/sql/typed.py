"""The walk that gives every piece of SQL its type, rewrites what Polars SQL lacks, and names misfits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import NoneType

import polars as pl
from sqlglot import exp

from engine.core.errors import Mistake, nearest
from engine.core.sql import own
from engine.core.sql.functions import AGGREGATE, FUNCTIONS, OWN, WINDOW
from engine.core.sql.scope import TROUBLE, Scope, Source, write
from engine.core.sql.syntax import COMPARISONS, NAMESPACES, VALUES, Page, refuse, show
from engine.core.sql.words import named

BOOLEAN = ("Boolean", "")
SECONDS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
RENAMED = {
    "matches": "regexp_like", "list_contains": "array_contains", "list_length": "array_length",
    "list_join": "array_to_string",
}  # fmt: skip
TYPES = {
    "INT": "BIGINT", "BIGINT": "BIGINT", "SMALLINT": "BIGINT", "DOUBLE": "DOUBLE", "FLOAT": "DOUBLE",
    "DECIMAL": "DOUBLE", "TEXT": "VARCHAR", "VARCHAR": "VARCHAR", "DATE": "DATE", "TIMESTAMP": "TIMESTAMPTZ",
    "TIMESTAMPTZ": "TIMESTAMPTZ", "DATETIME": "TIMESTAMPTZ",
}  # fmt: skip
"""A type as authors write it -> the type of our columns."""


def walk(node: exp.Expr, scope: Scope) -> exp.Expr:
    """The node as Polars takes it; it is changed in place. Raises Mistake."""
    if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
        assert scope.nested is not None
        scope.nested(node, scope)
        return node
    if isinstance(node, exp.Column):
        return _column(node, scope)
    if isinstance(node, exp.In):
        node = _spread(node, scope)
    shown = show(node) if isinstance(node, VALUES) else ""
    for child in list(node.iter_expressions()):
        if (changed := walk(child, scope)) is not child:
            child.replace(changed)
    if isinstance(node, (exp.Where, exp.Having, exp.Qualify)) and _family(scope.try_type(node.this)) not in BOOLEAN:
        raise refuse(node, f"{show(node.this)} is {named(scope.try_type(node.this))}, not a condition")
    changed = _rewrite(node, scope, shown)
    if isinstance(changed, VALUES) and not (isinstance(changed.parent, exp.Window) and changed.arg_key == "this"):
        return _fits(changed, scope, shown)
    return changed


def _column(column: exp.Column, scope: Scope) -> exp.Expr:
    if column.table in NAMESPACES and column.table not in scope.sources:
        name = f"{column.table}.{column.name}"
        if name not in scope.constants:
            raise refuse(column, f'"{name}" is not known{nearest(name, list(scope.constants))}')
        value = scope.constants[name]
        if isinstance(value, (list, tuple)):
            raise refuse(column, f'"{name}" is a list', f"write column IN ({name})")
        return constant(value)
    if isinstance(column.this, exp.Star):
        return column
    scope.find(column)
    return column


def constant(value: object) -> exp.Expr:
    """A value as a typed piece of SQL."""
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, (int, float)):
        return exp.Literal.number(value if isinstance(value, int) else f"{value!r}{'' if 'e' in repr(value) else 'e0'}")
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        text = aware.astimezone(UTC).isoformat(sep=" ")
        return exp.cast(exp.Literal.string(text), "TIMESTAMPTZ")
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "DATE")
    return exp.Literal.string(str(value))


def _spread(node: exp.In, scope: Scope) -> exp.Expr:
    """`team IN (param.teams)` with the values of the list."""
    items = [node.args["field"]] if node.args.get("field") else node.expressions
    spread: list[exp.Expr] = []
    for item in items:
        name = f"{item.table}.{item.name}" if isinstance(item, exp.Column) else ""
        value = scope.constants.get(name)
        spread += [constant(one) for one in value] if isinstance(value, (list, tuple)) else [item]
    if items and not spread:  # an empty list: nothing is in it
        return exp.Boolean(this=False)
    if items:
        node.set("field", None)
        node.set("expressions", spread)
    return node


def _rewrite(node: exp.Expr, scope: Scope, shown: str) -> exp.Expr:
    if isinstance(node, exp.Literal) and not node.is_string and "." in node.name and "e" not in node.name.lower():
        node.set("this", f"{node.name}e0")  # 1.5 alone would be a decimal, and so would all that it meets
    elif isinstance(node, (exp.Cast, exp.TryCast)):
        return _cast(node, scope, shown)
    elif alike := _alike(node):
        _times(alike, scope)
    if isinstance(node, exp.Filter):
        return _filtered(node, scope)
    return _call(node, scope) if isinstance(node, exp.Anonymous) else node


def _alike(node: exp.Expr) -> list[exp.Expr]:
    """The parts of a node that must be of one type, where Polars would convert without a word."""
    if isinstance(node, (*COMPARISONS, exp.Between, exp.In)):
        return [one for one in node.iter_expressions() if not isinstance(one, exp.Query)]
    if isinstance(node, exp.Anonymous) and node.name.lower() in ("coalesce", "ifnull", "nullif", "greatest", "least"):
        return list(node.expressions)
    if isinstance(node, exp.Case):
        default = [node.args["default"]] if node.args.get("default") else []
        return [branch.args["true"] for branch in node.args["ifs"]] + default
    return []


def _family(kind: pl.DataType | None) -> str:
    """What types may be compared: numbers with numbers, dates with datetimes; empty for what fits all."""
    if kind is None or isinstance(kind, pl.Null):
        return ""
    return "time" if isinstance(kind, (pl.Date, pl.Datetime)) else "number" if kind.is_numeric() else str(kind)


def _cast(node: exp.Cast, scope: Scope, shown: str) -> exp.Expr:
    """`TIMESTAMP '2026-01-31'` is a literal; a CAST that one bad row could stop must be a TRY_CAST."""
    wanted = TYPES.get(node.to.sql(dialect=Page).split("(")[0].upper())
    if wanted is None:
        raise refuse(node, f"{show(node.to)} is not a type", f"write one of {', '.join(sorted(set(TYPES.values())))}")
    if _is_text(node.this) and wanted in ("DATE", "TIMESTAMPTZ"):
        return _time(node.this, pl.Date() if wanted == "DATE" else pl.Datetime("us", "UTC"))
    kind = scope.try_type(node.this)
    if wanted in ("DATE", "TIMESTAMPTZ") and not isinstance(kind, (pl.Date, pl.Datetime, pl.Null, NoneType)):
        raise refuse(node, f"{named(kind)} cannot become a time here", "give the column the type date or datetime")
    if not isinstance(node, exp.TryCast) and not _total(kind, wanted):
        mend = f"write TRY_CAST({shown.removeprefix('CAST(')}: null where the value cannot be converted"
        raise refuse(node, "CAST stops the whole run at the first value that cannot be converted", mend)
    node.set("to", exp.DataType.build(wanted))
    return node


def _total(kind: pl.DataType | None, wanted: str) -> bool:
    """Whether every value of a type can be converted."""
    if wanted == "VARCHAR" or isinstance(kind, (pl.Null, pl.Date, pl.Datetime)):
        return True
    whole = kind is not None and (kind.is_integer() or isinstance(kind, pl.Boolean))
    return whole or (kind is not None and kind.is_numeric() and wanted == "DOUBLE")


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _times(sides: list[exp.Expr], scope: Scope) -> None:
    """Text that is compared with a time is read as a time."""
    kinds = [scope.try_type(one) for one in sides if not _is_text(one)]
    time = next((kind for kind in kinds if isinstance(kind, (pl.Date, pl.Datetime))), None)
    for one in sides:
        if time is not None and _is_text(one):
            one.replace(_time(one, time))


def _time(text: exp.Expr, kind: pl.DataType) -> exp.Expr:
    try:
        moment = datetime.fromisoformat(text.name)
    except ValueError:
        raise refuse(text, f"'{text.name}' is not a time", "write '2026-01-31' or '2026-01-31T08:00:00Z'") from None
    if isinstance(kind, pl.Date) and len(text.name) == len("2026-01-31"):
        return constant(moment.date())
    return constant(moment)


def _call(call: exp.Anonymous, scope: Scope) -> exp.Expr:
    name = call.name.lower()
    if name in own.TEXT or name == "date_trunc":
        return _lift(call, scope)
    if name == "date_diff":
        return _date_diff(call, scope)
    if _sums_floats(call, scope) and not isinstance(call.parent, (exp.Window, exp.Filter)):
        return _sum(name, call.expressions[0])
    if name in ("matches", "regexp_like", "regexp_replace", "strftime") and not any(
        map(_is_text, call.expressions[1:2])
    ):
        raise refuse(call, f"the pattern of {name} is not a text in quotes", FUNCTIONS[name])
    call.set("this", RENAMED.get(name, name))
    return call


def _sums_floats(call: exp.Expr, scope: Scope) -> bool:
    if not isinstance(call, exp.Anonymous) or call.name.lower() not in ("sum", "avg") or len(call.expressions) != 1:
        return False
    kind = None if isinstance(call.expressions[0], exp.Distinct) else scope.try_type(call.expressions[0])
    return kind is not None and kind.is_float()


def _sum(name: str, value: exp.Expr) -> exp.Expr:
    """The sum or mean of floats, smallest first: summed in any order, the last digits differ from run to run."""
    ordered = exp.Order(expressions=[exp.Ordered(this=value.copy())])
    values = exp.Anonymous(this="array_agg", expressions=[value.copy(), ordered])
    made = exp.Anonymous(this="array_sum" if name == "sum" else "array_mean", expressions=[values])
    some = exp.GT(this=exp.Anonymous(this="count", expressions=[value.copy()]), expression=constant(0))
    return exp.Case(ifs=[exp.If(this=some, true=made)])


def _filtered(node: exp.Filter, scope: Scope) -> exp.Expr:
    """`sum(x) FILTER (WHERE y)` of floats as the sum of what is x where y."""
    call = node.this
    if not _sums_floats(call, scope) or isinstance(node.parent, exp.Window):
        return node
    chosen = exp.Case(ifs=[exp.If(this=node.expression.this.copy(), true=call.expressions[0].copy())])
    return _sum(call.name.lower(), chosen)


def _date_diff(call: exp.Anonymous, scope: Scope) -> exp.Expr:
    """Whole units between two times, from their microseconds; a float holds them exactly up to 285 years."""
    seconds = SECONDS[own.unit(call, tuple(SECONDS))]
    times = call.expressions[1:]
    if len(times) != 2:
        raise refuse(call, "date_diff is not used so", FUNCTIONS["date_diff"])
    times = [_time(one, pl.Datetime()) if _is_text(one) else one for one in times]
    for one in times:
        kind = scope.try_type(one)
        if kind is not None and not isinstance(kind, (pl.Date, pl.Datetime, pl.Null)):
            raise refuse(call, f"date_diff takes two times, but {show(one)} is {named(kind)}", FUNCTIONS["date_diff"])
    begin, end = (exp.cast(exp.cast(one.copy(), "TIMESTAMPTZ"), "BIGINT") for one in times)
    whole = exp.Div(this=exp.paren(exp.Sub(this=end, expression=begin)), expression=constant(seconds * 1_000_000))
    return exp.TryCast(this=exp.paren(whole, copy=False), to=exp.DataType.build("BIGINT"))


def _lift(call: exp.Anonymous, scope: Scope) -> exp.Expr:
    """The call as a column that is computed beside its source before the SQL runs."""
    argument = call.expressions[-1] if call.expressions else call
    calls = (one for one in argument.find_all(exp.Anonymous) if one is not call)
    if argument.find(exp.Query, exp.Window) or any(one.name.lower() in AGGREGATE | WINDOW for one in calls):
        raise refuse(
            call, f"{call.name} works on the columns of a row, not on an aggregate", "put it inside, or use WITH"
        )
    kind = own.check(call, scope.try_type(argument))
    columns = list(argument.find_all(exp.Column))
    aliases = {scope.find(column)[0] for column in columns} or set(list(scope.sources)[:1])
    if len(aliases) != 1 or aliases == {""} != set(scope.sources):
        raise refuse(
            call, f"{call.name} works on the columns of one table", "compute it in a WITH … AS (SELECT …) first"
        )
    alias = aliases.pop()
    source = _source(scope, alias)
    bare = call.copy()
    for column in bare.find_all(exp.Column):
        column.set("table", None)
    name = bare.sql(dialect=Page, normalize_functions=False)  # the same call is the same column, wherever it stands
    while name in source.columns and name not in source.lifted:
        name += " "
    source.lifted[name] = own.apply(call, pl.sql_expr(write(exp.paren(bare.expressions[-1]))))
    source.columns[name] = kind
    column = exp.column(
        exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True) if alias else None
    )
    column.this.meta["start"] = call.meta.get("start", 0)
    return column


def _source(scope: Scope, alias: str) -> Source:
    if alias in scope.sources:
        return scope.sources[alias]
    assert scope.outer is not None
    return _source(scope.outer, alias)


def _fits(node: exp.Expr, scope: Scope, shown: str) -> exp.Expr:
    """The node, if its parts fit together; small integers are widened, for `length(name) - 5` must be able to be -1."""
    try:
        kind = scope.type_of(node)
    except TROUBLE as error:
        if node.find(exp.Window):  # a window over an aggregate runs in its SELECT only
            return node
        raise _misfit(node, scope, shown, str(error)) from None
    logical = isinstance(node, (exp.And, exp.Or, exp.Not)) or isinstance(node.expression, exp.Boolean)
    parts = list(node.iter_expressions()) if logical else _alike(node)
    families = {_family(scope.try_type(one)) for one in parts} | ({"Boolean"} if logical else set())
    if len(families - {""}) > 1:
        raise _misfit(node, scope, shown, "")
    small = kind is not None and kind.is_integer() and kind != pl.Int64
    whole = isinstance(node.parent, (exp.Window, exp.Filter))
    if small and isinstance(node, (exp.Anonymous, exp.Extract)) and not whole:
        return exp.cast(node.copy(), "BIGINT")
    return node


def _misfit(node: exp.Expr, scope: Scope, shown: str, error: str) -> Mistake:
    if "regex error" in error:
        return refuse(node, f"{shown}: the pattern is not a regular expression")
    parts = [one for one in node.iter_expressions() if isinstance(one, VALUES)]
    types = ", ".join(f"{show(one)} is {named(scope.try_type(one))}" for one in parts)
    word = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    written = next((ours for ours, theirs in RENAMED.items() if theirs == word and ours in OWN), word)
    fix = FUNCTIONS.get(written, "compare and join values of one type; TRY_CAST(… AS …) converts")
    return refuse(node, f"{shown} does not fit: {types}" if types else f"{shown} does not fit", fix)
