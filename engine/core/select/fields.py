"""Which fields of a record columns read, and of what shape: merged, as a Polars schema, and guarded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import msgspec

from engine.core.errors import Json
from engine.core.select.expression import SelectError

if TYPE_CHECKING:
    import polars as pl

Leaf: TypeAlias = Literal["text", "open", "string", "number", "integer", "boolean"]
TEXT: Leaf = "text"
"""The shape of one value of any kind: text, number and boolean are all read as text, so that nothing is lost."""
UNREAD: Leaf = "open"
"""The shape of what nobody looks into: whether it is there, or how many there are, is all that counts."""

Shape: TypeAlias = "Leaf | list[Shape] | Mapping[str, Shape]"
"""TEXT, one value presumed of a kind, a list with the shape of its elements, or an object with those of its fields."""

Fields: TypeAlias = Mapping[str, Shape]
"""What is read of a record: `{"id": TEXT, "credentials": [{"status": TEXT}]}`."""


@dataclass(frozen=True)
class Column:
    """An expression over a frame whose columns are the top-level fields of the records."""

    expr: pl.Expr
    fields: Fields
    doubt: pl.Expr | None = None
    """For which records jmespath.py has to be asked: it raises there, or Polars is not exact."""

    @property
    def presumes(self) -> bool:
        """Whether it is only right where the guard finds values of the kinds that it presumes, or is in doubt."""
        return self.doubt is not None or presumes(self.fields)


def presumes(shape: Shape) -> bool:
    """Whether a value is presumed to be of a kind."""
    if isinstance(shape, str):
        return shape not in (TEXT, UNREAD)
    return any(map(presumes, shape if isinstance(shape, list) else shape.values()))


@dataclass(frozen=True)
class Refusal:
    """Why an expression is not translated."""

    reason: str


@dataclass(frozen=True)
class Conflict:
    """Two columns read one field as two different things."""

    path: str
    reason: str


def merge(*many: Fields) -> Fields | Conflict:
    """Everything that is read, or the first field that cannot be read both ways."""
    merged: Fields = {}
    for fields in many:
        both = _both(merged, fields, "")
        if isinstance(both, Conflict):
            return both
        merged = cast(Fields, both)
    return merged


def _both(one: Shape, other: Shape, path: str) -> Shape | Conflict:
    if UNREAD in (one, other):
        return one if other == UNREAD else other
    if isinstance(one, list) and isinstance(other, list):
        element = _both(one[0], other[0], f"{path}[]")
        return element if isinstance(element, Conflict) else [element]
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        fields = dict(one)
        for name, shape in other.items():
            both = _both(fields[name], shape, f"{path}.{name}".lstrip(".")) if name in fields else shape
            if isinstance(both, Conflict):
                return both
            fields[name] = both
        return fields
    if isinstance(one, str) and isinstance(other, str):
        narrow = {one, other} - {TEXT}
        if len(narrow) < 2 or narrow == {"number", "integer"}:
            return "integer" if "integer" in narrow else narrow.pop() if narrow else TEXT
    return Conflict(path, f"{path} is read as {_named(one)} and as {_named(other)}")


def _named(shape: Shape) -> str:
    if isinstance(shape, str):
        return SAID.get(shape, "one value")
    return "a list" if isinstance(shape, list) else "an object"


def schema(fields: Fields) -> dict[str, pl.DataType]:
    """The schema for `pl.read_json`: every single value as String."""
    return {name: _type(shape) for name, shape in fields.items()}


def _type(shape: Shape) -> pl.DataType:
    import polars as pl  # lint does without

    if isinstance(shape, str):
        return pl.String()
    return pl.List(_type(shape[0])) if isinstance(shape, list) else pl.Struct(schema(shape))


KINDS: Mapping[str, Any] = {"string": str, "number": float, "integer": int, "boolean": bool}
SAID = {"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false"}
ANY = str | int | float | bool | None


def guard(fields: Fields, *, whole: bool = False) -> msgspec.json.Decoder[Any] | None:
    """Decodes a JSON array of records, raises msgspec.ValidationError where a value is not of the kind presumed of it.

    So it does where Polars would make a value a list of one. None when Polars itself refuses whatever does not fit: it
    does so for objects, and for lists of objects. The whole guard raises for all that Polars would refuse, too.
    """
    record = _guarded(fields, whole)
    return None if record is None else msgspec.json.Decoder(list[record])  # type: ignore[valid-type]  # made at run time


def guard_of_one(fields: Fields) -> msgspec.json.Decoder[Any]:
    """Decodes one record, raises msgspec.ValidationError where the whole guard does."""
    return msgspec.json.Decoder(_guarded(fields, whole=True))


def _guarded(shape: Shape, whole: bool) -> Any:
    """The type that lets pass what fits a shape, None when there is nothing to guard below it."""
    if isinstance(shape, str):
        return KINDS[shape] | None if shape in KINDS else ANY if whole else None
    if isinstance(shape, list):
        element: Any = _guarded(shape[0], whole)
        if element is None and shape[0] in (TEXT, UNREAD):
            element = msgspec.Raw
        return None if element is None else list[element] | None
    inner = [(name, guarded) for name, one in shape.items() if (guarded := _guarded(one, whole)) is not None]
    if not inner and not whole:
        return None
    slots = [(f"f{number}", guarded, None) for number, (_, guarded) in enumerate(inner)]
    names = {f"f{number}": name for number, (name, _) in enumerate(inner)}
    made: Any = msgspec.defstruct("Guard", slots, rename=names, gc=False)
    return made | None


def spellable(name: str) -> bool:
    """Whether msgspec can look for a key of this name: quotes, backslashes and control characters it cannot."""
    return re.search(r'["\\\x00-\x1f]', name) is None


def leaf_text(value: Json) -> str | None:
    """A value as `pl.read_json` gives it where String is declared; raises SelectError for a list or an object.

    1.10 is `1.1`, 1e5 is `100000`, 1e-7 is `0.0000001`, true is `true`.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        digits = format(Decimal(repr(value)), "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    raise SelectError(f"found {'a list' if isinstance(value, list) else 'an object'} where one value is expected")
