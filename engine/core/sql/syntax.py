"""SQL text to a sqlglot tree that holds only what a page may say, with the place of every name."""

from __future__ import annotations

import logging
import re

from sqlglot import exp, parser
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from engine.core.errors import Mistake, nearest
from engine.core.sql.functions import AGGREGATE, FUNCTIONS, INSTEAD, SCALAR, UNNEST, WINDOW

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements that we then refuse

NAMESPACES = ("param", "run")


class Page(Dialect):
    """SQL as Polars reads it: every function stays the call that was written, and nulls sort as in PostgreSQL."""

    NULL_ORDERING = "nulls_are_large"

    class Parser(parser.Parser):
        """The plain parser without the functions it knows, which it would write back in another spelling."""

        FUNCTIONS = {}  # noqa: RUF012
        NO_PAREN_FUNCTIONS = {}  # noqa: RUF012
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parser.Parser.FUNCTION_PARSERS[name] for name in ("CAST", "TRY_CAST", "EXTRACT")
        }


COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe)
VALUES = (
    *COMPARISONS, *ARITHMETIC, exp.Column, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not,
    exp.Is, exp.In, exp.Between, exp.Like, exp.ILike, exp.Case, exp.Cast, exp.TryCast, exp.Extract, exp.Interval,
    exp.Bracket, exp.Anonymous,
)  # fmt: skip
"""What has a type of its own."""
ROW = (*VALUES, exp.Identifier, exp.If, exp.DataType, exp.DataTypeParam, exp.Var)
FIRST = ("SELECT", "WITH")
SELECT = (
    *ROW, exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order, exp.Ordered,
    exp.Limit, exp.Offset, exp.Distinct, exp.Alias, exp.TableAlias, exp.Table, exp.Subquery, exp.With, exp.CTE,
    exp.Union, exp.Except, exp.Intersect, exp.Star, exp.Filter, exp.Window, exp.WindowSpec, exp.Exists, exp.Tuple,
)  # fmt: skip
CLAUSES: dict[type[exp.Expr], str] = {
    exp.Select: "with_ distinct expressions from_ joins where group having qualify order limit offset",
    exp.Table: "this db alias",
    exp.Star: "except_",
    exp.Join: "this on using side kind",
    exp.Group: "expressions",
    exp.With: "expressions",
    exp.CTE: "this alias",
    exp.TableAlias: "this",
    exp.Window: "this partition_by order spec over",
}
"""Of the richer words, the clauses that are read; any other is refused."""


def start(node: exp.Expr) -> int:
    """Where a node begins in its text: the first place that it or anything below it is known to stand at."""
    places = [place for one in node.walk() if isinstance(place := one.meta.get("start"), int)]
    return min(places, default=0)


