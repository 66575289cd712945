"""A page as a tree: YAML 1.2 with the line and column of everything that stands in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from engine.core.credential import EXPOSED
from engine.core.errors import Finding, Json, Mark, Severity, SpecError
from engine.spec.traps import Report, Trap, explain, quoted

# An alias may stand for a large tree and be repeated; what a page means may not grow without end.
SENT = ("header", "query", "body")  # here `x-` begins names of the vendor's
MOST_NODES, DEEPEST, MOST_FINDINGS = 100_000, 100, 20
BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")  # what YAML counts as the end of a line
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TAG = re.compile(r"(?:&\S+\s+)?(![^\s,\]}]*)")
INK = {
    "'": re.compile(r"(''|\S)"),
    '"': re.compile(r"\\[nrtvfNLP_\s]|(\\(?:x..|u.{4}|U.{8}|.)|\S)", re.DOTALL),
    "": re.compile(r"(\S)"),
}
"""What stands for one visible character, by the quote around it."""
RESOLVERS = {
    "null": (r"~|null|", ["~", "n", ""]),
    "bool": (r"true|false", ["t", "f"]),
    "int": (r"[-+]?[0-9]{1,300}|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}


class SourceInt(int):
    """A whole number that knows how the page wrote it: `08`."""

    text: str

    def __new__(cls, text: str) -> SourceInt:
        number = super().__new__(cls, text, {"0x": 16, "0o": 8}.get(text[:2], 10))
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # for copies: int would give the number
        return (self.text,)


class SourceFloat(float):
    """A number that knows how the page wrote it: `1.10`."""

    text: str

    def __new__(cls, text: str) -> SourceFloat:
        number = super().__new__(cls, re.sub(r"\.(?=[inIN])", "", text))
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # for copies: float would give the number
        return (self.text,)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the page and its place; `text` is a scalar as written, without quotes."""

    value: dict[str, Node] | list[Node] | str | int | float | bool | None
    mark: Mark
    key_mark: Mark | None = None
    text: str = ""
    raw: str = field(default="", repr=False)
    """A scalar with its quotes and line breaks, to find a character of the value in the source."""

    def character(self, offset: int) -> Mark:
        """The place of the character `offset` of a text; of the next visible one where that is a space."""
        before = len(re.sub(r"\s", "", self.text[:offset]))
        start = re.match(r"(?:[&!]\S*\s+)*", self.raw).end()  # type: ignore[union-attr]  # it matches nothing, too
        style = self.raw[start : start + 1]
        if style in ("|", ">"):
            start = self.raw.index("\n", start)
        elif style in ("'", '"'):
            start += 1
        ink = (found.start() for found in INK.get(style, INK[""]).finditer(self.raw, start) if found[1])
        at = next((position for count, position in enumerate(ink) if count == before), len(self.raw))
        lines = BREAK.split(self.raw[:at])
        column = len(lines[-1]) + (self.mark.column if len(lines) == 1 else 1)
        return Mark(self.mark.file, self.mark.line + len(lines) - 1, column)


@dataclass(frozen=True, slots=True)
class Document:
    """A page that was read."""

    file: str
    text: str = field(repr=False)
    root: Node

    def at(self, path: Sequence[str | int]) -> Node:
        """The deepest node that stands on a path: for what is missing, the node it is missing from."""
        node = self.root
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                node = node.value[str(step)]
            elif isinstance(node.value, list) and isinstance(step, int) and 0 <= step < len(node.value):
                node = node.value[step]
            else:
                break
        return node

    def mark(self, path: Sequence[str | int], key: bool = False) -> Mark:
        """The place of a value, or of its key."""
        node = self.at(path)
        return node.key_mark if key and node.key_mark else node.mark

    def source(self, line: int) -> str:
        """A line of the page, counted from 1."""
        return _lines(self.text)[line - 1]

    def plain(self) -> Json:
        """The page as Python values."""
        return plain(self.root)

    def finding(
        self,
        path: Sequence[str | int],
        code: str,
        message: str,
        fix: str = "",
        offset: int = 0,
        key: bool = False,
        level: Severity = "error",
    ) -> Finding:
        """What is wrong at a path; `offset` counts characters into the text that stands there."""
        node = self.at(path)
        mark = node.character(offset) if offset and not key and node.raw else self.mark(path, key)
        return Finding(mark, code, message, fix, level, "" if code == EXPOSED else self.source(mark.line))


