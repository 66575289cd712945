"""What a syntax error of YAML means in an author's words, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

KEY = re.compile(r"""\s*(?:-\s+)*(?:"[^"]*"\s*|'[^']*'\s*|[^\s#"'{\[][^:#]*):\s+(?=\S)""")
TIGHT_KEY = re.compile(r"\s*(?:-\s+)*[\w.-]+:(?=\S)")
FIRST = "@`%*&!|>?]},"
"""Characters that mean something to YAML at the start of a value."""


@dataclass(frozen=True, slots=True)
class Trap:
    """What is wrong, at a line and column counted from 0; `span` are the columns of what stands unquoted, if known."""

    line: int
    column: int
    message: str
    fix: str = ""
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A syntax error as the parser tells it: what it did, what it met, and where it began and stopped."""

    lines: Sequence[str]
    context: str
    problem: str
    line: int
    column: int
    since: tuple[int, int]

    @property
    def text(self) -> str:
        """The line where the parser stopped."""
        return self.lines[self.line]

    @property
    def char(self) -> str:
        """The character where the parser stopped."""
        return self.text[self.column : self.column + 1]

    @property
    def previous(self) -> int:
        """The number of the line before that says something, -1 if none does."""
        said = (n for n in range(self.line - 1, -1, -1) if self.lines[n].split("#")[0].strip())
        return next(said, -1)


def explain(report: Report) -> Trap:
    """The error in an author's words."""
    for look in (_tab, _quote, _first, _flow, _missing_colon, _colon, _after, _indent):
        if trap := look(report):
            return trap
    fix = "look at the quotes, brackets and indentation around here"
    return Trap(report.line, report.column, f"this is not YAML: {report.problem}", fix)


def quoted(value: str) -> str:
    """The value as an author would quote it."""
    if '"' in value or "\\" in value:
        return "'" + value.replace("'", "''") + "'"
    return f'"{value}"'


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _value_around(line: str, column: int, *, in_flow: bool = False) -> tuple[int, int]:
    """Where the unquoted value around a column starts and ends; a comma or bracket ends it only inside braces."""
    start = max((match.end() for match in re.finditer(r"[{\[,]\s*|:\s+|^\s*-\s+", line[:column])), default=column)
    depth, quote, end = 0, "", column
    in_flow = in_flow or bool(re.search(r"(?:^|[\s{\[:,])[{\[]", line[:start]))
    for end in range(column, len(line)):
        char = line[end]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "{[":
            depth += 1
        elif in_flow and depth == 0 and (char in ",]}" or line.startswith(": ", end)):
            break
        elif char in "}]":
            depth -= 1
        elif line.startswith(" #", end):
            break
    else:
        end = len(line)
    return start, start + len(line[start:end].rstrip())


def _tab(report: Report) -> Trap | None:
    if report.char != "\t" and "tab" not in report.problem:
        return None
    column = report.text.find("\t")
    return Trap(report.line, column, "a tab stands where the indentation is", "indent with spaces, two for each level")


def _quote(report: Report) -> Trap | None:
    if "quoted scalar" not in report.context:
        return None
    line, column = report.since
    if "end of stream" in report.problem or "document" in report.problem:
        return Trap(line, column, "this quote is not closed", f"close it with {report.lines[line][column]}")
    column = report.text.rfind("\\", 0, report.column + 1)
    escape = report.text[column : column + 2]
    fix = r"use single quotes, where a backslash is only a backslash, or write \\"
    return Trap(report.line, column, f"{escape} means nothing inside double quotes", fix)


def _first(report: Report) -> Trap | None:
    """A value that starts with a character that YAML keeps for itself."""
    line, column = report.line, report.column
    if re.search("an alias|an anchor|a tag|a directive|block scalar", report.context):
        line, column = report.since
    elif not re.search("next token|block node|not allowed|undefined alias", report.context + report.problem):
        return None
    text = report.lines[line]
    char = text[column : column + 1]
    if char == "-":
        return Trap(line, column, "a list cannot start on the line of its key", "start it on the next line, indented")
    if not char or char not in FIRST:
        return None
    _, end = _value_around(text, column)
    value = text[column:end] or char
    if not text[:column].strip(" -"):  # a key
        value = value.split(": ")[0].rstrip(":")
    message = f'a value cannot start with "{char}" unless it is quoted'
    if "undefined alias" in report.problem:
        name = re.split(r"[\s,\]}:]", value)[0]
        message = f'"{name}" stands for an anchor "&{name[1:]}", which this page does not have before this line'
    return Trap(line, column, message, f"quote this: {quoted(value)}", (column, column + 1))


