"""What beginners get wrong in JMESPath, each with its place and its mend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jmespath.exceptions import ParseError
from jmespath.functions import Functions

from engine.core.errors import Mistake, nearest

FUNCTIONS = Functions.FUNCTION_TABLE
COMPARATOR = r"(?:==|!=|<=?|>=?)"
QUOTED = r'"(?:[^"\\]|\\.)*"'
LITERAL = r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`"
NAME_ALONE = rf"(?P<it>{QUOTED})(?!\s*[.\[])"
NAMES_FOR_TEXTS = (
    rf"[^'`\s]\s*{COMPARATOR}\s*{NAME_ALONE}",
    rf"\b(?:contains|starts_with|ends_with)\s*\([^()]*,\s*{NAME_ALONE}\s*\)",
)
NAME_FOR_LITERAL = (
    rf"(?:{COMPARATOR}|\|\||&&)\s*(?P<it>WORD)\b(?!\s*[.\[(])|(?<![\w.\"·])(?P<first>WORD)\s*{COMPARATOR}"
)
CLOSES = {"]": "[", ")": "(", "}": "{"}

# Pattern, what is wrong, how to mend it. The group `it` is what the texts show and where the caret points. They are
# looked for in the order of this list, in a text whose quoted pieces are blanked, once it could not be parsed.
RULES = (
    (
        r"(?P<it>\$\{)",
        "a template cannot stand inside JMESPath",
        "write the path out, or let one whole ${param.name} stand for the expression",
    ),
    (r"(?P<it>\$)", '"$" is JSONPath, not JMESPath', "leave it out: paths start at the document, as in data.items"),
    (r"(?<![=!<>])(?P<it>=)(?!=)", 'one "=" compares nothing', "write == to compare"),
    (
        rf"\[\s*(?P<it>[\w.\"·]+\s*{COMPARATOR})",
        "a filter starts with [?",
        "write [?status=='open']",
    ),
    (
        rf"(?:{COMPARATOR}|\|\||&&)\s*(?P<it>-?\d[\d.]*)(?![\w-])",
        "{it} is no literal here",
        "write a number between backticks: `{it}`",
    ),
    (
        rf"(?<![\w.-])(?P<it>-?\d[\d.]*)\s*{COMPARATOR}",
        "{it} is no literal here",
        "write a number between backticks: `{it}`",
    ),
    (r"\s(?P<it>and)\s", '"and" is not a word of JMESPath', "write &&"),
    (r"\s(?P<it>or)\s", '"or" is not a word of JMESPath', "write ||"),
    (r"(?P<it>\bnot)\s", '"not" is not a word of JMESPath', "write !"),
    (
        r"(?P<it>\b[A-Za-z_]\w*(?:-\w+)+|(?<![\w.])\d+[A-Za-z_-][\w-]*)",
        "the name {it} needs quotes of its own",
        'write "{it}" with its double quotes, and the whole expression in single quotes',
    ),
    (
        r"(?P<it>\.)\s*(?:$|[.\])|&])",
        "a name is missing behind the dot",
        "write the name of a field there, or leave the dot out",
    ),
    (r"(?P<it>\.)\[\s*(?:[?*\]]|-?\d)", "a dot does not stand before this bracket", "leave the dot out: items[0]"),
)


def empty() -> Mistake:
    """The expression is not there."""
    return Mistake("jmespath", "the expression is empty", "write the path of a field, such as data.items")


def without_old_literals(text: str) -> str:
    """The text with 'x' for `x`: an old spelling that many know; the library would take it with a warning."""
    return re.sub(f"{LITERAL}|{QUOTED}", _modern, text)


def _modern(quoted: re.Match[str]) -> str:
    literal, inner = quoted.group(), quoted.group()[1:-1]
    if literal[0] != "`":
        return literal
    try:
        json.loads(inner.replace("\\`", "`"))
    except ValueError:
        if inner.lstrip()[:1] in ("[", "{", '"', ""):
            fix = "write a text in single quotes"
            raise Mistake("jmespath", f"{literal} is no JSON", fix, offset=quoted.start()) from None
        return "'" + inner.replace("'", "\\'") + "'"
    return literal


def explain(text: str, error: ParseError) -> Mistake:
    """What is wrong with a text that cannot be parsed."""
    if not text.strip():
        return empty()
    blank = re.sub(f"{LITERAL}|{QUOTED}", _blanked, text)
    if quote := re.search("['`\"](?!·*['`\"])(?<!·.)", blank):
        fix = f"close it with a second {quote.group()}"
        return Mistake("jmespath", f"the quote {quote.group()} is not closed", fix, offset=quote.start())
    for pattern, message, fix in RULES:
        if found := re.search(pattern, blank):
            it, offset = found.group("it"), found.start("it")
            return Mistake("jmespath", message.format(it=it), fix.replace("{it}", it), offset=offset)
    return _bracket(blank) or _unexpected(text, error)


def check(text: str, tree: Mapping[str, Any]) -> None:
    """Raise Mistake for what can be parsed and yet can never work, or never means what its author meant."""
    for word in ("true", "false"):
        if mistake := bare(text, word):
            raise mistake
    for pattern in NAMES_FOR_TEXTS:
        if found := re.search(pattern, re.sub(f"{LITERAL}|({QUOTED})", _blanked_literal, text)):
            inner = found.group("it")[1:-1]
            raise Mistake(
                "jmespath",
                f'"{inner}" in double quotes is the field of that name, not a text',
                f"write '{inner}' for the text, or @.\"{inner}\" for the field",
                offset=found.start("it"),
            )
    for node, parent in _below(tree):
        if node["type"] == "function_expression":
            _check_call(text, node["value"], len(node["children"]))
        elif node["type"] == "expref" and parent != "function_expression":
            raise Mistake(
                "jmespath", "& stands only before an argument", "as in sort_by(items, &name)", offset=text.index("&")
            )
        elif node["type"] == "slice" and node["children"][2] == 0:
            raise Mistake("jmespath", "a slice cannot go in steps of 0", "leave the step out: items[0:10]")


def bare(text: str, word: str) -> Mistake | None:
    """A literal without its backticks is the field of that name, which hardly any record has."""
    found = re.search(NAME_FOR_LITERAL.replace("WORD", word), re.sub(f"{LITERAL}|{QUOTED}", _blanked, text))
    if found is None:
        return None
    fix = f"write `{word}` with its backticks, or @.{word} for the field"
    message = f"{word} without backticks is the field of that name, not the literal"
    return Mistake("jmespath", message, fix, offset=found.start(found.lastgroup or 0))


def _check_call(text: str, name: str, given: int) -> None:
    place = re.search(rf"\b{name}\s*\(", text)
    offset = place.start() if place else 0
    if name not in FUNCTIONS:
        hint = nearest(name, list(FUNCTIONS)) or f"; there are {', '.join(sorted(FUNCTIONS))}"
        raise Mistake("jmespath", f"no function is called {name}(){hint}", offset=offset)
    signature = FUNCTIONS[name]["signature"]
    many = bool(signature[-1].get("variadic"))
    if given < len(signature) or (given > len(signature) and not many):
        wants = f"{'at least ' if many else ''}{len(signature)} argument{'' if len(signature) == 1 else 's'}"
        raise Mistake("jmespath", f"{name}() takes {wants}, {given} given", offset=offset)


def nodes(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every node of an expression."""
    return (node for node, _ in _below(tree))


