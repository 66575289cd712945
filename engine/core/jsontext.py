"""JSON in and out: values from bytes and bytes from values, fast and with one error."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import msgspec

from engine.core.errors import Json

SURROGATE = re.compile(
    rb"\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class NoJson(ValueError):
    """The text is no JSON, or not whole."""


def read(text: bytes | bytearray | memoryview | msgspec.Raw | str) -> Json:
    """The value of a JSON text; raises NoJson."""
    try:
        return msgspec.json.decode(text if isinstance(text, str) else paired(bytes(text)))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NoJson(str(error)) from None


def read_firsts(text: bytes | msgspec.Raw) -> Json:
    """The same, but where an object holds a key twice its first value counts, as it does for Polars; raises NoJson."""
    value = read(raw := bytes(text))
    if raw.count(b":") == write(value).count(b":") and b"\\u003" not in raw:  # a key less is a colon less
        return value
    try:
        number = msgspec.json.decode
        return json.loads(paired(raw), object_pairs_hook=_firsts, parse_int=number, parse_float=number)
    except RecursionError as error:
        raise NoJson(str(error)) from None


def _firsts(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def is_whole(text: bytes) -> bool:
    """Whether a text is JSON from beginning to end; looked through, not decoded."""
    try:
        msgspec.json.decode(paired(text), type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def other_charset(text: bytes) -> str:
    """Why a text is JSON only once its charset is said; an empty text where it is not."""
    if text.startswith(codecs.BOM_UTF8):
        return "JSON behind a byte order mark, which JSON does not allow"
    marked = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked or (b"\0" in text[:2] and text[:4].replace(b"\0", b"")[:1] in (b"{", b"[")):
        return "in UTF-16 or UTF-32, where JSON is in UTF-8"
    return ""


def flaw(text: bytes) -> str:
    """Why a text that may well be whole is no JSON; an empty text where nothing is known but that it is none."""
    words: list[str] = []
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
        return ""
    except RecursionError:
        return "JSON that is nested too deeply"
    except (msgspec.DecodeError, UnicodeError):
        try:
            json.loads(text, parse_constant=words.append)
        except (ValueError, RecursionError):
            return ""
    return f"JSON with {words[0]}, which JSON does not know" if words else ""


def paired(body: bytes) -> bytes:
    """The JSON text with U+FFFD for each lone surrogate.

    No UTF-8 text can hold one: Polars reads NUL in its place, or refuses the whole text, as msgspec does.
    """
    if b"\\" not in body or (b"\\ud" not in body and b"\\uD" not in body):  # one byte is found ten times faster
        return body
    return SURROGATE.sub(lambda found: rb"\ufffd" if found.group(1) else found.group(), body)


def write(value: Any) -> bytes:
    """The JSON of a value, keys in their order; times as RFC 3339."""
    return msgspec.json.encode(value)


def shown(value: Any) -> bytes:
    """The JSON of a value for people to look at: a line for each entry."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=1)


def canonical(value: Any) -> str:
    """The JSON of a value with sorted keys: equal values have equal texts. What JSON does not know becomes text."""
    return msgspec.json.encode(value, order="deterministic", enc_hook=str).decode()


def plain(value: Any) -> Any:
    """The value as JSON can hold it: times become text."""
    return msgspec.to_builtins(value, enc_hook=str)
