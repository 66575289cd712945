"""Our SQL functions that Polars SQL cannot say, as Polars expressions over columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import polars as pl
from sqlglot import exp

from engine.core.errors import Mistake, nearest
from engine.core.sql.functions import FUNCTIONS
from engine.core.sql.syntax import refuse

TRUNCATE = {
    "year": "1y", "quarter": "1q", "month": "1mo", "week": "1w",
    "day": "1d", "hour": "1h", "minute": "1m", "second": "1s",
}  # fmt: skip


def unit(call: exp.Anonymous, known: Sequence[str]) -> str:
    """The unit that a call names first. Raises Mistake."""
    word = call.expressions[0] if call.expressions else call
    if not (isinstance(word, exp.Literal) and word.is_string and word.name.lower() in known):
        guess = nearest(word.name, list(known)) if isinstance(word, exp.Literal) else ""
        raise refuse(word, f"{call.name} needs a quoted unit first, one of {', '.join(known)}{guess}")
    return word.name.lower()


def sha256(text: pl.Expr) -> pl.Expr:
    """The hash of each text as hexadecimal digits."""
    return text.map_batches(
        lambda texts: pl.Series(texts.name, [_digest(one) for one in texts], pl.String),
        return_dtype=pl.String, is_elementwise=True,
    )  # fmt: skip


def _digest(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def host(url: pl.Expr) -> pl.Expr:
    """The host of each URL, or of a bare `host:port`; null where there is none."""
    authority = url.str.strip_chars().str.extract(r"^(?:(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//)?(?:[^/?#@]*@)?([^/?#]+)", 1)
    return authority.str.to_lowercase().str.replace(r":(80|443)?$", "").str.replace(r"\.+(:\d+)?$", "${1}")


def path_template(path: pl.Expr) -> pl.Expr:
    """Each path without query string and last slash, its variables written `{}`."""
    bare = path.str.replace(r"[?#].*$", "").str.replace_all(r"\{[^/{}]*\}", "{}")
    return bare.str.replace_all(r"(^|/):[^/]+", "${1}{}").str.replace(r"(.)/+$", "${1}")


def date_trunc(call: exp.Anonymous, time: pl.Expr) -> pl.Expr:
    """The start of the unit that each time lies in."""
    return time.dt.truncate(TRUNCATE[unit(call, tuple(TRUNCATE))])


TEXT: dict[str, Callable[[pl.Expr], pl.Expr]] = {"sha256": sha256, "host": host, "path_template": path_template}
"""Those that make a text of a text."""


def apply(call: exp.Anonymous, argument: pl.Expr) -> pl.Expr:
    """The call as an expression, its last argument made already."""
    name = call.name.lower()
    return date_trunc(call, argument) if name == "date_trunc" else TEXT[name](argument)


def check(call: exp.Anonymous, kind: pl.DataType | None) -> pl.DataType:
    """The type of a call whose last argument has this type. Raises Mistake."""
    name = call.name.lower()
    if name == "date_trunc":
        unit(call, tuple(TRUNCATE))
    if len(call.expressions) != (2 if name == "date_trunc" else 1):
        raise _misused(call)
    if name == "date_trunc" and isinstance(kind, (pl.Date, pl.Datetime)):
        return kind
    if name in TEXT and isinstance(kind, (pl.String, pl.Null)):
        return pl.String()
    raise _misused(call)


def _misused(call: exp.Anonymous) -> Mistake:
    return refuse(call, f"{call.name} is not used so", FUNCTIONS[call.name.lower()])
