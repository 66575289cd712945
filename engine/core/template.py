"""Templates: the texts of a page with `${…}` in them, compiled once and filled without a guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from engine.core.errors import Json, Mistake, nearest
from engine.core.filters import FILTERS, Unwritable, as_json, as_segment, as_text, is_plain, refusal
from engine.core.values import Secret, Spelled

if TYPE_CHECKING:
    from jinja2.nodes import Node
    from jinja2.sandbox import ImmutableSandboxedEnvironment

OPENING = re.compile(r"\$?\$\{")
# Most templates are only a name, or one with a filter: lint reads these without Jinja, whose import costs 0.1 s.
NAME = re.compile(r"\$\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*(\|[^|{}]+)?\}")
STATEMENT = re.compile(r"\{%[-+]?\s*(if|elif|else|for|set|endif|endfor|macro|include|import|extends|block|call)\b")
KEYWORDS = frozenset(("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"))
OPERATORS = ("And", "Or", "Not", "CondExpr", "Concat", "Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Neg", "Pos")
NODES = {"Const", "Name", "Getattr", "Getitem", "Filter", "Compare", "Operand", "Dict", "Pair", "List", *OPERATORS}
# Base64 grows a text by a third each time, and the parser recurses: without limits a line could fill the memory.
LONGEST, MOST_WORDS, MOST_FILTERS, DEEPEST, MOST_PIECES = 2_000, 200, 8, 20, 200


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a template reads; `offset` counts characters from the start of the text."""

    namespace: str
    path: tuple[str, ...]
    offset: int

    def __str__(self) -> str:
        return ".".join((self.namespace, *self.path))


@dataclass(frozen=True, slots=True)
class Expression:
    """One `${…}`: what it reads, and how it is worked out from a scope."""

    offset: int
    references: tuple[Reference, ...]
    evaluate: Callable[[Mapping[str, object]], object]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A text that was read: literal pieces and expressions, in order."""

    pieces: tuple[str | Expression, ...]
    references: tuple[Reference, ...]
    whole: bool
    """The text is one `${…}` and nothing else, so its value keeps its type."""

    @property
    def constant(self) -> bool:
        """The text reads no name: it is the same in every scope."""
        return not self.references


class Template(Spelled):
    """A text with `${…}` as written on a page."""

    says = "a text"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when a `${…}` in the text cannot be compiled."""
        compile(text)


class Token(NamedTuple):
    """One word of an expression, at its offset in the whole text."""

    offset: int
    kind: str
    text: str


@lru_cache(maxsize=4096)
def compile(text: str) -> Compiled:
    """The text, read and checked; raises Mistake where a `${…}` is wrong."""
    pieces: list[str | Expression] = []
    literal, at = "", 0
    while opening := OPENING.search(text, at):
        literal += text[at : opening.start()]
        if opening.group() == "$${":
            literal, at = literal + "${", opening.end()
            continue
        expression, at = _expression(text, opening.start())
        pieces += [literal, expression] if literal else [expression]
        if len(pieces) > MOST_PIECES:
            raise Mistake("template", "this text has too many templates", "make several texts of it", offset=at)
        literal = ""
    literal += text[at:]
    if statement := STATEMENT.search(text):
        fix = "decide with `${'a' if x else 'b'}`, or in SQL"
        raise Mistake("template", "templates have no statements, only ${…}", fix, offset=statement.start())
    pieces += [literal] if literal else []
    expressions = [piece for piece in pieces if isinstance(piece, Expression)]
    references = tuple(reference for expression in expressions for reference in expression.references)
    return Compiled(tuple(pieces), references, whole=len(pieces) == 1 and bool(expressions))


