"""The source of the project as the house tests read it: modules, their trees and what they import."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements have statements below them."""


@dataclass(frozen=True)
class Import:
    """One name that a module imports; `target` is dotted and reaches as deep as the statement says."""

    target: str
    line: int
    in_function: bool


@dataclass(frozen=True)
class Module:
    """One Python file, parsed."""

    path: Path
    tree: ast.Module

    @property
    def place(self) -> str:
        """The path from the root of the checkout, as the findings print it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """The dotted name, as an import statement writes it."""
        return self.place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def room(self) -> str:
        """`spec/yamlfile` for engine/spec/yamlfile.py, `parts/auth` for engine/parts/auth/__init__.py."""
        return self.name.removeprefix("engine").lstrip(".").replace(".", "/")

    def lies_in(self, *rooms: str) -> bool:
        """Whether the module is one of the rooms or stands inside one."""
        return any(self.room == room or self.room.startswith(f"{room}/") for room in rooms)

    @cached_property
    def nodes(self) -> tuple[tuple[ast.AST, bool], ...]:
        """All of the tree, each with whether it stands in a function."""
        return tuple(_nodes(self.tree))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """All imports, type-only ones and those inside functions included."""
        return tuple(_imports(self.nodes))


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, bool]]:
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, in_function = waiting.pop()
        yield node, in_function
        below = in_function or isinstance(node, FUNCTIONS)
        waiting += [(child, below) for child in ast.iter_child_nodes(node)]


def _imports(nodes: Iterable[tuple[ast.AST, bool]]) -> Iterator[Import]:
    for node, in_function in nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(alias.name, node.lineno, in_function)
            case ast.ImportFrom(module=module, names=names):
                for alias in names:
                    yield Import(f"{module}.{alias.name}", node.lineno, in_function)


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of the module."""
    waiting: list[ast.AST] = [module.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, FUNCTIONS):
            yield node
        waiting += [child for part in BLOCKS for child in getattr(node, part, ())]


@cache
def modules(folder: str = "engine") -> tuple[Module, ...]:
    """All Python files below a folder of the checkout, sorted by path."""
    return tuple(Module(path, ast.parse(path.read_bytes())) for path in sorted((ROOT / folder).rglob("*.py")))


def dotted(node: ast.expr) -> str:
    """`os.path.join` for the expression that reads so; an empty text for any other."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr) if before := dotted(value):
            return f"{before}.{attr}"
    return ""
