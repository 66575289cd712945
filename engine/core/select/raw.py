"""Values at plain paths of a JSON text, taken out without decoding the rest."""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from engine.core.select.expression import Path, SelectError
from engine.core.select.fields import spellable

Missing = enum.Enum("Missing", "MISSING")
MISSING: Final = Missing.MISSING
"""There is nothing at this path, not even null."""

RECORDS = msgspec.json.Decoder(list[msgspec.Raw])
NULL = msgspec.Raw(b"null")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def split(body: bytes, path: Path) -> msgspec.Raw | Missing | None:
    """The JSON text at a plain path of one document: None for null, MISSING where there is nothing.

    It is a view that keeps the body alive. Raises SelectError when the body is no JSON.
    """
    try:
        found = _dig(msgspec.Raw(body), path) if path else msgspec.json.decode(body, type=msgspec.Raw)
    except UNREADABLE as error:
        raise _unreadable(error) from None
    return None if found == NULL else found


def raw_reader(path: Path) -> Callable[[bytes], list[msgspec.Raw | None]]:
    """A function from a JSON array of records to the JSON text at a plain path of each.

    None where there is null, nothing, or something that has no fields. The texts are views that keep the array alive.
    It raises SelectError when the text is no JSON array.
    """
    read = _reader(path, msgspec.Raw)
    return lambda body: [None if raw is None or raw == NULL else raw for raw in read(body)]


@lru_cache(maxsize=1024)
def _reader(path: Path, leaf: Any) -> Callable[[bytes], list[Any]]:
    if not all(map(spellable, path)):
        return partial(_one_by_one, path=path, leaf=leaf)
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[_nested(path, leaf)])  # type: ignore[misc]  # made at run time

    def read(body: bytes) -> list[Any]:
        try:
            found: list[Any] = decoder.decode(body)
        except msgspec.ValidationError:  # a record that is shaped otherwise: each by itself
            return _one_by_one(body, path, leaf)
        except UNREADABLE as error:
            raise _unreadable(error) from None
        for _ in path:
            found = [None if one is None else one.value for one in found]
        return found

    return read


def _nested(path: Path, leaf: Any) -> Any:
    """The type that picks one value out of a document."""
    if not path:
        return leaf
    inner = _nested(path[1:], leaf)
    return _at(path[0], inner, NULL if inner is msgspec.Raw else None) | None


def _at(key: str, inner: Any, absent: Any) -> Any:
    return msgspec.defstruct("At", [("value", inner, absent)], rename={"value": key}, gc=False)


@lru_cache(maxsize=1024)
def _level(key: str) -> msgspec.json.Decoder[Any]:
    if not spellable(key):
        return msgspec.json.Decoder(dict[str, msgspec.Raw])
    return msgspec.json.Decoder(_at(key, msgspec.Raw, msgspec.Raw()))


def _dig(raw: msgspec.Raw, path: Path) -> msgspec.Raw | Missing:
    """The text at a path of one document, key by key."""
    for key in path:
        try:
            found = _level(key).decode(raw)
        except msgspec.ValidationError:  # it has no fields
            return MISSING
        raw = found.get(key, msgspec.Raw()) if isinstance(found, dict) else found.value
        if not raw:
            return MISSING
    return raw


def _one_by_one(body: bytes, path: Path, leaf: Any) -> list[Any]:
    try:
        found = [_dig(raw, path) for raw in RECORDS.decode(body)]
        if leaf is msgspec.Raw:
            return [None if raw is MISSING else raw for raw in found]
        return [None if raw is MISSING else msgspec.json.decode(raw) for raw in found]
    except UNREADABLE as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> SelectError:
    if isinstance(error, RecursionError):
        return SelectError("the JSON is nested too deeply")
    return SelectError(f"this is no JSON that can be read: {error}")
