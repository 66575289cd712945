"""Tables of cases in YAML: how settings, columns with types, rows and mistakes are read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from engine.core.clock import read_instant
from engine.core.errors import EngineError, Mistake
from engine.core.kinds import KINDS, Rule, Step, View
from engine.core.registry import Registry
from engine.spec.yamlfile import parse

REGISTRY = Registry({kind: f"engine.parts.{kind}" for kind in KINDS})
CASES = Path(__file__).parents[1] / "cases"
STARTED_AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
CONSTANTS = {"run.started_at": STARTED_AT, "param.least": 3}
READERS = {"datetime": read_instant, "date": date.fromisoformat}
TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "json": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "datetime": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
    "list": pl.List(pl.String()),
}


def cases(kind: str, *, asking: str) -> list[Any]:
    """The cases of all words of a kind that ask for this, named `word: case`."""
    return [
        pytest.param(file.stem, case, id=f"{file.stem}: {case['case']}")
        for file in sorted((CASES / kind).glob("*.yaml"))
        for case in _read(file)
        if asking in case
    ]


@cache
def _read(file: Path) -> Any:
    return parse(file.read_text(), file.name).plain()


def rule(word: str, settings: Any) -> Rule:
    """The rule as a page names it."""
    return TypeAdapter(Rule).validate_python({word: settings}, context={"registry": REGISTRY})


def step(word: str, settings: Any) -> Step:
    """The step as a page names it."""
    return TypeAdapter(Step).validate_python({word: settings}, context={"registry": REGISTRY})


def frame(table: dict[str, Any]) -> pl.DataFrame:
    """`columns: { name: type }` and `rows: [[…]]` as a frame; times and dates are written as texts."""
    schema = {name: _dtype(kind) for name, kind in table["columns"].items()}
    readers = [READERS.get(str(kind), lambda value: value) for kind in table["columns"].values()]
    rows = [
        tuple(None if value is None else read(value) for value, read in zip(row, readers, strict=True))
        for row in table.get("rows", [])
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def view(rows: pl.DataFrame) -> View:
    """What rules and steps may know of these rows."""
    return View(dict(rows.schema), CONSTANTS, STARTED_AT)


def said(raised: BaseException) -> str:
    """What went wrong with a part, for whoever wrote the page."""
    if isinstance(raised, ValidationError):
        return "\n".join(_messages(raised.errors()))
    assert isinstance(raised, Mistake | EngineError)
    return raised.message


def _messages(errors: Any) -> list[str]:
    below = [message for one in errors for message in _messages(one.get("ctx", {}).get("errors", ()))]
    return below + [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors]


def _dtype(kind: Any) -> pl.DataType:
    """`integer`, `{ list: integer }`, `{ object: { token: string } }`."""
    match kind:
        case {"list": inner}:
            return pl.List(_dtype(inner))
        case {"object": fields}:
            return pl.Struct({name: _dtype(inner) for name, inner in fields.items()})
    return TYPES[kind]
