"""A JMESPath expression: compiled once, applied to documents, asked what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from jmespath import ast
from jmespath.exceptions import EmptyExpressionError, JMESPathTypeError, ParseError
from jmespath.functions import TYPES_MAP
from jmespath.parser import ParsedResult, Parser
from jmespath.visitor import TreeInterpreter

from engine.core.errors import Json, Mistake
from engine.core.select import mistakes
from engine.core.values import Spelled, param_of

Tree = Any
"""A node as jmespath.py parses it: `type`, `children`, `value`."""

Path = tuple[str, ...]

NAMES = {"array": "list", "boolean": "boolean", "expref": "expression such as &name", "string": "text"}
ORDERINGS = ("lt", "lte", "gt", "gte")


class SelectError(Exception):
    """An expression met a value it cannot work with; the message is for the author of the page."""


class _Parser(Parser):
    """Reads `index[pointer]` besides what the specification knows: the element whose number a field of the root is."""

    _CACHE: ClassVar[dict[str, ParsedResult]] = {}  # the library's own knows no such expressions

    def _token_led_lbracket(self: Any, left: Tree) -> Tree:  # Any: its stubs leave out what a subclass needs
        token = self._lookahead_token(0)
        if not token["type"].endswith("quoted_identifier") or self._lookahead(1) != "rbracket":
            return super()._token_led_lbracket(left)  # type: ignore[misc]  # the same
        self._advance()
        self._advance()
        lookup: Tree = {"type": "lookup", "children": [], "value": token["value"]}
        return ast.index_expression([left, lookup])


class _Interpreter(TreeInterpreter):
    def visit_comparator(self, node: Tree, value: Json) -> Json:
        # The specification gives null where types differ; the library lets Python's TypeError through.
        left, right = (self.visit(child, value) for child in node["children"])
        if node["value"] in ORDERINGS and isinstance(left, str) != isinstance(right, str):
            return None
        return super().visit_comparator(node, value)


class _Rooted(_Interpreter):
    """Knows the document as a whole, which lookups read."""

    def __init__(self, root: Json) -> None:
        super().__init__()
        self.root = root

    def visit_lookup(self, node: Tree, value: Json) -> Json:
        number = self.root.get(node["value"]) if isinstance(self.root, dict) else None
        if not isinstance(value, list) or not isinstance(number, int) or isinstance(number, bool):
            return None
        return value[number] if 0 <= number < len(value) else None


INTERPRETER = _Interpreter()  # keeps nothing of what it visits, so all threads share it


class Jmes(Spelled):
    """A JMESPath expression written on a page, or one whole `${param.name}` that stands for one."""

    says = "a JMESPath expression"
    param: str | None = None
    """The param whose value it is."""

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when the text is no JMESPath."""
        if param_of(text) is None:
            compile(text)

    def filled(self, value: str) -> Jmes:
        """The expression that its param stands for; raises Mistake when that is no JMESPath."""
        compile(value)
        found = Jmes(value)
        found.param = param_of(self)
        return found