def show(node: exp.Expr) -> str:
    """A piece of SQL for a message, cut where it is long."""
    text = node.sql(dialect=Page, comments=False, normalize_functions=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def refuse(node: exp.Expr, message: str, fix: str = "") -> Mistake:
    """The mistake at a node."""
    return Mistake("sql", message, fix, offset=start(node))


def read_expression(text: str) -> exp.Expr:
    """The tree of an expression over one row. Raises Mistake."""
    tree = _one(text, "one expression")
    if isinstance(tree, exp.Query):
        raise Mistake("sql", "a SELECT cannot stand here: this is an expression over the columns of one row")
    if isinstance(tree, exp.Alias):
        raise refuse(tree.args["alias"], f"the expression ends before {show(tree.args['alias'])}; what follows is left")
    for node in tree.walk():
        _allowed(node, ROW, "an expression over one row")
    return tree


def read_query(text: str) -> exp.Query:
    """The tree of one SELECT. Raises Mistake."""
    word = re.match(r"\s*(\w+)", text)
    if word and (near := nearest(word[1].upper(), FIRST)) and word[1].upper() not in FIRST:
        text = f'a query cannot start with "{word[1]}"{near}'
        raise Mistake("sql", text, "write SELECT … FROM …", offset=word.start(1))
    tree = _one(text, "one SELECT")
    if not isinstance(tree, (exp.Select, exp.SetOperation)):
        raise Mistake("sql", "a table's sql is one SELECT and nothing else", "write SELECT … FROM …")
    for node in tree.walk():
        _allowed(node, SELECT, "a SELECT")
        _placed(node)
        _ordered(node)
    return tree


def columns(tree: exp.Expr) -> frozenset[str]:
    """The columns a tree names."""
    return frozenset(one.name for one in tree.find_all(exp.Column) if one.table not in NAMESPACES)


def tables(tree: exp.Query) -> list[tuple[str, int]]:
    """The tables a tree reads with their places, its own WITH names left out."""
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    found = sorted((start(table), table_name(table)) for table in tree.find_all(exp.Table))
    return [(name, offset) for offset, name in found if name not in own]


def table_name(table: exp.Table) -> str:
    """`"42crunch".apis` -> `42crunch.apis`."""
    return ".".join(part.name for part in table.parts)


def _one(text: str, wanted: str) -> exp.Expr:
    """The only statement of a text."""
    try:
        tokens = Page().tokenize(text)
        _no_double_equals(tokens)
        trees = [tree for tree in Page().parser().parse(tokens, text) if tree is not None]
    except TokenError:
        raise Mistake(
            "sql", "a quote is opened and not closed", "a quote inside a text is written twice: 'it''s'"
        ) from None
    except ParseError as error:
        raise _unreadable(text, error) from None
    except RecursionError:
        raise Mistake("sql", "the SQL is nested too deep to be read") from None
    if len(trees) != 1 or isinstance(trees[0], exp.Block):
        second = next((token.start for token in tokens if token.text == ";"), 0)
        raise Mistake("sql", f"write {wanted}, not {len(trees) or 'none'}", "leave the semicolon out", offset=second)
    return trees[0]


def _no_double_equals(tokens: list[Token]) -> None:
    for token in tokens:
        if token.text == "==":
            raise Mistake("sql", "== is no word of SQL", "write one =", offset=token.start)


def _unreadable(text: str, error: ParseError) -> Mistake:
    first = error.errors[0]
    word, line, column = first.get("highlight") or "", first.get("line") or 1, first.get("col") or 1
    before = sum(len(one) + 1 for one in text.split("\n")[: line - 1])
    offset = min(max(before + column - len(word), 0), len(text))
    fix = "write matches(text, 'pattern')" if "~" in word else ""
    return Mistake(
        "sql", f'this cannot be read as SQL at "{word}"' if word else "this SQL is cut off", fix, offset=offset
    )


def _allowed(node: exp.Expr, known: tuple[type[exp.Expr], ...], where: str) -> None:
    """Refuse what no page needs, and all that could reach beyond the page's own tables."""
    if not isinstance(node, known):
        if isinstance(node, (exp.Subquery, exp.Select, exp.Exists)):
            raise refuse(node, f"a subquery cannot stand in {where}", "make a table of it with sql:, and join that")
        if isinstance(node, (exp.Window, exp.Filter)):
            raise refuse(node, f"OVER and FILTER cannot stand in {where}", "make a table of it with sql:")
        if isinstance(node, exp.Lateral):
            raise refuse(node, "LATERAL cannot be used", "write unnest(list) as a column of the SELECT")
        if isinstance(node, exp.Unnest):
            raise refuse(node, "UNNEST cannot stand in FROM", "write unnest(list) as a column of the SELECT")
        raise refuse(node, f'"{show(node)}" cannot stand in {where}')
    if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
        raise refuse(node, f"a SELECT reads tables of the page, not {show(node)}", "collect the data with an endpoint")
    for name, value in node.args.items():
        if value and type(node) in CLAUSES and name not in CLAUSES[type(node)].split():
            raise refuse(node, f"{name.strip('_').replace('_', ' ').upper()} cannot be used in a SELECT of a page")
    if isinstance(node, exp.Anonymous):
        _allowed_call(node, where, query=exp.Select in known)
    if isinstance(node, COMPARISONS[:2]) and isinstance(node.expression, exp.Null):
        word = "IS NULL" if isinstance(node, exp.EQ) else "IS NOT NULL"
        raise refuse(node, "a comparison with null is never true", f"write {show(node.this)} {word}")


def _allowed_call(call: exp.Anonymous, where: str, *, query: bool) -> None:
    name = call.name.lower()
    if name not in FUNCTIONS:
        mend = f"write {INSTEAD[name]}" if name in INSTEAD else ""
        raise refuse(
            call, f'no function is called "{call.name}"' + ("" if mend else nearest(name, list(FUNCTIONS))), mend
        )
    if not query and name not in SCALAR:
        kind = "aggregates" if name in AGGREGATE else "looks at other rows"
        raise refuse(call, f"{name} {kind}, and cannot stand in {where}", "make a table of it with sql:")


def _placed(node: exp.Expr) -> None:
    """Refuse a call at a place where it has no meaning, though the database below would make something of it."""
    if not isinstance(node, exp.Anonymous) or (name := node.name.lower()) in SCALAR:
        return
    if name in UNNEST and not isinstance(node.parent, (exp.Select, exp.Alias)):
        raise refuse(node, "unnest stands alone, as a column of the SELECT", FUNCTIONS[name])
    holder = node.find_ancestor(exp.Where, exp.Join, exp.Group, exp.Query)
    if not isinstance(holder, exp.Query) and holder is not None:
        raise refuse(node, f"{name} cannot stand in {holder.key.upper()}", "write HAVING for groups, QUALIFY for OVER")
    if name in WINDOW and not isinstance(node.parent, exp.Window):
        raise refuse(node, f"{name} needs OVER", FUNCTIONS[name])
    outer = node.find_ancestor(exp.Anonymous, exp.Query)
    if (
        isinstance(outer, exp.Anonymous)
        and outer.name.lower() in AGGREGATE
        and not isinstance(outer.parent, exp.Window)
    ):
        raise refuse(node, f"{outer.name} of {name}: one aggregate cannot stand in another", "use WITH")


def _ordered(node: exp.Expr) -> None:
    """Refuse what would differ from run to run, since rows have no order of their own."""
    if isinstance(node, exp.Window) and node.this.name.lower() in WINDOW and not node.args.get("order"):
        raise refuse(node, f"{node.this.name} needs an order", "write OVER (PARTITION BY … ORDER BY …)")
    gathers = isinstance(node, exp.Anonymous) and node.name.lower() in ("array_agg", "string_agg")
    if gathers and not any(isinstance(one, exp.Order) for one in node.expressions):
        raise refuse(node, f"{node.name} needs an order", FUNCTIONS[node.name.lower()])
    if isinstance(node, exp.Query) and not node.args.get("order"):
        distinct = node.args.get("distinct")
        word = "LIMIT" if node.args.get("limit") or node.args.get("offset") else "DISTINCT ON"
        if word == "LIMIT" or (isinstance(distinct, exp.Distinct) and distinct.args.get("on")):
            raise refuse(node, f"{word} without ORDER BY takes any rows", "add ORDER BY")
