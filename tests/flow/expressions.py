"""Random JMESPath expressions out of its grammar, and documents that fit them more or less."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from engine.core.select import compile as compiled

NAMES = ("a", "b", "c", "d", "a", "b", "c", '"é-1"', '"e\u0301"', '"😀"', '"x.y"')
TEXTS = ("x", "y", "é", "e\u0301", "😀", "5", "1.10", "true", "null", "", " x ", "X", "xyz", "[1]")
NUMBERS = (
    *("0", "1", "2", "5", "-1", "5.0", "1.10", "-0.0", "-0", "1e2", "5e-324", "0.1", "123456789.123456789"),
    *("9007199254740991", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "123456789012345678901234567890", "1e22", "-1e-7"),
)
LITERALS = (
    *("9007199254740992", "9007199254740993", "-0.0", '"é"', "[null]"),
    *("null", "true", "false", "0", "1", "5", "2.5", '"x"', "[]", "{}", '["x","y"]', '[1,"x"]', '{"a":1}'),
)
COMPARATORS = ("==", "!=", "==", "!=", "<", "<=", ">", ">=")
TYPES = ("string", "string", "list", "list", "json", "integer", "float", "boolean")
FUNCTIONS: dict[str, str] = {
    **dict.fromkeys(("abs", "ceil", "floor", "to_number", "to_string", "to_array", "type", "length"), "v"),
    **dict.fromkeys(("avg", "sum", "sort", "reverse", "max", "min", "keys", "values", "join_"), "v"),
    **dict.fromkeys(("contains", "starts_with", "ends_with"), "vt"),
    **dict.fromkeys(("sort_by", "max_by", "min_by"), "ve"),
    "not_null": "vv",
    "merge": "vv",
    "map": "ev",
    "join": "tv",
}
COMMON = ("length", "length", "join", "join_", "not_null", "contains", "starts_with", "sort_by", "to_number", "sum")


class Expressions:
    """Makes expressions; each choice is drawn from one source of chance."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def one(self) -> str:
        """An expression of some depth: mostly what pages hold, now and then what nobody writes."""
        depth = self.chance.choice((0, 1, 1, 2, 2, 3))
        return self.any(depth)

    def any(self, depth: int) -> str:
        """Anything that gives a value."""
        kinds: Sequence[tuple[int, Callable[[int], str]]] = (
            (10, self.path),
            (3, self.either),
            (2, self.test),
            (2, self.several),
            (3, self.call),
            (2, self.piped),
            (1, self.literal),
        )
        [made] = self.chance.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
        return made(depth) if depth > 0 else self.path(0)

    def path(self, depth: int) -> str:
        """A name, and what follows it."""
        start = "@" if self.chance.random() < 0.03 else self.name()
        return start + "".join(
            self.step(depth) for _ in range(self.chance.choice((0, 0, 1, 1, 2, 3) if depth else (0, 0, 1)))
        )

    def name(self) -> str:
        return self.chance.choice(NAMES)

    def step(self, depth: int) -> str:
        """What follows a name: a field, an element, a projection, a filter, a selection."""
        draw = self.chance.random()
        if draw < 0.40:
            return f".{self.name()}"
        if draw < 0.50:
            return f"[{self.chance.choice((0, 0, 0, 1, -1, -1, 7, -3))}]"
        if draw < 0.72:
            return self.chance.choice(("[]", "[*]", "[]", f"[].{self.name()}", f"[*].{self.name()}"))
        if draw < 0.78:
            ends = [self.chance.choice(("", "0", "1", "2", "-1", "-2")) for _ in range(2)]
            return f"[{':'.join(ends)}{self.chance.choice(('', '', '', ':2', ':-1'))}]"
        if draw < 0.90:
            return f"[?{self.test(depth - 1)}]"
        if draw < 0.93:
            return f".*{self.chance.choice(('', '', '.' + self.name()))}"
        return "." + self.several(depth - 1)

    def test(self, depth: int) -> str:
        """What is true or false."""
        draw = self.chance.random()
        if draw < 0.6 or depth < 1:
            return f"{self.operand(depth)}{self.chance.choice(COMPARATORS)}{self.operand(depth, likely=0.8)}"
        if draw < 0.7:
            return self.path(depth - 1)
        if draw < 0.8:
            return f"!({self.test(depth - 1)})" if self.chance.random() < 0.5 else f"!{self.name()}"
        sign = self.chance.choice((" && ", " || "))
        return f"({self.test(depth - 1)}{sign}{self.test(depth - 1)})"

    def operand(self, depth: int, likely: float = 0.05) -> str:
        """A side of a comparison; the other side is more likely a literal."""
        if self.chance.random() < likely:
            return self.literal(0)
        return self.chance.choice((self.name(), self.name(), "@", self.path(max(depth - 1, 0))))

    def either(self, depth: int) -> str:
        """One value or the other."""
        sign = self.chance.choice(("||", "||", "&&"))
        other = self.chance.choice((self.any(depth - 1), self.literal(0), self.path(0)))
        text = f"{self.any(depth - 1)} {sign} {other}"
        return f"({text}){self.step(depth - 1)}" if self.chance.random() < 0.3 else text

    def several(self, depth: int) -> str:
        """Several values, as a list or as an object."""
        values = [self.any(depth - 1) for _ in range(self.chance.choice((1, 2, 2, 3)))]
        if self.chance.random() < 0.6:
            return f"[{', '.join(values)}]" + self.chance.choice(("", "", "[]"))
        return "{" + ", ".join(f"{name}: {value}" for name, value in zip("pqr", values, strict=False)) + "}"

    def call(self, depth: int) -> str:
        """A function of arguments that it could take."""
        name = self.chance.choice((*FUNCTIONS, *COMMON))
        takes = FUNCTIONS[name]
        if name == "join_":
            return f"join({self.text()}, [{', '.join(self.any(depth - 1) for _ in range(2))}])"
        return f"{name}({', '.join(self.argument(sign, depth) for sign in takes)})"

    def argument(self, sign: str, depth: int) -> str:
        """A value, a text, or an expression that is handed over."""
        if sign == "e":
            return f"&{self.path(0)}"
        return self.text() if sign == "t" else self.any(depth - 1)

    def piped(self, depth: int) -> str:
        """What the first gives goes into the second."""
        second = self.chance.choice((f"[{self.chance.choice((0, -1, 1))}]", self.any(depth - 1), "[]", "@", "[*]"))
        return f"{self.any(depth - 1)} | {second}"

    def literal(self, depth: int) -> str:
        return self.text() if self.chance.random() < 0.5 else f"`{self.chance.choice(LITERALS)}`"

    def text(self) -> str:
        return f"'{self.chance.choice(TEXTS)}'"