@dataclass(frozen=True, eq=False)
class Selection:
    """A compiled expression."""

    text: str
    tree: Tree

    def search(self, document: Json) -> Json:
        """What the expression finds in a document; raises SelectError when it meets what it cannot work with."""
        if self.plain is not None:
            for key in self.plain:
                document = document.get(key) if isinstance(document, dict) else None
            return document
        try:
            return (_Rooted(document) if self.lookups else INTERPRETER).visit(self.tree, document)
        except JMESPathTypeError as error:
            raise SelectError(_needs(error)) from None
        except RecursionError:
            raise SelectError("the value is nested too deeply") from None
        except (ArithmeticError, TypeError, ValueError):
            raise SelectError(f"{self.text} cannot be worked out: it meets values of different kinds") from None

    @cached_property
    def plain(self) -> Path | None:
        """The keys, when it is nothing but field.field.field; `@` has none of them."""
        nodes = [self.tree] if self.tree["type"] != "subexpression" else self.tree["children"]
        if not all(node["type"] in ("field", "current") for node in nodes):
            return None
        return tuple(node["value"] for node in nodes if node["type"] == "field")

    @cached_property
    def lookups(self) -> frozenset[str]:
        """The fields of the root whose values are numbers of elements: `pointer` in `index[pointer]`."""
        return frozenset(node["value"] for node in mistakes.nodes(self.tree) if node["type"] == "lookup")

    @cached_property
    def paths(self) -> frozenset[Path]:
        """The plain paths of the document it reads; a document cut down to these gives the same result."""
        found = _Reads().all(self.tree)
        return frozenset(path for path in found if not any(path[:n] in found for n in range(len(path))))

    @property
    def roots(self) -> frozenset[str]:
        """The top-level fields of the document it reads; "*" stands for the document as a whole."""
        return frozenset(path[0] if path else "*" for path in self.paths)

    @property
    def constant(self) -> bool:
        """It gives the same for every document."""
        return not self.paths


@lru_cache(maxsize=4096)
def compile(text: str) -> Selection:
    """The expression, ready to be applied; raises Mistake with the place when the text is no JMESPath."""
    try:
        tree: Tree = _Parser().parse(mistakes.without_old_literals(text)).parsed
        mistakes.check(text, tree)
    except EmptyExpressionError:
        raise mistakes.empty() from None
    except ParseError as error:
        raise mistakes.explain(text, error) from None
    except RecursionError:
        raise Mistake("jmespath", "the expression is nested too deeply", "split it up") from None
    return Selection(text, tree)


class _Reads:
    """A walk over an expression that notes which places of the document it looks at."""

    def __init__(self) -> None:
        self.found: set[Path] = set()

    def all(self, tree: Tree) -> set[Path]:
        """Every place it reads."""
        self.use(self.follow(tree, ()))
        return self.found

    def use(self, place: Path | None) -> None:
        if place is not None:
            self.found.add(place)

    def follow(self, node: Tree, at: Path | None) -> Path | None:
        """The place whose value the node gives, None when it makes a value of its own; notes what that takes."""
        kind, children = node["type"], node.get("children", ())
        if kind == "field":
            return None if at is None else (*at, node["value"])
        if kind in ("current", "identity"):
            return at
        if kind in ("subexpression", "index_expression", "pipe"):
            for child in children:
                at = self.follow(child, at)
            return at
        if kind.endswith("projection") or kind == "flatten":
            first, *rest = children
            self.use(self.follow(first, at))
            self.inside(rest)
        elif kind == "expref":  # a function applies it to the elements of a list
            self.inside(children)
        elif kind in ("index", "slice", "lookup"):
            self.use(at)
            if kind == "lookup":
                self.use((node["value"],))
        else:
            if kind.startswith("multi_select") and at:
                self.use(at)  # gives null where this is null, so that must stay to be seen
            for child in children:
                self.use(self.follow(child, at))
        return None

    def inside(self, nodes: list[Tree]) -> None:
        """What is applied to the elements of a list names no place of the document."""
        for node in nodes:
            self.follow(node, None)


def _needs(error: JMESPathTypeError) -> str:
    """`contains() needs a list or text, found null`."""
    wanted = " or ".join(dict.fromkeys(_kinds(error.expected_types)))
    found = TYPES_MAP.get(error.actual_type, error.actual_type)
    return f"{error.function_name}() needs {wanted}, found {NAMES.get(found, found)}"


def _kinds(types: Sequence[str]) -> Iterator[str]:
    for kind in types:
        base, _, inner = kind.partition("-")
        name = NAMES.get(base, base)
        article = "" if name == "text" else "an " if name[0] in "aeiou" else "a "
        yield f"{article}{name}" + (f" of {NAMES.get(inner, inner)}s" if inner else "")
