"""Everything that can go wrong, as one tree; each error says what, where and how to mend it.

    EngineError
    ├── SpecError         the page is wrong: mend the page                        exit 2
    ├── ConfigError       a param, secret, config file or command is wrong        exit 2
    ├── StorageError      storage is full, read-only, locked or damaged           exit 5
    │   └── LeaseLost     another engine took over what this one was at work on   exit 5
    ├── CollectionError   the vendor could not be read, or not wholly             exit 3
    ├── DataError         data broke an error-level rule beyond its tolerance     exit 4
    └── Stopped           a person or the system asked the run to stop            exit 130

Anything else that is raised is a defect of the engine (exit 1).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Json = Any
"""A value that JSON can hold: null, boolean, number, text, list or object."""

Level = Literal["error", "warning"]
Severity = Literal["error", "warning", "note"]
"""How bad a finding is; a note only says what a reader of the page must know."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a page: file as the user named it, line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a page, with its place and its mend."""

    mark: Mark
    code: str
    message: str
    fix: str = ""
    level: Severity = "error"
    source: str = ""
    """The line of the page that `mark` points at, for the caret."""

    def as_json(self) -> dict[str, Json]:
        """The finding as `engine lint --format json` prints it."""
        return {
            "file": self.mark.file,
            "line": self.mark.line,
            "column": self.mark.column,
            "code": self.code,
            "level": self.level,
            "message": self.message,
            "fix": self.fix,
        }

    def as_text(self) -> str:
        """The finding for a person: place and message, the line with a caret, the mend."""
        parts = [f"{self.mark}  {self.level}[{self.code}]  {self.message}"]
        if self.source:
            number = str(self.mark.line)
            pad = "".join(c if c == "\t" else " " for c in self.source[: self.mark.column - 1])
            parts += [f"  {number} | {self.source}", f"  {' ' * len(number)} | {pad}^"]
        if self.fix:
            parts.append(f"  mend: {self.fix}")
        return "\n".join(parts)


@dataclass
class EngineError(Exception):
    """An error a person can act on: what happened, where, and how to mend it."""

    message: str
    fix: str = ""
    mark: Mark | None = None
    context: Mapping[str, Json] = field(default_factory=dict)
    error_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    code: ClassVar[str] = "engine"
    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        where = f"{self.mark}  " if self.mark else ""
        mend = f"\n  mend: {self.fix}" if self.fix else ""
        return f"{where}{self.message}{mend}"


@dataclass
class SpecError(EngineError):
    """The page is wrong; `findings` holds everything that was found, not only the first."""

    findings: Sequence[Finding] = ()

    code: ClassVar[str] = "page"
    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        return "\n".join(f.as_text() for f in self.findings) if self.findings else EngineError.__str__(self)


class ConfigError(EngineError):
    """A param, a secret, the configuration file or the command line is wrong."""

    code: ClassVar[str] = "config"
    exit_code: ClassVar[int] = 2


class StorageError(EngineError):
    """The storage is full, read-only, locked by another run, or damaged."""

    code: ClassVar[str] = "storage"
    exit_code: ClassVar[int] = 5


class LeaseLost(StorageError):
    """Another engine took over the tool, as this one was not heard of for too long."""

    code: ClassVar[str] = "lease"


class CollectionError(EngineError):
    """The vendor could not be read, or not wholly; what was kept stays kept."""

    code: ClassVar[str] = "collection"
    exit_code: ClassVar[int] = 3


class DataError(EngineError):
    """Data broke an error-level rule beyond its tolerance."""

    code: ClassVar[str] = "data"
    exit_code: ClassVar[int] = 4


class Stopped(EngineError):
    """The run was asked to stop, by a person or by the system."""

    code: ClassVar[str] = "stopped"
    exit_code: ClassVar[int] = 130


class Mistake(ValueError):
    """Raised while one value of a page is read; the reader adds the place and makes a Finding of it.

    A ValueError, so that pydantic collects it with its location and goes on to find the rest.
    `offset` counts characters from the start of the value's text, where that is known.
    """

    def __init__(self, code: str, message: str, fix: str = "", *, offset: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.fix, self.offset = code, message, fix, offset
        self.mark: Mark | None = None
        """The place on the page, where that is known before a reader adds it."""


def nearest(word: str, known: Sequence[str]) -> str:
    """`; did you mean "offset"?` where one of the known words is near, else an empty text."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""