def read(path: Path) -> Document:
    """The page in a file; raises SpecError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        mark = Mark(str(path), 1, 1)
        raise _error([Finding(mark, "file", f"cannot be read: {error.strerror}", "look at the path")]) from None
    try:
        return parse(data.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        lines = BREAK.split(data[: error.start].decode("utf-8-sig", "replace"))
        mark = Mark(str(path), len(lines), len(lines[-1]) + 1)
        raise _error([Finding(mark, "yaml", "this is not UTF-8", "save the page as UTF-8")]) from None


def parse(text: str, file: str) -> Document:
    """The page in a text; raises SpecError with everything that was found.

    Keys that start with `x-` are left out, but for those of what is sent. Words such as `on` and dates are text.
    """
    # With a line break at the end every place that the parser names is one of the text.
    text = text.removeprefix("\ufeff") + ("" if BREAK.search(text[-1:]) else "\n")
    if bad := UNPRINTABLE.search(text):
        before = _lines(text[: bad.start()])
        message = f"a character that cannot stand in a page: {bad[0]!a}"
        raise _error([_finding(text, file, Trap(len(before) - 1, len(before[-1]), message, "take it out"))])
    root = _compose(text, file)
    if root is None:
        return Document(file, text, Node(None, Mark(file, 1, 1)))
    builder = _Builder(text, file)
    node = builder.build(root)
    if builder.findings:
        raise _error(builder.findings)
    return Document(file, text, node)


def plain(node: Node) -> Json:
    """A node as Python values; numbers are SourceInt and SourceFloat, which keep their source text."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def merge(base: Node, over: Node) -> Node:
    """`over` laid over `base`: mappings merge at every depth, anything else replaces; each value keeps its place."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(over, value=merged)


class _TooDeep(yaml.MarkedYAMLError):
    """Raised before the parser, which recurses, runs out of stack."""


class _Depth:
    """Counts how deep the parser stands, in the hook that it calls on its way down and up."""

    depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > DEEPEST and parent is not None:
            raise _TooDeep(problem_mark=parent.start_mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def _loader(base: type) -> Any:
    """A loader with the words of YAML 1.2 and nothing of YAML 1.1."""
    loader: Any = type("Loader", (_Depth, base), {"yaml_implicit_resolvers": {}})
    for tag, (pattern, first) in RESOLVERS.items():
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), first)
    return loader


LOADER = _loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _compose(text: str, file: str) -> yaml.Node | None:
    """The nodes of the text; after an error that quotes would mend the rest is read as if they stood there."""
    lines, readable, findings = list(_lines(text)), text, list[Finding]()
    while True:
        try:
            root: yaml.Node | None = LOADER(readable).get_single_node()
        except yaml.MarkedYAMLError as error:
            trap = _trap(error, _lines(text))
            findings.append(_finding(text, file, trap))
            if trap.span is None or len(findings) == MOST_FINDINGS:
                raise _error(findings) from None
            start, end = trap.span
            line = lines[trap.line]
            lines[trap.line] = line[:start] + "x" * (end - start) + line[end:]
            readable = "\n".join(lines)
        else:
            if findings:
                raise _error(findings)
            return root


def _trap(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> Trap:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if isinstance(error, _TooDeep):
        return Trap(line, column, f"this is nested deeper than {DEEPEST} levels", "nest less")
    if "single document" in (error.context or ""):
        return Trap(line, column, "a second document starts here", "one file is one page: take the line --- away")
    if "duplicate anchor" in (error.context or ""):
        return Trap(line, column, "this anchor has the name of another", "give it a name of its own, or quote this")
    since = (error.context_mark.line, error.context_mark.column) if error.context_mark else (line, column)
    return explain(Report(lines, error.context or "", error.problem or "", line, column, since))


class _Builder:
    """Makes our nodes of PyYAML's, each once however many aliases name it, and gathers what is wrong."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.findings: list[Finding] = []
        self.built: dict[int, Node | None] = {}
        self.sizes: dict[int, int] = {}

    def build(self, node: yaml.Node, key_mark: Mark | None = None, key: str = "") -> Node:
        """The node with everything below it; `key` is the one it stands at."""
        mark = Mark(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
        if id(node) in self.built:
            if known := self.built[id(node)]:
                return replace(known, key_mark=key_mark)
            self.wrong(node, "an alias stands inside what it stands for", "write it out")
            return Node(None, mark, key_mark)
        self.built[id(node)] = None
        self.check_tag(node)
        if isinstance(node, yaml.ScalarNode):
            raw = self.text[node.start_mark.index : node.end_mark.index]
            made = Node(self.scalar(node, raw), mark, key_mark, node.value, raw)
        else:
            listed = isinstance(node, yaml.SequenceNode)
            made = Node(
                [self.build(item) for item in node.value] if listed else self.mapping(node, key), mark, key_mark
            )
        self.built[id(node)] = made
        self.measure(node)
        return made

    def measure(self, node: yaml.Node) -> None:
        """Refuse a page whose aliases multiply."""
        parts = [] if isinstance(node, yaml.ScalarNode) else node.value
        below = (pair[1] if isinstance(pair, tuple) else pair for pair in parts)
        self.sizes[id(node)] = size = 1 + sum(self.sizes.get(id(part), 0) for part in below)
        if size > MOST_NODES:
            self.wrong(node, f"with its aliases this holds more than {MOST_NODES} values", "use fewer aliases")
            raise _error(self.findings)

    def mapping(self, node: yaml.Node, at: str) -> dict[str, Node]:
        """The keys of a mapping, those it merges with `<<` behind its own."""
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        first: dict[str, int] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or (not key_node.value and not key_node.style):
                self.wrong(key_node, "a key must be a text", "quote this, or write a key")
                continue
            key, line = key_node.value, key_node.start_mark.line + 1
            self.check_tag(key_node)
            if key in first:
                self.wrong(key_node, f'the key "{key}" stands here and in line {first[key]}', "keep one of the two")
                continue
            first[key] = line
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged = self.merged(value, at)
            elif at in SENT or not key.startswith("x-"):
                own[key] = self.build(value, Mark(self.file, line, key_node.start_mark.column + 1), key)
        return {**merged, **own}

    def merged(self, node: yaml.Node, at: str) -> dict[str, Node]:
        """What `<<` brings: of several mappings the first that has a key."""
        keys: dict[str, Node] = {}
        value = self.build(node, key=at)
        for part in reversed(value.value if isinstance(value.value, list) else [value]):
            if isinstance(part.value, dict):
                keys.update(part.value)
            else:
                self.wrong(node, '"<<" merges mappings only', "write <<: *name, where &name stands at a mapping")
        return keys

    def scalar(self, node: yaml.ScalarNode, raw: str) -> str | int | float | bool | None:
        """The value of a scalar, typed as YAML 1.2 does."""
        text: str = node.value
        kind = node.tag.rpartition(":")[2]
        if node.style in ("|", ">"):
            if not text and raw[1:2].isdigit():  # `when: >5` is an empty text to YAML
                self.wrong(
                    node,
                    f'a value cannot start with "{raw[0]}" unless it is quoted',
                    f"quote this: {quoted(raw.strip())}",
                )
            return text
        if node.style:
            return text
        rest = _lines(self.text)[node.end_mark.line][node.end_mark.column :]
        if "${" in text and text.count("{") > text.count("}") and re.match(r"\s+#", rest):
            fix = f"quote this: {quoted(raw + rest)}"
            self.wrong(node, 'this template is cut at " #", where YAML starts a comment', fix)
        if kind == "null":
            if raw.startswith("&"):
                self.wrong(
                    node, f'"{raw}" is an anchor to YAML and leaves the value empty', f"quote this: {quoted(raw)}"
                )
            return None
        if kind == "bool":
            return text == "true"
        return SourceInt(text) if kind == "int" else SourceFloat(text) if kind == "float" else text

    def check_tag(self, node: yaml.Node) -> None:
        """Refuse a tag: what a value is, the page says by its words."""
        if tag := TAG.match(self.text, node.start_mark.index):
            raw = self.text[tag.start(1) : node.end_mark.index].strip()
            fix = f"quote this: {quoted(raw)}" if isinstance(node, yaml.ScalarNode) else f"take {tag[1]} out"
            self.wrong(node, f'"{tag[1]}" is a tag to YAML, and pages have no tags', fix)

    def wrong(self, node: yaml.Node, message: str, fix: str) -> None:
        """Note what is wrong with a node."""
        trap = Trap(node.start_mark.line, node.start_mark.column, message, fix)
        self.findings.append(_finding(self.text, self.file, trap))


def _finding(text: str, file: str, trap: Trap) -> Finding:
    mark = Mark(file, trap.line + 1, trap.column + 1)
    return Finding(mark, "yaml", trap.message, trap.fix, source=_lines(text)[trap.line])


def _error(findings: Sequence[Finding]) -> SpecError:
    first = findings[0]
    return SpecError(first.message, first.fix, first.mark, findings=tuple(findings))


@lru_cache(maxsize=8)
def _lines(text: str) -> tuple[str, ...]:
    return tuple(BREAK.split(text))
