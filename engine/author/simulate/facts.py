"""What the page knows of one value: its type, its values, its bounds, what it refers to, whether it may be missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.author.simulate.form import Form
from engine.author.simulate.judge import Judge
from engine.author.simulate.shape import Shape, Use
from engine.author.simulate.vocabulary import noun
from engine.core.errors import Json
from engine.core.times import TimeFormat

ENOUGH = 3
"""From so many examples on they are taken for all there is."""
GOOD, SOSO, BAD = 10, 5, 2
BAD_WORDS = re.compile(
    r"(?i)severe|critical|high|fail|revoked|inactive|error|disabled|unknown|archived|pending|updating|blocked|expired|"
    r"deleted|not_|major|manual"
)
SOSO_WORDS = re.compile(r"(?i)moderate|medium|warning|draft|extens|configur|none|other|minimal")


@dataclass(frozen=True)
class Facts:
    """What is known of a value."""

    what: str
    """Its name in words, in the singular."""
    aka: tuple[str, ...] = ()
    """What the columns that read it are called."""
    type: str = "string"
    unit: str | None = None
    form: TimeFormat | None = None
    """How a time is written; None for the usual ways."""
    as_text: bool = False
    """A number that goes over the wire as text."""
    values: tuple[str, ...] = ()
    example: Json = None
    low: float | None = None
    high: float | None = None
    regex: str | None = None
    refers: tuple[tuple[str, str], ...] = ()
    """(table, column) where it must be found."""
    needed: bool = False
    alone: tuple[str, str] | None = None
    """(table, column) in which no other row has the same value."""
    key_part: bool = False
    nulls: tuple[str, ...] = ()

    def weights(self) -> list[int]:
        """How often each of its values is seen: what is well is frequent."""
        return [BAD if BAD_WORDS.search(v) else SOSO if SOSO_WORDS.search(v) else GOOD for v in self.values]


def facts(shape: Shape, form: Form, judges: Mapping[str, Judge]) -> Facts:
    """Everything that columns, rules and contracts say of a value."""
    known: dict[str, Any] = {"what": noun(shape.name)}
    known["aka"] = tuple(dict.fromkeys(noun(use.name) for use in shape.uses if noun(use.name) != known["what"]))
    refers: dict[tuple[str, str], None] = {}
    for use in shape.uses:
        _from_column(known, use)
        _from_rules(known, refers, use, judges[use.table])
    _from_schema(known, shape.schema)
    if shape in form.dated and form.endpoint.incremental:
        known["form"] = _form(form.endpoint.incremental.read_format, known)
        known["type"] = "date" if known.get("type") == "date" else "datetime"
    known["refers"] = tuple(refers)
    unfit = form.is_csv and known.get("type", "string") != "string" and "" not in known.get("nulls", ())
    known["needed"] = known.get("needed", False) or unfit or shape in form.needed or shape in form.keys
    if shape in form.keys and "alone" not in known:
        known["alone"] = (form.name, shape.name)
    return Facts(**known)


READS = {
    "datetime": ("iso", "date"),
    "date": ("date", "iso"),
    "integer": ("epoch_s", "epoch_ms"),
    "s": ("epoch_s",),
    "ms": ("epoch_ms",),
}
"""The forms of time that a column reads, by its unit or type."""


def _form(forms: Sequence[TimeFormat], known: Mapping[str, Any]) -> TimeFormat | None:
    """The form that both the page and the column read; None for the usual one."""
    reads = READS.get(known.get("unit") or known.get("type") or "", ())
    wanted = [known["form"]] if "form" in known else map(TimeFormat, reads)
    chosen = next((form for form in wanted if form in forms), forms[0])
    return None if chosen == "iso" else chosen


def _from_column(known: dict[str, Any], use: Use) -> None:
    column = use.column
    kind = column.type or _kind(column.example)
    known.setdefault("type", "string" if kind == "list" else kind)
    if column.unit:
        known.setdefault("unit", column.unit)
    if column.format:
        known.setdefault("form", column.format[0])
    if column.format and "form" not in known:
        known["form"] = None if column.format[0] == "iso" else column.format[0]
    if column.values:
        known.setdefault("values", tuple(column.values))
    example = column.example
    if column.type == "list" and isinstance(example, list):
        if len(example) >= ENOUGH:
            known.setdefault("values", tuple(str(one) for one in example))
        elif example:
            known.setdefault("example", example[0])
    elif example is not None:
        known.setdefault("example", example)
    if column.type in ("integer", "float") and isinstance(example, str):
        known["as_text"] = True


def _kind(example: Json) -> str:
    kinds = {bool: "boolean", int: "integer", float: "float", dict: "json", list: "json"}
    return next((word for kind, word in kinds.items() if isinstance(example, kind)), "string")


def _from_rules(known: dict[str, Any], refers: dict[tuple[str, str], None], use: Use, judge: Judge) -> None:
    for rule in judge.table.validate_:
        if (reference := rule.refers()) and reference.column == use.name:
            refers[reference.table, reference.to] = None
        if getattr(rule, "column", None) != use.name:
            continue
        # What a rule shows of itself under these names is a hint; the judge decides whether a row meets it.
        if values := getattr(rule, "values", None):
            kept = tuple(value for value in known.get("values", values) if value in values)
            known["values"] = kept or tuple(values)
        for end, name in (("low", "min"), ("high", "max")):
            if (bound := _number(getattr(rule, name, None))) is not None:
                known[end] = bound
        if regex := getattr(rule, "regex", None):
            known["regex"] = regex
    if use.name in judge.required():
        known["needed"] = True
    for columns in judge.unique():
        if use.name in columns:
            known["key_part"] = True
        if columns == (use.name,) and not use.nested:
            known["alone"] = (use.table, use.name)
    if judge.table.null_values:
        known["nulls"] = tuple(judge.table.null_values)


def _number(bound: Any) -> float | None:
    try:
        return float(bound)
    except (TypeError, ValueError):
        return None


def _from_schema(known: dict[str, Any], schema: Mapping[str, Json]) -> None:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "enum" in schema and "values" not in known:
        known["values"] = tuple(str(one) for one in schema["enum"] if one is not None)
    if not kinds:
        return
    numbers = {"integer", "number"} & set(kinds)
    known["as_text"] = not numbers and "string" in kinds
    plain = {"integer": "integer", "number": "float", "boolean": "boolean"}
    if "type" not in known:
        known["type"] = next((plain[kind] for kind in kinds if kind in plain), "string")
        if schema.get("format") in ("date-time", "date"):
            known["type"] = {"date-time": "datetime", "date": "date"}[schema["format"]]
    if known["type"] == "string" and "string" not in kinds and numbers:
        known["type"] = plain[sorted(numbers)[0]]