def _flow(report: Report) -> Trap | None:
    """Inside `{ }` or `[ ]`."""
    if "flow" not in report.context:
        return None
    if "flow node" in report.context:
        return Trap(report.line, report.column, "a value or a closing bracket is missing here", "add what is missing")
    line, opened = report.since
    bracket = report.lines[line][opened : opened + 1]
    before = report.text[: report.column]
    if report.char and report.char in "{[" and before and before[-1] not in " ,":
        start, end = _value_around(report.text, report.column, in_flow=True)
        template = report.char == "{" and before.endswith("$")
        what = "${…}" if template else f'"{report.char}"'
        column = report.column - 1 if template else report.column
        message = f"{what} stands unquoted inside {bracket} {'}' if bracket == '{' else ']'}"
        return Trap(report.line, column, message, f"quote this: {quoted(report.text[start:end])}", (start, end))
    close = "}" if bracket == "{" else "]"
    if report.line > line and _indent_of(report.text) <= _indent_of(report.lines[line]):
        return Trap(line, opened, f'this "{bracket}" is not closed', f'close it with "{close}"')
    fix = f'put "," between two entries, "{close}" at the end, and quotes around a text with signs in it'
    return Trap(report.line, report.column, f'"," or "{close}" is missing here', fix)


def _missing_colon(report: Report) -> Trap | None:
    """A line that should have been `key: value`."""
    if "simple key" in report.context:
        line = report.since[0]
    elif "mapping values" in report.problem and not KEY.match(report.text[: report.column]):
        line = report.previous
        if line < 0 or _indent_of(report.text) > _indent_of(report.lines[line]):
            return None
    else:
        return None
    text = report.lines[line]
    if match := TIGHT_KEY.match(text):
        return Trap(line, match.end() - 1, 'a space is missing after ":"', f"write {text[: match.end()].strip()} …")
    column = _indent_of(text)
    if re.match(r"-[^\s-]", text[column:]):
        return Trap(line, column, 'a space is missing after "-"', f"write - {text[column + 1 :]}")
    return Trap(line, column, 'this line has no key and ":"', "write key: value")


def _colon(report: Report) -> Trap | None:
    """A value with a colon and a space in it."""
    key = KEY.match(report.text)
    if "mapping values" not in report.problem or not key or key.end() > report.column:
        return None
    value = report.text[key.end() :].split(" #")[0].rstrip()
    what = "template" if "${" in value else "value"
    message = f'this {what} has ": " in it and is not quoted'
    return Trap(report.line, key.end(), message, f"quote this: {quoted(value)}", (key.end(), key.end() + len(value)))


def _after(report: Report) -> Trap | None:
    """Text behind the end of a quoted value or a closed bracket."""
    if not report.problem.startswith(("did not find expected", "expected")) or not report.text[: report.column].strip():
        return None
    fix = "quote the whole value once; inside '…' a single quote is written ''"
    return Trap(report.line, report.column, "this follows the end of a value", fix)


def _indent(report: Report) -> Trap | None:
    indent, previous = _indent_of(report.text), report.previous
    if previous < 0 or ("document" in report.problem and report.lines[previous].startswith(("...", "---"))):
        return None
    if indent > _indent_of(report.lines[previous]):
        message = f"this line is indented deeper than line {previous + 1}, which has its value already"
        column = _indent_of(report.lines[previous]) + 1
        return Trap(
            report.line, indent, message, f"start it at column {column}, or take the value of line {previous + 1} away"
        )
    opened: list[int] = []
    for line in reversed(report.lines[: report.line]):
        if line.split("#")[0].strip() and (not opened or _indent_of(line) < opened[0]):
            opened.insert(0, _indent_of(line))
    if indent in opened:
        is_entry = report.text[indent:].startswith("- ")
        message = "a list entry stands among keys" if is_entry else "a key stands among list entries"
        fix = "indent the list below its key" if is_entry else 'start it with "- ", or indent it below an entry'
        return Trap(report.line, indent, message, fix)
    columns = " or ".join(str(column + 1) for column in opened)
    return Trap(
        report.line,
        indent,
        f"this line starts at column {indent + 1}, where nothing is open",
        f"start it at column {columns}",
    )