def _below(node: Any, parent: str = "") -> Iterator[tuple[Mapping[str, Any], str]]:
    if isinstance(node, Mapping):  # a slice has numbers for children
        yield node, parent
        for child in node.get("children", ()):
            yield from _below(child, node["type"])


def _blanked(quoted: re.Match[str]) -> str:
    text = quoted.group()
    return text[0] + "·" * (len(text) - 2) + text[-1]


def _blanked_literal(quoted: re.Match[str]) -> str:
    return quoted.group() if quoted.group(1) else _blanked(quoted)


def _bracket(blank: str) -> Mistake | None:
    opened: list[tuple[str, int]] = []
    for offset, sign in enumerate(blank):
        if sign in CLOSES.values():
            opened.append((sign, offset))
        elif sign in CLOSES and (not opened or opened.pop()[0] != CLOSES[sign]):
            return Mistake(
                "jmespath", f'"{sign}" closes nothing', f'leave it out, or write "{CLOSES[sign]}"', offset=offset
            )
    if not opened:
        return None
    sign, offset = opened[-1]
    closing = next(close for close, opening in CLOSES.items() if opening == sign)
    return Mistake("jmespath", f'"{sign}" is not closed', f'write "{closing}" where it ends', offset=offset)


def _unexpected(text: str, error: ParseError) -> Mistake:
    offset = min(error.lex_position, len(text))
    if offset == len(text):
        return Mistake("jmespath", "the expression ends too early", "write what belongs behind it", offset=offset)
    fix = "a name needs double quotes of its own when it has other signs than letters, digits and _"
    return Mistake("jmespath", f'"{text[offset:].split()[0]}" cannot stand here', fix, offset=offset)