def render(
    text: str, scope: Mapping[str, object], *, where: Literal["text", "path"] = "text", reveal: bool = False
) -> Json:
    """The text filled from `scope`; a text that is one whole template keeps the type of its value.

    In a path every value is percent-encoded. Secrets show as `<secret name>` unless `reveal`. Times become RFC 3339 in
    UTC. Raises Mistake, with the offset, for an unknown name and for a null or a list inside a text.
    """
    compiled = compile(text)
    if reveal:
        read = {reference.namespace for reference in compiled.references}
        scope = {name: _revealed(value) if name in read else value for name, value in scope.items()}
    if compiled.whole and where == "text":
        return _finish(compiled.pieces[0], scope, as_json)
    write = as_segment if where == "path" else as_text
    return "".join([_finish(piece, scope, write) for piece in compiled.pieces])


def check_references(text: str, known: Mapping[str, frozenset[str] | None]) -> Iterator[Mistake]:
    """What is wrong with the names a text reads; `known` lists each namespace's names, None where any may stand."""
    try:
        references = compile(text).references
    except Mistake as mistake:
        yield mistake
        return
    for reference in references:
        if reference.namespace not in known:
            yield _unknown((), reference.namespace, known, reference.offset)
        elif reference.path and (names := known[reference.namespace]) is not None and reference.path[0] not in names:
            yield _unknown((reference.namespace,), reference.path[0], names, reference.offset)


def _finish(piece: str | Expression, scope: Mapping[str, object], write: Callable[[Any], Any]) -> Any:
    """A piece with its value put in; what went wrong is told with the name that is to blame."""
    if isinstance(piece, str):
        return piece
    try:
        return write(piece.evaluate(scope))
    except Mistake as mistake:
        mistake.offset = piece.offset
        raise
    except Unwritable as unwritable:
        raise _blame(piece, scope, unwritable.value) from None


def _blame(piece: Expression, scope: Mapping[str, object], value: object) -> Mistake:
    found = [(reference, _walk(scope, reference)) for reference in piece.references]
    for reference, its_value in found:
        if its_value is value and value is not NOTHING:
            fix = f"write ${{{reference}|{'join' if isinstance(value, list) else 'default'}('…')}}"
            message = f"{reference} is {_kind(value)}, which cannot stand inside a text"
            return Mistake("template", message, "" if isinstance(value, Mapping) else fix, offset=reference.offset)
    for reference, its_value in found:
        if its_value is NOTHING:
            return _missing(scope, reference)
    if value is NOTHING:
        return Mistake("template", "this cannot be worked out from the values it was given", offset=piece.offset)
    message = f"this template gives {_kind(value)}, which cannot stand inside a text"
    return Mistake("template", message, offset=piece.offset)


def _missing(scope: Mapping[str, object], reference: Reference) -> Mistake:
    value: object = scope
    keys, depth = (reference.namespace, *reference.path), 0
    while isinstance(value, Mapping) and keys[depth] in value:
        value, depth = value[keys[depth]], depth + 1
    if isinstance(value, Mapping):
        return _unknown(keys[:depth], keys[depth], value, reference.offset)
    message = f'{".".join(keys[:depth])} is {_kind(value)} and has no "{keys[depth]}"'
    return Mistake("template", message, f"write ${{{reference}|default('…')}}", offset=reference.offset)


def _unknown(before: Sequence[str], key: str, known: Mapping[Any, Any] | frozenset[str], offset: int) -> Mistake:
    names = sorted(str(name) for name in known)
    what = f'{".".join(before)} has no "{key}"' if before else f'there is no "{key}" here'
    fix = f"known are: {', '.join(names[:20])}" if names else ""
    return Mistake("template", what + nearest(key, names), fix, offset=offset)


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "true or false", str: "a text", int: "a number", float: "a number"}
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return names.get(type(value), "nothing that can be written")


def _walk(scope: Mapping[str, object], reference: Reference) -> object:
    """The value of a reference, NOTHING where a key on its way is missing."""
    value: object = scope
    for key in (reference.namespace, *reference.path):
        if not isinstance(value, (dict, Mapping)) or key not in value:  # asking an abstract class takes longer
            return NOTHING
        value = value[key]
    return value


