"""The value of a param as its type reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.core.errors import Json, Mistake
from engine.core.values import Duration, Rate
from engine.spec.model import Param


def typed(param: Param, value: Any) -> Json:
    """A param's value as its type says; raises Mistake."""
    text = str(getattr(value, "text", value)).strip() if not isinstance(value, (bool, list)) else value
    if param.type == "list":
        values = value if isinstance(value, list) else str(text).split(param.split)
        return [str(one).strip() for one in values if str(one).strip()]
    return TYPED[param.type](str(text).lower() if isinstance(text, bool) else str(text))


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Mistake("param", f'"{text}" is not a whole number', "write 8") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Mistake("param", f'"{text}" is not a number', "write 0.5") from None


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Mistake("param", f'"{text}" is not true or false', "write true or false")
    return text.lower() == "true"


TYPED: Mapping[str, Callable[[str], Json]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "duration": Duration.read,
    "rate": Rate.read,
    "path": str,
}