@dataclass
class Hint:
    """What an expression seems to expect of a value; nothing at all where it is only handed on."""

    fields: dict[str, Hint] = field(default_factory=dict)
    element: Hint | None = None


def hint(*texts: str) -> Hint:
    """What expressions seem to expect of a document."""
    whole = Hint()
    for text in texts:
        _walk(compiled(text).tree, whole)
    return whole


def _walk(node: Any, at: Hint) -> Hint:
    """Notes what a node expects of the value it is applied to; gives what is expected of its own."""
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        return at.fields.setdefault(node["value"], Hint())
    if kind in ("current", "identity", "function_expression", "comparator") or "_expression" in kind:
        if kind in ("index_expression", "subexpression"):
            return _chained(children, at)
        found = at
        for child in children:
            found = _walk(child, at)
        return found if kind in ("and_expression", "or_expression") else Hint() if children else at
    if kind in ("index", "slice", "lookup"):
        at.element = at.element or Hint()
        return at.element if kind == "index" else at
    if kind == "pipe":
        return _chained(children, at)
    if kind.endswith("projection") or kind == "flatten":
        source = _walk(children[0], at)
        if kind == "value_projection":
            inner = source.fields.setdefault("k", Hint())
        else:
            source.element = source.element or Hint()
            inner = source if kind == "flatten" else source.element
        for child in children[1:]:
            _walk(child, inner)
        return inner if kind == "flatten" else source
    for child in children:
        if isinstance(child, dict):
            _walk(child, at)
    return Hint()


def _chained(children: Sequence[Any], at: Hint) -> Hint:
    for child in children:
        at = _walk(child, at)
    return at


class Documents:
    """Makes the JSON texts of documents that fit a hint but for a share of their values."""

    def __init__(self, chance: Random, wrong: float, holes: float = 0.1) -> None:
        self.chance, self.wrong, self.holes = chance, wrong, holes
        self.leaf = self.kind()
        """What most single values of one batch are: a field of real records has one kind."""

    def kind(self) -> Callable[[], str]:
        return self.chance.choice((self.text, self.text, self.number, self.small, self.boolean, self.scalar))

    def one(self, expected: Hint) -> str:
        """A document, which is an object."""
        return self.object(expected, 4)

    def fitting(self, expected: Hint, depth: int) -> str:
        """A value that fits, or null, or something else."""
        draw = self.chance.random()
        if draw < self.wrong:
            return self.wild(depth)
        if draw < self.wrong + self.holes:
            return "null"
        if expected.element is not None and depth:
            count = self.chance.choice((0, 1, 2, 3)) if depth > 1 else 1
            return f"[{','.join(self.fitting(expected.element, depth - 1) for _ in range(count))}]"
        return self.object(expected, depth) if expected.fields else self.leaf()

    def object(self, expected: Hint, depth: int) -> str:
        """An object with the fields that are expected and a few others, in any order."""
        inner = [(name, one) for name, one in expected.fields.items() if self.chance.random() >= self.holes]
        other = self.chance.choice("abz")
        inner += [(other, Hint())] if other not in expected.fields and self.chance.random() < 0.2 else []
        self.chance.shuffle(inner)
        pairs = (f"{self.said(name)}:{self.fitting(one, depth - 1)}" for name, one in inner)
        return "{" + ",".join(pairs) + "}"

    def wild(self, depth: int) -> str:
        """Any JSON."""
        draw = self.chance.random()
        if draw < 0.5 or depth < 1:
            return self.scalar()
        many = range(self.chance.choice((0, 0, 1, 2)))
        if draw < 0.75:
            return f"[{','.join(self.wild(depth - 1) for _ in many)}]"
        names = self.chance.sample("abcz", len(many))
        return "{" + ",".join(f'"{name}":{self.wild(depth - 1)}' for name in names) + "}"

    def scalar(self) -> str:
        return self.chance.choice((self.text, self.number, self.boolean, lambda: "null"))()

    def text(self) -> str:
        if self.chance.random() < 0.03:
            return self.chance.choice(('"\\ud800x"', '"\\udc00"', '"\\ud83d\\ude00"', '"a\\u0000b"', '"\\\\ud800"'))
        return self.said(self.chance.choice(TEXTS))

    def said(self, text: str) -> str:
        """The text as JSON, with escapes or without."""
        return json.dumps(text, ensure_ascii=self.chance.random() < 0.3)

    def number(self) -> str:
        return self.chance.choice(NUMBERS) if self.chance.random() > self.wrong / 20 else "1E400"

    def small(self) -> str:
        return self.chance.choice(("0", "1", "2", "5", "7", "-1", "2.5"))

    def boolean(self) -> str:
        return self.chance.choice(("true", "false"))