class _Nothing:
    """Stands for a name that has no value."""


NOTHING = _Nothing()


def _revealed(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _revealed(item) for key, item in value.items()}
    return [_revealed(item) for item in value] if isinstance(value, list) else value


def _expression(text: str, start: int) -> tuple[Expression, int]:
    """The expression that opens at `start`, and where it ends."""
    name = NAME.match(text, start)
    if name and name[1].partition(".")[0] not in KEYWORDS and (not name[2] or is_plain(name[0], name[2])):
        namespace, *path = name[1].split(".")
        reference, inner = Reference(namespace, tuple(path), name.start(1)), name[0][2:-1]
        if name[2]:
            return Expression(start, (reference,), lambda scope: _evaluator(inner, start)(scope)), name.end()
        return Expression(start, (reference,), lambda scope: _walk(scope, reference)), name.end()
    tokens = _tokens(text, start)
    _check_tokens(tokens)
    inner = text[tokens[0].offset + 2 : tokens[-1].offset]
    references = tuple(_references(tokens))
    return Expression(start, references, _evaluator(inner, start)), tokens[-1].offset + 1


def _tokens(text: str, start: int) -> list[Token]:
    from jinja2 import TemplateSyntaxError

    tokens, offset = [], start
    # Jinja's lexer counts \r\n as one character; offsets need it to count as two.
    window = text[start : start + LONGEST].replace("\r", " ")
    try:
        for _, kind, word in _environment().lex(window):
            tokens += [Token(offset, kind, word)] if kind != "whitespace" else []
            offset += len(word)
            if kind == "variable_end":
                return tokens
    except TemplateSyntaxError as error:
        position = re.search(r" at (\d+)$", error.message or "")
        at = start + int(position[1]) if position else offset
        message = re.sub(r" at \d+$", "", error.message or "")
        raise Mistake("template", f"cannot read this template: {message}", offset=at) from None
    raise Mistake("template", "this ${ is not closed", "close it with }; a literal ${ is written $${", offset=start)


def _check_tokens(tokens: Sequence[Token]) -> None:
    """Refuse, at its place, what Jinja could do and templates must not."""
    depth = filters = 0
    for place, (offset, kind, word) in enumerate(tokens):
        before = tokens[place - 1]
        depth += (word in "([{") - (word in ")]}") if kind == "operator" else 0
        if kind in ("variable_begin", "variable_end") and word not in ("${", "}"):
            fix = "put a space between the brace and the sign"
            raise Mistake("template", f'"{word}" is not known here', fix, offset=offset)
        if word == "**":
            raise Mistake("template", "templates have no powers", "use a SQL expression", offset=offset)
        if before.text == "|" and kind == "name":
            filters += 1
            if word not in FILTERS:
                fix = f"filters are: {', '.join(FILTERS)}"
                message = f'no filter is called "{word}"{nearest(word, list(FILTERS))}'
                raise Mistake("template", message, fix, offset=offset)
        called = (before.kind in ("name", "string") and before.text not in KEYWORDS) or before.text in (")", "]")
        if kind == "operator" and word == "(" and called and tokens[place - 2].text != "|":
            raise Mistake("template", "templates call nothing", "read values by their names", offset=before.offset)
        if depth > DEEPEST or filters > MOST_FILTERS or place > MOST_WORDS:
            raise Mistake("template", "this template is too long", "decide in SQL or JMESPath instead", offset=offset)


def _references(tokens: Sequence[Token]) -> Iterator[Reference]:
    for place, (offset, kind, word) in enumerate(tokens):
        if kind != "name" or word in KEYWORDS or tokens[place - 1].text in (".", "|"):
            continue
        path, at = list[str](), place + 1
        while (sign := tokens[at].text) in (".", "["):
            key = tokens[at + 1]
            if sign == "." and key.kind == "name":
                path, at = [*path, key.text], at + 2
            elif sign == "[" and key.kind == "string" and tokens[at + 2].text == "]":
                path, at = [*path, key.text[1:-1]], at + 3
            else:
                break
        yield Reference(word, tuple(path), offset)


