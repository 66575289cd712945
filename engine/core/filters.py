"""How a value becomes text: numbers, times and secrets inside a template, and the filters a template may name."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from engine.core.errors import Json, Mistake
from engine.core.values import Secret

# Only what every system's strftime writes alike, and no widths, which would pad to any length.
DATE_FORMAT = re.compile(r"(?:[^%]|%[aAbBdfHIjmMpSyYzZ%])*")
EPOCHS = {"epoch_s": timedelta(seconds=1), "epoch_ms": timedelta(milliseconds=1)}
FORMS = {"iso": "", "date": "%Y-%m-%d"}


class Encoded(str):
    """A text that the `path` filter has encoded already."""

    __slots__ = ()


class Unwritable(Exception):
    """A value that has no place inside a text: null, a list, an object, or nothing at all."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


def as_text(value: object) -> str:
    """A value inside a text; raises Unwritable.

    A number is written by `str`, which for a number from a page gives its source text: `1.10`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Secret)):
        return str(value)
    if isinstance(value, date):
        return as_time(value)
    raise Unwritable(value)


def as_segment(value: object) -> str:
    """A value inside a path, percent-encoded unless the `path` filter did it; raises Unwritable."""
    if isinstance(value, (Encoded, Secret)):
        return str(value)
    return _quoted(as_text(value), keep="")


def as_json(value: object) -> Json:
    """The value of a whole template in its own type, times as text, secrets unrevealed; raises Unwritable."""
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, Secret)) else as_text(value)


def as_time(value: date, form: str = "") -> str:
    """A time in UTC, by default as RFC 3339 writes it, with a fraction only where there is one."""
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if form:
        return value.strftime(form)
    if not isinstance(value, datetime):
        return value.isoformat()
    fraction = "seconds" if not value.microsecond else "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.isoformat(timespec=fraction).replace("+00:00", "Z")


def written(value: date, form: str) -> str | int:
    """A time in UTC in a form: `iso`, `date`, `epoch_s`, `epoch_ms` or a pattern, cut off at its smallest unit."""
    if form not in EPOCHS:
        return as_time(value, FORMS.get(form, form))
    since = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    return (since - datetime(1970, 1, 1, tzinfo=UTC)) // EPOCHS[form]


def is_form(text: str) -> bool:
    """Whether a text is a form of time; one without a `%` would stand for itself."""
    return text in EPOCHS or text in FORMS or bool("%" in text and DATE_FORMAT.fullmatch(text))


def _quoted(text: str, *, keep: str) -> str:
    # Encoding leaves dots alone, and servers take even %2E%2E for a step upwards.
    if {".", ".."}.intersection(text.split("/") if keep else [text]):
        raise Mistake("template", 'a value that is "." or ".." would lead to another path')
    if not text:
        fix = "set it, or leave such records out with where of for_each"
        raise Mistake("template", "an empty text would lead to another path", fix)
    return quote(text, safe=keep)


def _on_text(change: Callable[[str], str]) -> Callable[[object], object]:
    """A filter on text; the changed text of a secret is a secret."""

    def apply(value: object) -> object:
        if isinstance(value, Secret):
            return Secret(change(value.reveal()), value.name)
        return change(as_text(value))

    return apply


def _default(value: object, other: object) -> object:
    return other if value is None else value


def _date(value: object, form: str = "") -> str | int:
    if not isinstance(value, date):
        raise Mistake("template", "date is for times only", "take the value as it is, or put a time here")
    return written(value, form)


def _join(values: object, separator: str) -> str:
    if not isinstance(values, (list, tuple)):
        raise Mistake("template", "join is for lists only", "leave |join(…) out")
    return separator.join([as_text(value) for value in values])


ENCODINGS: Mapping[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "HEX": lambda raw: raw.hex().upper(),
    "base64": lambda raw: base64.b64encode(raw).decode(),
    "base64url": lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode(),
}
"""How bytes are written as text."""
HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")


def _hash(value: object, algorithm: str, encoding: str = "hex") -> object:
    made = _on_text(lambda text: ENCODINGS[encoding](hashlib.new(algorithm, text.encode()).digest()))
    return made(value)


CALL = re.compile(r"\|(\w+)(?:\('([^'\\\r\n]*)'\))?")
SHORT = 160
"""So long a template surely has not too many words."""


class Filter(NamedTuple):
    """What a filter does, the fewest and the most arguments it has, and how it is written."""

    apply: Callable[..., Any]
    arguments: tuple[int, int]
    example: str


FILTERS = {
    "path": Filter(_on_text(lambda text: Encoded(_quoted(text, keep="/"))), (0, 0), "${name|path}"),
    "base64": Filter(_on_text(lambda text: base64.b64encode(text.encode()).decode()), (0, 0), "${name|base64}"),
    "last_segment": Filter(_on_text(lambda text: text.rstrip("/").rsplit("/", 1)[-1]), (0, 0), "${name|last_segment}"),
    "lower": Filter(_on_text(str.lower), (0, 0), "${name|lower}"),
    "upper": Filter(_on_text(str.upper), (0, 0), "${name|upper}"),
    "default": Filter(_default, (1, 1), "${name|default('…')}"),
    "date": Filter(_date, (0, 1), "${name|date('%m/%d/%Y %H:%M')}"),
    "join": Filter(_join, (1, 1), "${name|join(',')}"),
    "hash": Filter(_hash, (1, 2), "${name|hash('sha256')} or ${name|hash('md5', 'base64')}"),
}


def refusal(name: str, arguments: Sequence[object]) -> str:
    """Why a filter may not have these arguments, an empty text where it may."""
    filter = FILTERS[name]
    fewest, most = filter.arguments
    texts = [argument for argument in arguments if isinstance(argument, str)]
    if not fewest <= len(arguments) <= most or (name != "default" and len(texts) < len(arguments)):
        return f"write {filter.example}"
    if name == "hash" and (texts[0] not in HASHES or not set(texts[1:]) <= set(ENCODINGS)):
        return f"hashes are {', '.join(HASHES)}, written as {', '.join(ENCODINGS)}"
    if name == "date" and texts and not is_form(texts[0]):
        return f'"{texts[0]}" is no form of date; write {filter.example}'
    return ""


def is_plain(template: str, call: str) -> bool:
    """Whether a template of a name and this call, `|date('%Y')`, is surely right, so that Jinja need not read it."""
    found = CALL.fullmatch(call)
    if not found or found[1] not in FILTERS or len(template) > SHORT or not template.isascii():
        return False
    return not refusal(found[1], [found[2]] if found[2] is not None else [])
