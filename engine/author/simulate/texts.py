"""Texts that match a simple regular expression."""

from __future__ import annotations

import re
import string
from random import Random
from re import _parser as parser  # type: ignore[attr-defined]  # the standard library's own reader has no public name
from typing import Any

WORDS = string.ascii_lowercase + string.digits
CATEGORIES = {"CATEGORY_DIGIT": string.digits, "CATEGORY_WORD": WORDS, "CATEGORY_SPACE": " "}
ANCHORS = {"AT": ""}
MOST = 8


def matching(regex: str, rng: Random) -> str | None:
    """A text in which the expression is found; None where it is beyond this."""
    try:
        text = _made(parser.parse(regex), rng)
        return text if re.search(regex, text) else None
    except (re.error, KeyError):
        return None


def _made(pieces: Any, rng: Random) -> str:
    return "".join(_piece(str(kind), value, rng) for kind, value in pieces)


def _piece(kind: str, value: Any, rng: Random) -> str:
    if kind == "LITERAL":
        return chr(value)
    if kind in ("ANY", "NOT_LITERAL"):
        return rng.choice(WORDS)
    if kind == "IN":
        return rng.choice(sorted(_members(value)))
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = value
        return "".join(_made(inner, rng) for _ in range(rng.randint(least, max(least, min(int(most), MOST)))))
    if kind == "SUBPATTERN":
        return _made(value[3], rng)
    if kind == "BRANCH":
        return _made(rng.choice(value[1]), rng)
    return ANCHORS[kind]  # a KeyError ends the attempt: look-around and the like are beyond this


def _members(items: Any) -> set[str]:
    found: set[str] = set()
    without = False
    for kind, value in items:
        if str(kind) == "NEGATE":
            without = True
        elif str(kind) == "LITERAL":
            found.add(chr(value))
        elif str(kind) == "RANGE":
            found |= {chr(code) for code in range(value[0], value[1] + 1)}
        else:
            found |= set(CATEGORIES[str(value)])
    return set(WORDS) - found if without else found