@lru_cache(maxsize=4096)
def _evaluator(inner: str, offset: int) -> Callable[[Mapping[str, object]], object]:
    """The expression as a function of the scope, compiled by Jinja."""
    from jinja2 import TemplateError, TemplateSyntaxError, Undefined, nodes
    from jinja2.environment import TemplateExpression
    from jinja2.parser import Parser

    environment = _environment()
    try:
        parser = Parser(environment, inner, state="variable")
        tree = nodes.Template([nodes.Output([parser.parse_expression()])], lineno=1)
        if not parser.stream.eos:
            parser.fail(f'"{parser.stream.current.value}" does not belong here')
    except TemplateSyntaxError as error:
        message = f"cannot read this template: {error.message}".replace("end of print statement", "its end")
        raise Mistake("template", message, "write ${namespace.name}, filters after |", offset=offset) from None
    for node in tree.find_all((nodes.Expr, nodes.Helper)):
        if message := _refusal(node):
            raise Mistake("template", message, offset=offset)
        if isinstance(node, nodes.Concat):  # as inside a text: null is refused, true is lower case
            node.nodes = [nodes.Filter(part, " text", [], [], None, None) for part in node.nodes]
        if isinstance(node, nodes.CondExpr) and node.expr2 is None:
            node.expr2 = nodes.Const(None)
    result = nodes.Assign(nodes.Name("result", "store"), tree.body[0].nodes[0], lineno=1)  # type: ignore[attr-defined]
    template = environment.from_string(nodes.Template([result], lineno=1))
    run = TemplateExpression(template, undefined_to_none=False)

    def evaluate(scope: Mapping[str, object]) -> object:
        try:
            value = run(scope)
        except Mistake:
            raise
        except (TemplateError, TypeError, ValueError, ArithmeticError):
            return NOTHING
        return NOTHING if isinstance(value, Undefined) else value

    return evaluate


def _refusal(node: Node) -> str:
    """Why a template may not have this, an empty text where it may."""
    from jinja2 import nodes

    kind = type(node).__name__
    if isinstance(node, nodes.Mul):
        for side in (node.left, node.right):
            if isinstance(side, nodes.List) or (isinstance(side, nodes.Const) and isinstance(side.value, str)):
                return "templates repeat no text and no list"
    if isinstance(node, nodes.Filter) and node.name in FILTERS:
        constants = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
        if len(constants) < len(node.args) or node.kwargs or node.dyn_args or node.dyn_kwargs:
            return f"write {FILTERS[node.name].example}, with nothing but constants"
        return refusal(node.name, constants)
    return "" if kind in NODES else f"templates know names, keys, filters and operators, no {kind.lower()}"


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    """Jinja with nothing in it but our filters, where an attribute is a key and nothing else."""
    from jinja2 import StrictUndefined, Undefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Keys(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"*", "%"})

        def getattr(self, obj: Any, attribute: str) -> Any:
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            if isinstance(obj, Mapping) and isinstance(argument, str) and argument in obj:
                return obj[argument]
            if isinstance(obj, (list, tuple)) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
                return obj[argument]
            return self.undefined(obj=obj, name=argument)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            # `*` repeats a text and `%` formats one, either of them to any length.
            if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
                raise TypeError(operator)
            return super().call_binop(context, operator, left, right)

    environment = Keys(
        variable_start_string="${",
        variable_end_string="}",
        block_start_string="\0%",
        block_end_string="%\0",
        comment_start_string="\0#",
        comment_end_string="#\0",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        cache_size=0,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update({name: filter.apply for name, filter in FILTERS.items()})
    environment.filters[" text"] = as_text
    default = FILTERS["default"].apply
    environment.filters["default"] = lambda value, *other: default(
        None if isinstance(value, Undefined) else value, *other
    )
    return environment
